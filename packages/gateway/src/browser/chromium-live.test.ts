import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrowserFrame } from '@tendon/protocol';
import { LIMITS } from '@tendon/protocol';
import { until, within } from '@tendon/testing';
import { type LiveRig, SESSION, watchPages } from './live-view-rig.ts';
import { openPages, type PageRig, type Pages } from './page-rig.ts';
import { GAP_MS } from './watch-pace.ts';

const plain = (colour: string): string => `<title>${colour}</title><body style="background:${colour}">`;
const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
/** A picture of noise is longer, however coarse, and one of a plain page shorter. */
const NOISE_LENGTH = 20_000;

const PAGES: Pages = {
  '/red': plain('red'),
  '/blue': plain('blue'),
  // Draws without a pause for as long as it is open, or so many times and then once more.
  '/busy': `${plain('red')}<p id=n></p><script>let n = 0; const drawForEver = () => setInterval(() => { document.getElementById('n').textContent = ++n; }, 16);
    const drawForAWhile = () => new Promise((done) => { const t = setInterval(() => {
    document.getElementById('n').textContent = ++n; if (n < 120) return; clearInterval(t); document.getElementById('n').remove();
    document.body.style.background = '#0f0'; document.title = 'at rest'; requestAnimationFrame(() => requestAnimationFrame(done)); }, 16); })</script>`,
  '/watched': `${plain('red')}<script>window.seen = []; for (const what of ['resize', 'blur', 'focus']) addEventListener(what, () => seen.push(what));
    document.addEventListener('visibilitychange', () => seen.push('visibility')); matchMedia('(resolution: 1dppx)').onchange = () => seen.push('resolution')</script>`,
  // Its pictures fit only when they are taken as coarse as can be.
  '/noise': `<title>noise</title><body style="margin:0"><canvas id=c width=1280 height=800></canvas><script>const g = document.getElementById('c').getContext('2d');
    const i = g.createImageData(1280, 800); i.data.fill(255); for (let k = 0; k < i.data.length; k += 4) if (Math.random() < 0.5) i.data.fill(0, k, k + 3);
    g.putImageData(i, 0, 0)</script>`,
  '/odd': `<title>${'x'.repeat(5_000)}\u202e\u0000</title><body style="background:red">`,
};

async function open(rig: PageRig, path: string, sessionId = SESSION): Promise<void> {
  const { status, error } = await rig.run('browser_navigate', { url: rig.url + path }, { sessionId });
  assert.equal(status, 'succeeded', error?.message);
}

/** The colour in the middle of a picture, as another page of the browser sees it, and its size. */
async function look(rig: PageRig, { image }: BrowserFrame): Promise<{ colour: number[]; size: number[] }> {
  if (rig.bench.browser.look('who looks') === 'none') await rig.run('browser_tabs', { action: 'new' }, { sessionId: 'who looks' });
  const page = rig.bench.browser.find('who looks').page();
  return page.evaluate(async (data) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], { type: 'image/jpeg' }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    canvas?.drawImage(bitmap, 0, 0);
    const pixel = [...(canvas?.getImageData(bitmap.width / 2, bitmap.height / 2, 1, 1).data ?? [])].slice(0, 3);
    return { colour: pixel.map((part) => (part > 200 ? 255 : part < 55 ? 0 : part)), size: [bitmap.width, bitmap.height] };
  }, image);
}

/** Three pictures in a second at most: none without a turn, and no turn too soon after another one, however long the machine takes for either. */
function assertPaced({ frames, turns }: LiveRig): void {
  assert.ok(frames.length <= turns.length, `${frames.length} pictures in ${turns.length} turns`);
  for (const [index, turn] of turns.entries()) assert.ok(index === 0 || turn - (turns[index - 1] ?? 0) >= GAP_MS, `turns at ${turns.join(', ')}`);
}

/** The first picture from now on that has this colour in its middle: words may run ahead of pictures. */
async function untilColour(rig: PageRig, live: LiveRig, wanted: readonly number[]): Promise<BrowserFrame> {
  for (let next = Math.max(0, live.frames.length - 1); ; ) {
    const frame = await live.until(`a picture of ${wanted}`, () => live.frames[next] && live.frames.at(-1));
    next = live.frames.length;
    if ((await look(rig, frame)).colour.join() === wanted.join()) return frame;
  }
}

test('W21: a watched session shows its page, and what the page has become; nothing after the watch is over', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  live.watch();
  await live.until('no page to be open', () => live.states.at(-1) === 'no_page');
  await open(rig, '/red');
  const first = await untilColour(rig, live, RED);
  assert.deepEqual([first.sessionId, first.url, first.width, first.height], [SESSION, `${rig.url}/red`, 1280, 800]);
  assert.deepEqual((await look(rig, first)).size, [1280, 800]);
  assert.ok(live.states.includes('starting'), 'the browser was being started');
  await rig.bench.browser.find(SESSION).page().evaluate("document.body.style.background = '#0f0'; document.title = 'green'");
  assert.equal((await untilColour(rig, live, GREEN)).title, 'green');
  live.watch({ forMs: 0 });
  live.watch({ sessionId: '0199c0de-0000-7000-8000-000000000002' });
  await live.until('the other session to be told of', () => live.states.at(-1) === 'no_page');
  const told = live.frames.length;
  await open(rig, '/blue');
  assert.equal(live.frames.length, told);
});

