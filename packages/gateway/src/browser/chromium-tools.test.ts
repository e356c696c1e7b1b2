import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8Bytes } from '@tendon/protocol';
import { type PictureSize, pictureSize } from '../tools/picture-size.ts';
import { textOf } from '../tools/tool-bench-rig.ts';
import { browserModuleLoads } from './browser-host.ts';
import { openPages, type Pages, refOf, told } from './page-rig.ts';

const FORM = `<title>Form \u{1F98A} "q"</title><h1>Order</h1><form action="/sent">
  <label>Name <input name=name></label> <label><input type=checkbox name=gift> Gift</label>
  <label>Size <select name=size><option value=s>Small<option value=l>Large</select></label><button>Send it</button></form>
  <p id=said></p><script>
  document.addEventListener('keydown', (event) => { document.getElementById('said').textContent += event.key + ' '; });
  document.querySelector('h1').addEventListener('mouseover', () => { document.title = 'hovered'; });
</script>`;

const DIALOGS = `<title>Dialogs</title><button onclick="document.title = String(confirm('Delete \\u00fc?'))">Delete</button>
  <button onclick="alert('Hello')">Greet</button><button onclick="for (let count = 0; count < 31; count += 1) alert(count)">Chatter</button><a href="/sent?popup" target=_blank>Elsewhere</a>`;

test('W1: the module is loaded by the first call that opens a page, once', async () => {
  await using rig = await openPages({ '/': FORM });
  assert.equal((await rig.run('browser_snapshot', {})).error?.code, 'no_page');
  assert.deepEqual([browserModuleLoads(), rig.bench.browser.process], [0, undefined]);
  for (const sessionId of ['one', 'two']) assert.equal((await rig.run('browser_navigate', { url: `${rig.url}/` }, { sessionId })).status, 'succeeded');
  assert.equal(browserModuleLoads(), 1);
});

test('W2: a form is filled and sent with refs of the answers, each with the page as it is then', async () => {
  await using rig = await openPages({ '/': FORM, '/sent': '<title>Sent</title><p>Thank you' });
  const state = await rig.open('/');
  assert.match(state, /Page: Form \u{1F98A} "q"\nURL: http:\/\/localhost:\d+\/\n/u);
  await rig.run('browser_fill', { ref: refOf(state, 'textbox "Name"'), element: 'textbox "Name"', text: 'Zo\u00eb & "Co"' });
  await rig.run('browser_fill', { ref: refOf(state, 'checkbox "Gift"'), text: 'true' });
  const chosen = await rig.run('browser_select', { ref: refOf(state, 'combobox "Size"'), values: ['Large'] });
  assert.match(textOf(chosen), /textbox "Name".*: "?Zo\u00eb & \\?"Co[\s\S]*checkbox "Gift" \[checked\]/);
  const sent = textOf(await rig.run('browser_click', { ref: refOf(state, 'button "Send it"'), element: 'button "Send it"' }));
  assert.match(sent, /Page: Sent\nURL: .*\/sent\?name=Zo%C3%AB\+%26\+%22Co%22&gift=on&size=l\n[\s\S]*Thank you/);
  assert.match(textOf(await rig.run('browser_navigate', { url: 'back' })), /Page: Form/);
  assert.match(textOf(await rig.run('browser_navigate', { url: 'forward' })), /Page: Sent/);
  assert.match(textOf(await rig.run('browser_navigate', { url: 'reload' })), /Page: Sent/);
});

test('W2: keys, pointer and scrolling reach the page', async () => {
  await using rig = await openPages({ '/': `${FORM}<div style="height: 5000px"></div><p>The end</p>` });
  const state = await rig.open('/');
  const typed = textOf(await rig.run('browser_type', { ref: refOf(state, 'textbox "Name"'), text: 'a\u00fc' }));
  assert.match(typed, /textbox "Name".*: a\u00fc/);
  assert.match(textOf(await rig.run('browser_press', { key: 'Control+a' })), /paragraph .*a .*Control/);
  assert.match(textOf(await rig.run('browser_hover', { ref: refOf(state, 'heading "Order"') })), /Page: hovered/);
  assert.match(textOf(await rig.run('browser_scroll', { direction: 'bottom' })), /Shown now: pixels \d{4} to (\d+) of \1/);
  assert.match(textOf(await rig.run('browser_scroll', { ref: refOf(state, 'textbox "Name"') })), /Scrolled to/);
});

