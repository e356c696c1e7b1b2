import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openPages, type PageRig, type Pages, refOf } from './page-rig.ts';

/** A page that knows the port of its server, to hold frames of another site: 127.0.0.1 instead of localhost. */
function html(body: (far: string) => string): Pages[string] {
  return (asked, answer) => {
    const port = asked.headers.host?.split(':')[1];
    answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(body(`http://127.0.0.1:${port}`));
  };
}

async function extract(rig: PageRig, input: unknown = {}): Promise<string> {
  return textOf(await rig.run('browser_extract', input));
}

/** A machine that is busy may need longer for fifty frames than they are given: then once more. */
async function extractInTime(rig: PageRig): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const text = await extract(rig);
    if (tries === 10 || !/took too long|does not answer|in time/.test(text)) return text;
  }
}

/** In the order in which they stand in the text; one that is missing fails. */
function assertInOrder(text: string, words: readonly string[]): void {
  let from = 0;
  for (const word of words) {
    const at = text.indexOf(word, from);
    assert.notEqual(at, -1, `${word} is not where it should be in:\n${text}`);
    from = at + word.length;
  }
}

test('W27: the text has what frames say, of the same and of other sites, nested and in order, each with its address', async () => {
  const pages: Pages = {
    '/': html(
      (
        far,
      ) => `<h1>Top</h1><iframe src="${far}/far"></iframe><p>Between</p><div id=host></div><iframe srcdoc="<b>Written in &#252;</b>"></iframe><a href=/own>Own</a>
      <script>host.attachShadow({ mode: 'open' }).innerHTML = '<iframe src="/near"></iframe>'</script>`,
    ),
    '/far': '<p>From afar</p><iframe src="/deep"></iframe>',
    '/deep': 'Deep down \u{1F98A}<a href=/well>Well</a>',
    '/near': 'Near by',
  };
  await using rig = await openPages(pages);
  const state = await rig.open('/');
  const far = `http://127.0.0.1:${rig.port}`;
  const text = await extract(rig, { links: true });
  assertInOrder(text, ['Top', 'Between', `[Frame ${far}/far:]\nFrom afar`, `[Frame ${far}/deep:]\nDeep down \u{1F98A}`]);
  assertInOrder(text, [`[Frame ${rig.url}/near:]\nNear by`, '[Frame about:srcdoc:]\nWritten in \u00fc', 'Links:', `Own: ${rig.url}/own`, `Well: ${far}/well`]);
  const one = await extract(rig, { ref: refOf(state, 'iframe') });
  assertInOrder(one, ['From afar', 'Deep down']);
  assert.doesNotMatch(one, /Top|Near by/);
  assert.match(await extract(rig, { offset: text.indexOf('Deep') - text.indexOf('Top') }), /:\nDeep down/);
});

