import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, runs, says } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';
import type { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const PAYLOADS = [
  '<script>window.pwned = 1</script>',
  '<img src=x onerror="window.pwned = 1">',
  '<svg/onload=window.pwned=1>',
  '<details open ontoggle=window.pwned=1>x</details>',
  '<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>',
  '"><style>* { display: none }</style><base href="https://evil.invalid/">',
  '<form action="https://evil.invalid/"><button>Approve</button></form>',
  '[link](javascript:window.pwned=1) <javascript:window.pwned=1> [data](data:text/html,<script>opener.pwned=1</script>)',
  '![pixel](https://evil.invalid/pixel.png) ![data](data:image/svg+xml;base64,PHN2Zy8+)',
  '[a reference][evil]\n\n[evil]: javascript:window.pwned=1 "title"',
  '```"><img src=x onerror=window.pwned=1>\ncode\n```',
  '| <img src=x onerror=window.pwned=1> | b |\n|---|---|\n| [x](vbscript:x) | https://user:word@evil.invalid |',
];

const COMMANDS = ['\u001b]8;;javascript:window.pwned=1\u001b\\link\u001b]8;;\u001b\\', '\u001b]0;pwned\u0007', '\u001b[31m<b onclick=window.pwned=1>\u001b[0m'];

/** A device that remembers every request that leaves for elsewhere. */
async function watched(): Promise<{ device: SessionPage; foreign: string[] }> {
  const device = await rig.device();
  const foreign: string[] = [];
  device.page.on('request', (request) => {
    if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(`${rig.url}/`)) foreign.push(request.url());
  });
  await device.open();
  return { device, foreign };
}

async function assertHarmless({ device, foreign }: { device: SessionPage; foreign: string[] }): Promise<void> {
  const found = await device.page.evaluate(() => ({
    pwned: 'pwned' in window,
    elements: document.querySelectorAll('#root :is(script, iframe, style, base, details, form[action], [onerror], [onload], [onclick], [ontoggle])').length,
    images: [...document.querySelectorAll('#root img')].map((image) => image.getAttribute('src')).filter((source) => !source?.startsWith('/favicon')),
    links: [...document.querySelectorAll('#root a')].map((link) => link.getAttribute('href') ?? '').filter((href) => !href.startsWith('/')),
    title: document.title,
  }));
  assert.deepEqual([found.pwned, found.elements, found.images], [false, 0, []]);
  for (const link of found.links) assert.match(link, /^(?:https?|mailto):/);
  assert.deepEqual(foreign, []);
  assert.doesNotMatch(found.title, /^pwned/);
}

test('U29: markup in what a person writes and a model answers stays text', async () => {
  const seen = await watched();
  const { device } = seen;
  // with a definition in it a text is rendered as one piece, without one block by block
  const texts = [PAYLOADS.filter((payload) => !payload.includes('[evil]:')).join('\n\n'), PAYLOADS.join('\n\n')];
  for (const [index, text] of texts.entries()) {
    rig.model.script(says(...(text.match(/.{1,7}/gs) ?? []), `\n\nanswer ${index}`));
    await device.say(text);
    await device.answered(`answer ${index}`).waitFor();
    await device.isIdle();
    await assertHarmless(seen);
    assert.equal(await device.answered(`answer ${index}`).getByText('<script>window.pwned = 1</script>').count(), 1);
  }
  await device.page.reload();
  await device.answered(`answer 1`).waitFor();
  await assertHarmless(seen);
});

test('U29, U16: markup and control sequences in what a command prints, and in its own text, stay text', async () => {
  const seen = await watched();
  const { device } = seen;
  const printed = [...PAYLOADS, ...COMMANDS].join('\n');
  await writeFile(join(rig.workspace, 'hostile.txt'), printed);
  const command = `cat hostile.txt # ${PAYLOADS[1]}`;
  rig.model.script([runs(command)], says('Printed.'));
  await device.say('print it');
  await device.approval.getByText(command, { exact: true }).waitFor();
  await assertHarmless(seen);
  await device.button('Approve').click();
  await device.answered('Printed.').waitFor();
  const output = device.page.getByRole('region', { name: 'Output' });
  await output.getByText('<b onclick=window.pwned=1>').waitFor();
  await device.button(/^Show .* earlier line/).click();
  await output.getByText('<script>window.pwned = 1</script>').waitFor();
  await assertHarmless(seen);
});

test('U29, U10: markup and hidden characters in file names stay text', async () => {
  const seen = await watched();
  const { device } = seen;
  const name = '<img src=x onerror=window.pwned=1>\u202etxt.exe';
  await mkdir(join(rig.workspace, 'odd'));
  await writeFile(join(rig.workspace, 'odd', name), 'one\n');
  rig.model.script(
    [calls({ name: 'glob', input: { pattern: 'odd/*' } })],
    [calls({ name: 'edit_file', input: { path: `odd/${name}`, oldText: 'one', newText: '<script>window.pwned=1</script>' } })],
    says('Changed.'),
  );
  await device.say('change the odd one');
  await device.approval.getByText('U+202E').first().waitFor();
  await device.approval.getByText('<script>window.pwned=1</script>').waitFor();
  await assertHarmless(seen);
  await device.button('Approve').click();
  await device.answered('Changed.').waitFor();
  await assertHarmless(seen);
});