test('W21: when a page that has drawn without pause comes to rest, the last picture is of that, though the line was busy meanwhile', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/busy');
  live.watch();
  await untilColour(rig, live, RED);
  const seen = live.frames.length;
  // More is drawn than Chromium keeps for whoever does not take it: it drops the last change.
  live.isFree = false;
  await rig.bench.browser.find(SESSION).page().evaluate('drawForAWhile()');
  live.isFree = true;
  assert.equal((await untilColour(rig, live, GREEN)).title, 'at rest');
  assert.ok(live.frames.length - seen <= 4, `${live.frames.length - seen} pictures of one change`);
});

test('W21: a page that draws without pause is shown three times in a second at most', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/busy');
  live.watch();
  await rig.bench.browser.find(SESSION).page().evaluate('void drawForEver()');
  await live.until('some pictures', () => live.frames.length > 5);
  assertPaced(live);
});

test('W21: a newcomer is shown the newest picture though nothing changes, and a page that has not changed is not shown again to the others', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.watch();
  const first = await untilColour(rig, live, RED);
  const begin = live.frames.length;
  live.watch({ anew: false });
  live.watch();
  const again = await live.until('it again', () => live.frames[begin]);
  assert.equal(again.image, first.image);
  assert.equal(live.frames.length, begin + 1);
});

test('W21, W24: however often somebody wants to see, the last picture is shown three times in a second at most, and none while the line is busy', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.watch();
  await untilColour(rig, live, RED);
  const begin = live.frames.length;
  const asking = setInterval(() => live.watch(), 1);
  await live.until('it again, a few times', () => live.frames.length > begin + 3).finally(() => clearInterval(asking));
  assertPaced(live);
  live.isFree = false;
  // What was let through before may still be waiting for the browser, which answers in order.
  await rig.bench.browser.find(SESSION).page().evaluate('1');
  const told = live.frames.length;
  live.watch();
  await rig.run('browser_wait', { ms: 600 }, { sessionId: SESSION });
  assert.equal(live.frames.length, told);
  live.isFree = true;
  await live.until('it, now that the line is free', () => live.frames.length > told);
});

test('W21, W26: a watch that is switched off and on whenever it has shown something shows three pictures in a second at most', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  for (let round = 1; round <= 6; round += 1) {
    live.watch();
    await live.until('a picture', () => live.frames.length >= round);
    live.watch({ forMs: 0 });
  }
  assertPaced(live);
});

test('W22: the current tab is followed: opened, changed back, closed, crashed', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.watch();
  await live.until('the first tab', () => live.frames.at(-1)?.title === 'red');
  await rig.run('browser_tabs', { action: 'new' }, { sessionId: SESSION });
  await open(rig, '/blue');
  assert.equal((await untilColour(rig, live, BLUE)).title, 'blue');
  await rig.run('browser_tabs', { action: 'select', index: 0 }, { sessionId: SESSION });
  await live.until('the first tab again', () => live.frames.at(-1)?.title === 'red');
  await rig.run('browser_tabs', { action: 'select', index: 1 }, { sessionId: SESSION });
  await live.until('the second tab again', () => live.frames.at(-1)?.title === 'blue');
  await rig.run('browser_tabs', { action: 'close', index: 1 }, { sessionId: SESSION });
  assert.equal((await untilColour(rig, live, RED)).title, 'red');
  void rig.bench.browser
    .find(SESSION)
    .page()
    .goto('chrome://crash')
    .catch(() => undefined);
  await live.until('no page', () => live.states.at(-1) === 'no_page');
});

test('W22: a watch opens nothing, and shows the session that it names alone', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  live.watch();
  await live.until('no page to be open', () => live.states.at(-1) === 'no_page');
  assert.equal(rig.bench.browser.process, undefined);
  await open(rig, '/blue', 'another session');
  live.watch();
  await live.until('no page to be open', () => live.states.length === 2);
  assert.deepEqual([live.states, live.frames], [['no_page', 'no_page'], []]);
});

test('W23: the page does not notice: neither its size nor its focus, sight or resolution changes', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/watched');
  const page = rig.bench.browser.find(SESSION).page();
  const state = (): Promise<unknown> =>
    page.evaluate('[innerWidth, innerHeight, outerWidth, devicePixelRatio, document.visibilityState, document.hasFocus(), seen]');
  const before = await state();
  live.watch();
  await live.until('a picture', () => live.frames.length > 0);
  await page.evaluate("document.body.style.background = '#0f0'; document.title = 'green'");
  await live.until('a later picture', () => live.frames.at(-1)?.title === 'green');
  assert.deepEqual(await state(), before);
  live.watch({ forMs: 0 });
  assert.deepEqual(await state(), before);
});