test('W27: what cannot be seen is left out, and what the network rules refuse stays unread', async () => {
  const pages: Pages = {
    '/': html(
      (
        far,
      ) => `Top<iframe style="display:none" src="/hidden"></iframe><div hidden><iframe src="/hidden"></iframe></div><iframe style="visibility:hidden" src="/hidden"></iframe>
      <iframe width=0 height=0 style="border:0" src="/hidden"></iframe><iframe src="${far}/refused"></iframe><iframe src="/empty"></iframe><iframe src="http://127.0.0.1:4/never"><!-- --></iframe><iframe src="https://127.0.0.1:4/never"></iframe>`,
    ),
    '/hidden': 'Hidden words',
    '/empty': '',
    '/refused': 'Once allowed',
  };
  await using rig = await openPages(pages);
  await rig.open('/');
  const before = await extract(rig);
  assert.match(before, /\/refused:\]\nOnce allowed/);
  assert.doesNotMatch(before, /Hidden words|\/empty/);
  assert.match(before, /\[Frame http:\/\/127\.0\.0\.1:4\/never was not read\. 127\.0\.0\.1:4 leads to .*gateway-policy\.json/);
  assert.match(before, /\[Frame https:\/\/127\.0\.0\.1:4\/never was not read\. Its address was not let through/);
  // What the owner has taken back since is not read any more, although it is there.
  rig.bench.allow.length = 0;
  const after = await extract(rig);
  assert.doesNotMatch(after, /Once allowed/);
  assert.match(after, /\/refused was not read\. 127\.0\.0\.1:\d+ leads to/);
});

test('W27: a frame that hangs or never comes holds up neither the text nor the snapshot, and the rest is there', async () => {
  const pages: Pages = {
    '/': html((far) => `<h1>Top</h1><iframe src="${far}/never"></iframe><iframe src="${far}/busy"></iframe><iframe src="/fine"></iframe>`),
    '/never': () => undefined,
    '/busy': 'Busy<script>parent.postMessage("busy", "*"); for (;;);</script>',
    '/fine': '<button onclick="this.textContent = \'Done\'">Do it</button>',
  };
  await using rig = await openPages(pages);
  const state = await rig.open('/');
  const text = await extract(rig);
  assertInOrder(text, ['Top', 'was not read. It does not answer', `[Frame ${rig.url}/fine:]\nDo it`]);
  const done = await rig.run('browser_click', { ref: refOf(state, 'button "Do it"'), element: 'button "Do it"' });
  assert.match(textOf(done), /button "Done"/);
});

test('W27: very many frames, deep ones and long ones are bounded, and what is left out is said', async () => {
  const pages: Pages = {
    '/many': `Top${'<iframe srcdoc="One more"></iframe>'.repeat(120)}`,
    '/long': 'Top<iframe src="/words"></iframe>',
    '/words': `<p>${'word '.repeat(60_000)}</p>`,
    '/endless': (asked, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end(`Down<iframe src="${asked.url}x"></iframe>`),
    '/liar': 'Top<iframe src="/lies"></iframe>',
    '/lies': `<script>Object.defineProperty(HTMLElement.prototype, 'innerText', { get: () => ({ slice: () => 'x'.repeat(900000), length: 'many' }) })</script>Lies`,
  };
  for (let depth = 1; depth < 12; depth += 1) Object.assign(pages, { [`/endless${'x'.repeat(depth)}`]: pages['/endless'] });
  await using rig = await openPages(pages);
  await rig.open('/many');
  const many = await extractInTime(rig);
  assert.equal(many.match(/One more/g)?.length, 50);
  assert.match(many, /Further frames were not read: there are too many\. browser_extract with the ref/);
  await rig.open('/endless');
  assert.equal((await extractInTime(rig)).match(/Down/g)?.length, 6);
  await rig.open('/long');
  const last = await extract(rig, { offset: 199_000 });
  assert.match(last, /\[99999 further characters of this frame\./);
  await rig.open('/liar');
  assert.match(await extract(rig, { offset: 190_000 }), /x{1000}\s*$/);
});

test('W27: what is read is what was judged and is named, wherever frame and page go meanwhile', async () => {
  const held = new Map([
    ['judged', Promise.withResolvers<void>()],
    ['elsewhere', Promise.withResolvers<void>()],
  ]);
  let isArmed = false;
  const resolve = async (host: string): Promise<readonly string[]> => {
    if (isArmed && host === 'far.test') {
      held.get('judged')?.resolve();
      await held.get('elsewhere')?.promise;
    }
    return ['127.0.0.1'];
  };
  const pages: Pages = {
    '/': (asked, answer) =>
      answer.writeHead(200, { 'content-type': 'text/html' }).end(`Top<iframe src="http://far.test:${asked.headers.host?.split(':')[1]}/far"></iframe>
      <script>fetch('/gate').then(() => { document.querySelector('iframe').src = '/elsewhere'; history.pushState(0, '', '/pushed') })</script>`),
    '/far': 'Far',
    '/elsewhere': "Words of another<script>fetch('/arrived')</script>",
    '/gate': (_asked, answer) => void held.get('judged')?.promise.then(() => answer.end()),
    '/arrived': (_asked, answer) => {
      held.get('elsewhere')?.resolve();
      answer.end();
    },
  };
  await using rig = await openPages(pages, { resolve });
  rig.bench.allow.push(`far.test:${rig.port}`);
  await rig.open('/');
  isArmed = true;
  const text = await extract(rig);
  assert.match(text, new RegExp(`^URL: ${rig.url}/$`, 'm'));
  assert.doesNotMatch(text, /Words of another/);
  assert.match(text, /far\.test:\d+\/far was not read\. It went to another address meanwhile/);
  isArmed = false;
  assert.match(await extract(rig), /\/elsewhere:\]\nWords of another/);
});

test('W27: frames behind very many parts are read, or it is said that they are not', async () => {
  const part = '<object style="display:inline-block;width:10px;height:10px"></object>';
  const pages: Pages = {
    '/some': `Top${part.repeat(2_000)}<iframe srcdoc="At the end"></iframe>`,
    '/many': `Top${part.repeat(9_000)}<iframe srcdoc="At the end"></iframe>`,
  };
  await using rig = await openPages(pages);
  for (const path of Object.keys(pages)) {
    await rig.open(path);
    assert.match(await extract(rig), /At the end|not read/, path);
  }
});

test('W2: what stands in frames is in the snapshot, and can be clicked, filled and asked for by its ref', async () => {
  const pages: Pages = {
    '/': html((far) => `<h1>Top</h1><iframe src="/near"></iframe><iframe src="${far}/far"></iframe>`),
    '/near': '<button onclick="this.textContent = \'Near done\'">Near</button>',
    '/far': '<label>Name <input></label><iframe src="/deep"></iframe>',
    '/deep': '<button onclick="this.textContent = \'Deep done\'">Deep</button>',
  };
  await using rig = await openPages(pages);
  const state = await rig.open('/');
  for (const name of ['Near', 'Deep']) {
    const done = await rig.run('browser_click', { ref: refOf(state, `button "${name}"`), element: `button "${name}"` });
    assert.match(textOf(done), new RegExp(`button "${name} done"`));
  }
  assert.match(textOf(await rig.run('browser_fill', { ref: refOf(state, 'textbox "Name"'), text: 'Zo\u00eb' })), /textbox "Name".*Zo\u00eb/);
  assert.match(await extract(rig, { ref: refOf(await rig.open('/'), 'button "Deep"') }), /:\nDeep$/);
});

test('W5: a stop while a frame is waited for ends the call and leaves the page open', async () => {
  const abort = new AbortController();
  let isArmed = false;
  const resolve = async (): Promise<readonly string[]> => {
    if (!isArmed) return ['127.0.0.1'];
    abort.abort({ kind: 'cancelled' });
    return new Promise(() => undefined);
  };
  const pages: Pages = {
    '/': (asked, answer) =>
      answer.writeHead(200, { 'content-type': 'text/html' }).end(`Top<iframe src="http://slow.test:${asked.headers.host?.split(':')[1]}/slow"></iframe>`),
    '/slow': 'Slow',
  };
  await using rig = await openPages(pages, { resolve });
  rig.bench.allow.push(`slow.test:${rig.port}`);
  await rig.open('/');
  assert.match(await extract(rig), /Slow/);
  isArmed = true;
  assert.equal((await rig.run('browser_extract', {}, { abort })).status, 'cancelled');
  isArmed = false;
  assert.match(await extract(rig), /Top/);
});
