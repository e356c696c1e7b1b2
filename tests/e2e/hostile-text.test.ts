import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, runs, says } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';
import { assertHarmless, watchedDevice } from './watched-page.ts';

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

test('U29: markup in what a person writes and a model answers stays text', async () => {
  const seen = await watchedDevice(rig);
  const { device } = seen;
  await device.open();
  // with a definition in it a text is rendered as one piece, without one block by block
  const texts = [PAYLOADS.filter((payload) => !payload.includes('[evil]:')).join('\n\n'), PAYLOADS.join('\n\n')];
  for (const [index, text] of texts.entries()) {
    rig.model.script(says(...(text.match(/.{1,7}/gs) ?? []), `\n\nanswer ${index}`));
    await device.say(text);
    await device.answered(`answer ${index}`).waitFor();
    await device.isIdle();
    await assertHarmless(seen, device.path);
    assert.equal(await device.answered(`answer ${index}`).getByText('<script>window.pwned = 1</script>').count(), 1);
  }
  await device.page.reload();
  await device.answered(`answer 1`).waitFor();
  await assertHarmless(seen, device.path);
});

test('U29, U16: markup and control sequences in what a command prints, and in its own text, stay text', async () => {
  const seen = await watchedDevice(rig);
  const { device } = seen;
  await device.open();
  const printed = [...PAYLOADS, ...COMMANDS].join('\n');
  await writeFile(join(rig.workspace, 'hostile.txt'), printed);
  const command = `cat hostile.txt # ${PAYLOADS[1]}`;
  rig.model.script([runs(command)], says('Printed.'));
  await device.say('print it');
  await device.approval.getByText(command, { exact: true }).waitFor();
  await assertHarmless(seen, device.path);
  await device.button('Approve').click();
  await device.answered('Printed.').waitFor();
  const output = device.page.getByRole('region', { name: 'Output' });
  await output.getByText('<b onclick=window.pwned=1>').waitFor();
  await device.button(/^Show .* earlier line/).click();
  await output.getByText('<script>window.pwned = 1</script>').waitFor();
  await assertHarmless(seen, device.path);
});

test('U29, U10: markup and hidden characters in file names stay text', async () => {
  const seen = await watchedDevice(rig);
  const { device } = seen;
  await device.open();
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
  await assertHarmless(seen, device.path);
  await device.button('Approve').click();
  await device.answered('Changed.').waitFor();
  await assertHarmless(seen, device.path);
});