test('W2: a long page is cut and says where to go on, without losing a line', async () => {
  const rows = Array.from({ length: 3_000 }, (_, index) => `<li>Row ${index} \u{1F98A}</li>`).join('');
  await using rig = await openPages({ '/': `<ul>${rows}</ul>` });
  let text = await rig.open('/');
  assert.ok(text.length < 15_000);
  const seen = new Set<string>();
  for (let round = 0; round < 20; round += 1) {
    for (const row of text.match(/Row \d+/g) ?? []) seen.add(row);
    const next = /fromLine (\d+)/.exec(text)?.[1];
    if (next === undefined) break;
    text = textOf(await rig.run('browser_snapshot', { fromLine: Number(next) }));
  }
  assert.equal(seen.size, 3_000);
  const extract = textOf(await rig.run('browser_extract', { offset: 10 }));
  assert.match(extract, /^URL: .*\nText .*:\n/);
  assert.match(extract, /Row 2999/);
});

test('W4: an element that is not what the call names is left alone', async () => {
  await using rig = await openPages({ '/': `${DIALOGS}<a href="/gone">Gone</a>`, '/gone': 'x' });
  const state = await rig.open('/');
  const wrong = await rig.run('browser_click', { ref: refOf(state, 'link "Gone"'), element: 'button "Delete"' });
  assert.equal(wrong.error?.code, 'other_element');
  assert.match(textOf(wrong), /is link "Gone"[\s\S]*Snapshot/);
  assert.deepEqual(
    rig.asked.filter((line) => line.includes('gone')),
    [],
  );
});

test('W8: questions are answered with Cancel unless the call says OK, and new tabs are told', async () => {
  await using rig = await openPages({ '/': DIALOGS, '/sent': '<title>Second</title>' });
  const state = await rig.open('/');
  const click = async (head: string, more = {}) => textOf(await rig.run('browser_click', { ref: refOf(state, head), ...more }));
  assert.match(await click('button "Delete"'), /Page: false\n[\s\S]*asked: "Delete \u00fc\?".*Cancel/);
  assert.match(await click('button "Delete"', { acceptDialog: true }), /Page: true\n[\s\S]*answered with OK/);
  assert.match(await click('button "Greet"'), /The page said: "Hello"/);
  assert.match(await click('button "Chatter"'), /The page said: "9"\.\n- 21 more things, such as questions of the page, are left out\.\nSnapshot/);
  // A tab that takes its time is told with one of the next answers.
  const second = await told(rig, await click('link "Elsewhere"'), /Page: Second\n[\s\S]*0 {2}true[\s\S]*1\* Second/);
  assert.match(second, /new tab/);
  assert.match(textOf(await rig.run('browser_tabs', { action: 'select', index: 0 })), /Page: true/);
  assert.match(textOf(await rig.run('browser_tabs', { action: 'close', index: 1 })), /^Page: true\nURL: \S+\nSnapshot/);
  assert.match(textOf(await rig.run('browser_tabs', { action: 'new' })), /about:blank/);
  assert.match(textOf(await rig.run('browser_tabs', { action: 'list' })), /^Tabs:\n0 {2}true .*\n1\* +about:blank$/);
});

test('W6: sessions share nothing, and the calls of one wait for each other', async () => {
  const page =
    "<title>Cookies</title><button onclick=\"document.cookie = 'who=me'; localStorage.setItem('who', 'me')\">Be</button><p id=who></p><script>document.getElementById(\"who\").textContent = document.cookie + localStorage.length</script>";
  await using rig = await openPages({ '/': page });
  const state = await rig.open('/');
  await rig.run('browser_click', { ref: refOf(state, 'button "Be"') });
  assert.match(await rig.open('/'), /who=me1/);
  const other = await rig.run('browser_navigate', { url: `${rig.url}/` }, { sessionId: 'another' });
  assert.match(textOf(other), /paragraph \[ref=\w+\]: "0"/);
  const order: number[] = [];
  await Promise.all([1, 2, 3].map(async (number) => rig.run('browser_wait', { ms: 60 / number }).then(() => order.push(number))));
  assert.deepEqual(order, [1, 2, 3]);
});