test('W23: a page that hangs holds nobody up: it is shown as it was, calls end, and what it becomes is shown', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.watch();
  await untilColour(rig, live, RED);
  const busy = "setTimeout(() => { const end = Date.now() + 3000; while (Date.now() < end); document.body.style.background = '#0f0'; }, 0)";
  await rig.bench.browser.find(SESSION).page().evaluate(busy);
  const told = live.frames.length;
  live.watch();
  await live.until('it again', () => live.frames.length > told);
  await untilColour(rig, live, GREEN);
});

test('W23: a gateway closes while a watched page hangs', async () => {
  const rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.watch();
  await live.until('a picture', () => live.frames.length > 0);
  const hang = "setTimeout(() => { const last = new XMLHttpRequest(); last.open('GET', '/hangs', false); last.send(); for (;;); }, 0)";
  await rig.bench.browser.find(SESSION).page().evaluate(`void ${hang}`);
  await until({ what: 'the page to hang', check: () => rig.asked.includes('GET /hangs'), pollMs: 20 });
  live.views.close();
  live.views.close();
  await within('the browser to be closed', Promise.resolve(rig[Symbol.asyncDispose]()), 30_000);
});

test('W24: a picture and the words of its page fit, whatever they are; while the line is busy none is sent, and then the newest', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  live.watch();
  await open(rig, '/noise');
  const noise = await live.until('a picture of noise', () => live.frames.find(({ title, image }) => title === 'noise' && image.length > NOISE_LENGTH));
  assert.ok(noise.image.length <= LIMITS.browserImageLength);
  live.isFree = false;
  await open(rig, '/red');
  await open(rig, '/odd');
  const before = live.frames.length;
  live.watch({ sessionId: '0199c0de-0000-7000-8000-000000000002' });
  await live.until('the other session', () => live.states.at(-1) === 'no_page');
  assert.equal(live.frames.length, before);
  live.isFree = true;
  const odd = await live.until('the odd page', () => live.frames.find(({ title }) => title.startsWith('xxx')));
  assert.ok(odd.title.length <= LIMITS.titleLength && odd.title.isWellFormed() && !odd.title.includes('\0'));
  assert.equal(live.frames.filter(({ title }) => title === 'red').length, 0);
});

/** What a JPEG says of how it was taken: the first number of its first table grows with what is left out, and its frame has the size. */
function grainOf({ image }: BrowserFrame): string {
  const bytes = Buffer.from(image, 'base64');
  const [table, frame] = [bytes.indexOf('ffdb', 'hex'), bytes.indexOf('ffc0', 'hex')];
  return `${bytes[table + 5]} ${bytes.readUInt16BE(frame + 7)}x${bytes.readUInt16BE(frame + 5)}`;
}

test('W24: a page that was too rich to be shown finely and has become plain is shown finely again, step by step, also while it rests', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/noise');
  live.watch();
  const rich = await live.until('a picture of noise', () => live.frames.find(({ title, image }) => title === 'noise' && image.length > NOISE_LENGTH));
  const page = rig.bench.browser.find(SESSION).page();
  await page.evaluate("document.getElementById('c').remove(); document.body.style.background = '#0f0'");
  await untilColour(rig, live, GREEN);
  live.watch({ anew: false });
  await live.until('fine pictures', () => grainOf(live.frames.at(-1) ?? rich) === '16 1280x800');
  const grains = live.frames.slice(live.frames.indexOf(rich)).map(grainOf);
  assert.deepEqual(
    grains.filter((grain, index) => grain !== grains[index - 1]),
    ['80 640x400', '27 1280x800', '16 1280x800'],
  );
});

test('W25: the policy of the machine decides, from the next time that it is asked on', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  await open(rig, '/red');
  live.policy = { version: 1, rules: [], browser: { live: false } };
  live.watch();
  await live.until('the refusal', () => live.states.at(-1) === 'refused');
  await rig.run('browser_tabs', { action: 'new' }, { sessionId: SESSION });
  await open(rig, '/blue');
  live.watch();
  await live.until('the refusal again', () => live.states.length === 2);
  assert.deepEqual(live.frames, []);
  live.policy = { version: 1, rules: [] };
  live.watch({ anew: false });
  await live.until('a picture', () => live.frames.length > 0);
  live.policy = { version: 1, rules: [], browser: { live: false } };
  live.watch({ anew: false });
  await live.until('the refusal', () => live.states.at(-1) === 'refused');
});

test('W21: a watch that is not asked for again ends by itself, and a malformed one is none', async () => {
  await using rig = await openPages(PAGES);
  using live = watchPages(rig);
  for (const wrong of [undefined, null, {}, { sessionId: SESSION, forMs: 1e9, anew: true }, { sessionId: '../x', forMs: 1_000, anew: true }])
    live.views.take(wrong);
  await open(rig, '/red');
  live.watch();
  await live.until('a picture', () => live.frames.length > 0);
  live.watch({ forMs: 500, anew: false });
  await live.until('the end of the watch', () => live.ended === 1);
  const told = live.frames.length;
  await open(rig, '/blue');
  await rig.run('browser_wait', { ms: 500 }, { sessionId: SESSION });
  assert.equal(live.frames.length, told);
});