test('W7: a download is kept by its own tool alone, under a harmless name, and replaces nothing', async () => {
  const name = 'na\u00efve \u{1F98A} "q".txt';
  const files = {
    '/': `<title>Files</title><a href="/file">Get it</a><a href="/page">A page</a>`,
    '/page': 'only a page',
    '/file': (_asked: unknown, answer: import('node:http').ServerResponse) =>
      answer.writeHead(200, { 'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(`../../${name}`)}` }).end('the data'),
  };
  await using rig = await openPages(files);
  const state = await rig.open('/');
  const get = { ref: refOf(state, 'link "Get it"'), element: 'link "Get it"' };
  await told(rig, textOf(await rig.run('browser_click', get)), /offered a download.*was not kept/);
  assert.ok(!(await readdir(rig.bench.root)).includes('downloads'));
  assert.equal((await rig.run('browser_download', get)).status, 'succeeded');
  assert.equal((await rig.run('browser_download', get)).status, 'succeeded');
  const kept = (await readdir(join(rig.bench.root, 'downloads'))).toSorted();
  assert.equal(kept.length, 2, kept.join());
  for (const file of kept) {
    assert.match(file, /^[^./\\][^/\\"]*\.txt$/);
    assert.equal(await readFile(join(rig.bench.root, 'downloads', file), 'utf8'), 'the data');
  }
  assert.equal((await rig.run('browser_download', { ...get, path: 'sub folder/mine.txt' })).status, 'succeeded');
  assert.equal((await rig.run('browser_download', { ...get, path: 'sub folder/mine.txt' })).error?.code, 'already_there');
  for (const path of ['../x.txt', '/etc/x', '.tendon/x'])
    assert.match((await rig.run('browser_download', { ...get, path })).error?.code ?? '', /outside_workspace|forbidden_path/, path);
});

test('W7: a download that breaks off says so, and not what else of its page was refused; one that is refused is none', async () => {
  const busy = '<script>setInterval(() => fetch("http://10.0.0.1/", { mode: "no-cors" }).catch(() => {}), 20)</script>';
  const breaks: Pages[string] = (_asked, answer) => {
    answer.writeHead(200, { 'content-disposition': 'attachment; filename=a.txt', 'content-length': '100' }).write('half');
    setTimeout(() => answer.destroy(), 300);
  };
  const away: Pages[string] = (_asked, answer) => answer.writeHead(302, { location: 'https://10.0.0.2/secret' }).end();
  const page = `<a href="/breaks">Breaks</a><a download href="/away">Refused</a>${busy}`;
  await using rig = await openPages({ '/': page, '/breaks': breaks, '/away': away });
  const state = await rig.open('/');
  const download = (link: string) => rig.run('browser_download', { ref: refOf(state, `link "${link}"`) });
  assert.match(textOf(await download('Breaks')), /^The download broke off \(.+\)\. Try again\./);
  const refused = await download('Refused');
  assert.equal(refused.error?.code, 'no_download');
  assert.match(textOf(refused), /10\.0\.0\.2:443 leads to 10\.0\.0\.2, which is not a public address/);
});

test('W7: what sessions download under one name at once is all kept, over no link or folder, and a failed one leaves no folder', async () => {
  const files = {
    '/': '<title>Files</title><a href="/file">Get it</a><a href="/broken">Broken</a>',
    '/file': (_asked: unknown, answer: import('node:http').ServerResponse) =>
      answer.writeHead(200, { 'content-disposition': 'attachment; filename=same.txt' }).end('the data'),
    '/broken': (_asked: unknown, answer: import('node:http').ServerResponse) => {
      answer.writeHead(200, { 'content-disposition': 'attachment; filename=broken.bin', 'content-length': '1000' }).write('part');
      setTimeout(() => answer.destroy(), 200);
    },
  };
  await using rig = await openPages(files);
  const { root } = rig.bench;
  await mkdir(join(root, 'downloads', 'same.txt'), { recursive: true });
  const sessions = ['one', 'two', 'three', 'four'];
  const saved = await Promise.all(
    sessions.map(async (sessionId) => {
      const state = textOf(await rig.run('browser_navigate', { url: `${rig.url}/` }, { sessionId }));
      return textOf(await rig.run('browser_download', { ref: refOf(state, 'link "Get it"') }, { sessionId }));
    }),
  );
  assert.deepEqual(saved.map((text) => /^Saved as "downloads\/(.+)" \(8 bytes\)/.exec(text)?.[1]).toSorted(), [
    ...['same (2).txt', 'same (3).txt', 'same (4).txt', 'same (5).txt'],
  ]);
  assert.equal((await readdir(join(root, 'downloads'))).length, 5);

  await symlink('nothing', join(root, 'link'));
  const state = await rig.open('/');
  assert.equal((await rig.run('browser_download', { ref: refOf(state, 'link "Get it"'), path: 'link' })).error?.code, 'already_there');
  assert.equal((await rig.run('browser_download', { ref: refOf(state, 'link "Broken"'), path: 'new/folder/x' })).error?.code, 'download_failed');
  assert.deepEqual((await readdir(root)).toSorted(), ['.tendon', 'downloads', 'link']);
});

test('W7: an upload takes files of the workspace, by a field or by a button that asks for them', async () => {
  const page = `<title>Up</title><input type=file aria-label=Field multiple><button onclick="document.getElementById('hidden').click()">Choose</button>
    <input type=file id=hidden style="display:none"><p id=said></p><script>for (const field of document.querySelectorAll('input')) field.onchange = async () => {
      document.getElementById('said').textContent = (await Promise.all([...field.files].map(async (file) => file.name + '|' + file.type + '|' + await file.text()))).join(';'); }</script>`;
  await using rig = await openPages({ '/': page });
  await mkdir(join(rig.bench.root, 'a b'));
  await writeFile(join(rig.bench.root, 'a b', '\u00fc "q".txt'), 'one');
  await writeFile(join(rig.bench.root, 'two.json'), '2');
  await writeFile(join(rig.bench.outside, 'secret'), 'secret');
  const state = await rig.open('/');
  const both = await rig.run('browser_upload', { ref: refOf(state, 'button "Field"'), paths: ['a b/\u00fc "q".txt', 'two.json'] });
  await told(rig, textOf(both), /\u00fc \\?"q\\?".txt\|text\/plain\|one;two.json\|application\/json\|2/);
  const one = await rig.run('browser_upload', { ref: refOf(state, 'button "Choose"'), paths: ['two.json'] });
  await told(rig, textOf(one), /paragraph [^\n]*: "?two.json\|application\/json\|2/);
  for (const path of ['../outside/secret', join(rig.bench.outside, 'secret'), '.tendon/x'])
    assert.match(
      (await rig.run('browser_upload', { ref: refOf(state, 'button "Field"'), paths: [path] })).error?.code ?? '',
      /outside_workspace|forbidden_path|not_found/,
      path,
    );
});

test('W9: a picture fits into a result, however large and noisy the page is', async () => {
  const noise = `<title>Noise</title><body style="margin:0"><canvas width=2000 height=20000></canvas><button>B</button><script>
    const canvas = document.querySelector('canvas'); const context = canvas.getContext('2d'); const image = context.createImageData(2000, 20000);
    for (let index = 0; index < image.data.length; index += 1) image.data[index] = index % 4 === 3 ? 255 : Math.random() * 256;
    context.putImageData(image, 0, 0);</script>`;
  await using rig = await openPages({ '/': noise });
  const state = await rig.open('/');
  for (const input of [{}, { ref: refOf(state, 'button "B"') }, { fullPage: true }]) {
    const result = await rig.run('browser_screenshot', input);
    assert.ok(utf8Bytes(JSON.stringify(result)) < 1024 * 1024);
    if (result.status === 'failed') assert.equal(result.error?.code, 'too_large');
    else {
      const image = result.content[1];
      assert.ok(image?.type === 'image' && image.mimeType === 'image/jpeg');
      assert.equal(Buffer.from(image.data, 'base64').subarray(0, 2).toString('hex'), 'ffd8');
    }
  }
});

test('W9: a picture that does not hold all of a page or an element says what of it, and how to see the rest', async () => {
  const box = (color: string, more: string): string => `<div role=img aria-label="${color}" style="background:${color};${more}"></div>`;
  const page = `<title>Long</title><body style="margin:0">${box('blue', 'height:100px')}${box('red', 'width:40px;height:20000px')}${box('green', 'height:9900px')}`;
  let last = '';
  await using rig = await openPages({
    '/': page,
    '/wide': '<title>Wide</title><body style="margin:0"><main style="width:9000px;height:50px">x</main>',
    '/color': (_asked, answer) =>
      void answer
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<img onload="const look = document.createElement('canvas').getContext('2d'); look.drawImage(this, 0, 0);
          document.title = [...look.getImageData(9, 9, 1, 1).data].map((one) => Math.round(one / 255)).join('')" src="data:image/jpeg;base64,${last}">`),
  });
  const taken = async (input: object): Promise<[string, PictureSize | undefined]> => {
    const result = await rig.run('browser_screenshot', input);
    const image = result.content[1];
    assert.ok(image?.type === 'image', textOf(result));
    last = image.data;
    return [textOf(result), pictureSize('image/jpeg', Buffer.from(image.data, 'base64'))];
  };
  const state = await rig.open('/');
  const [whole, wholeSize] = await taken({ fullPage: true });
  assert.match(
    whole,
    /^Picture of the whole page: .* It is cut: only the upper 8000 of 30000 pixels are on it\. To see the rest, give the ref of an element further on/,
  );
  assert.equal(wholeSize?.height, 8_000);
  await rig.run('browser_scroll', { direction: 'bottom' });
  const [red, redSize] = await taken({ ref: refOf(state, 'img "red"') });
  assert.match(red, /It is cut: only the upper 8000 of 20000 pixels are on it\. To see the rest, give the ref of an element in it, or scroll there/);
  assert.deepEqual(redSize, { width: 40, height: 8_000 });
  const [blue, blueSize] = await taken({ ref: refOf(state, 'img "blue"') });
  assert.doesNotMatch(blue, /cut/);
  assert.equal(blueSize?.height, 100);
  await rig.run('browser_scroll', { direction: 'bottom' });
  await taken({ ref: refOf(state, 'img "red"') });
  assert.match(await rig.open('/color'), /Page: 1001/);
  await rig.open('/wide');
  assert.match((await taken({ fullPage: true }))[0], /only the left 2000 of 9000 pixels are on it/);
  assert.doesNotMatch((await taken({}))[0], /cut/);
});

/** The page asks in a way that lets nothing else in it run, and goes on for ever when it is answered: once that is heard, it hangs. */
const HANGS = "const last = new XMLHttpRequest(); last.open('GET', '/hangs', false); last.send(); for (;;);";

test('W5: a stop ends a call at once, also in a page that hangs, and the session goes on', async () => {
  const pages = { '/': `<title>Fine</title><button onclick="${HANGS}">Hang</button>`, '/slow': () => undefined };
  await using rig = await openPages(pages);
  const stopped = async (tool: string, input: unknown, isReady: () => boolean) => {
    const abort = new AbortController();
    const running = rig.run(tool, input, { abort });
    while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort({ kind: 'cancelled' });
    return running;
  };
  const state = await rig.open('/');
  assert.equal((await stopped('browser_wait', { text: 'never' }, () => true)).status, 'cancelled');
  assert.equal((await stopped('browser_navigate', { url: `${rig.url}/slow` }, () => rig.asked.includes('GET /slow'))).status, 'cancelled');
  const fine = await rig.open('/');
  assert.notEqual(state, '');
  assert.equal((await stopped('browser_click', { ref: refOf(fine, 'button "Hang"') }, () => rig.asked.includes('GET /hangs'))).status, 'cancelled');
  assert.match(await rig.open('/'), /Page: Fine/);
});

test('W3, W5: a tab that hangs with a page because they share a process is closed with it, others stay, and the next call works', async () => {
  const page = `<title>Both</title><button onclick="window.open('/popup')">Open</button><button onclick="${HANGS}">Hang</button>`;
  await using rig = await openPages({ '/': page, '/popup': '<title>Popup</title>', '/alone': '<title>Alone</title>' });
  await rig.open('/alone');
  await rig.run('browser_tabs', { action: 'new' });
  // It hangs as one that is there: before, it would be a tab that never came.
  await told(rig, textOf(await rig.run('browser_click', { ref: refOf(await rig.open('/'), 'button "Open"') })), /2\* Popup/);
  const state = textOf(await rig.run('browser_tabs', { action: 'select', index: 1 }));
  const abort = new AbortController();
  const running = rig.run('browser_click', { ref: refOf(state, 'button "Hang"') }, { abort });
  while (!rig.asked.includes('GET /hangs')) await new Promise((resolve) => setTimeout(resolve, 5));
  abort.abort({ kind: 'cancelled' });
  assert.equal((await running).status, 'cancelled');
  const after = textOf(await rig.run('browser_snapshot', {}));
  assert.match(after, /^Page: Alone\n.*\nSince the last answer:\n- A call was stopped.*\n- So were tabs that hung with it/);
});
