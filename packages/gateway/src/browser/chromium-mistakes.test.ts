import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../tools/tool-bench-rig.ts';
import { fillMistakeFiles, MISTAKE_PAGES, type MistakeRefs, type MistakeRun, openMistakes } from './mistakes-page-rig.ts';
import { PAGE_LIMITS, type PageLimits } from './page-limits.ts';
import { openPages, type PageRig } from './page-rig.ts';

/** What was wrong, the code of the answer (none where it is no failure), and the words that say what would be right. */
type Mistake = readonly [input: object, code: string | undefined, words: RegExp];

interface Row {
  readonly tool: string;
  readonly path?: string;
  readonly mistakes: (refs: MistakeRefs, rig: PageRig) => readonly Mistake[];
  /** What is right, and what the answer to it says. */
  readonly right: (refs: MistakeRefs, rig: PageRig) => readonly [input: object, words: RegExp];
}

/** Each tool has a session of its own; so many are in one browser at once, whose waiting is done together. */
const SESSIONS_AT_ONCE = 8;
/** What cannot be done is not waited for as long as for people. What can be done is. */
const QUICK: PageLimits = { actionMs: 3_000, optionMs: 3_000, chooserMs: 4_000, downloadMs: 4_000, pictureMs: 3_000 };

/** A ref that leads to nothing, in the ways in which models come by one; `more` is what the tool needs besides. */
function strayRefs(refs: MistakeRefs, more: object = {}): Mistake[] {
  const stray = [refs.removed, refs.drawnAnew, refs.inOtherTab, 'f9e1', 'e99999'];
  return stray.map((ref) => [{ ...more, ref }, 'stale_ref', /Take its ref from the snapshot below/]);
}

function strayNames(refs: MistakeRefs, more: object = {}): Mistake[] {
  return [
    ...strayRefs(refs, more),
    [{ ...more, ref: refs.of('button "On"'), element: 'button "Off"' }, 'other_element', /is button "On" and not .*Nothing was done/],
  ];
}

const ROWS: readonly Row[] = [
  {
    tool: 'browser_navigate',
    mistakes: (_refs, { url }) => [
      [{ url: `${url}/missing` }, undefined, /answered with status 404/],
      [{ url: 'http://nowhere.invalid/' }, 'unknown_host', /nowhere\.invalid/],
      [{ url: `${url}/broken` }, 'not_loaded', /Check the address/],
      [{ url: `${url}/round` }, 'not_loaded', /TOO_MANY_REDIRECTS/],
      [{ url: `${url}/file` }, 'no_document', /browser_download/],
      [{ url: url.replace('http:', 'https:') }, 'bad_certificate', /http:\/\//],
      [{ url: 'http://10.0.0.1/' }, 'address_refused', /"allow": \["10\.0\.0\.1:80"\]/],
      [{ url: 'localhost:3000' }, 'invalid_url', /https?:\/\/localhost:3000/],
      [{ url: 'file:///etc/passwd' }, 'scheme_refused', /read_file/],
      [{ url: 'forward' }, undefined, /nothing to go forward to/],
    ],
    right: (_refs, { url }) => [{ url: `${url}/other` }, /Page: Other/],
  },
  {
    tool: 'browser_snapshot',
    mistakes: () => [200, 5_000, 1_000_000].map((fromLine): Mistake => [{ fromLine }, undefined, /has only \d+ lines. Give a smaller fromLine/]),
    right: () => [{ fromLine: 2 }, /heading "Title"/],
  },
  {
    tool: 'browser_click',
    mistakes: (refs) => [
      ...strayNames(refs),
      [{ ref: refs.of('button "Off"') }, 'not_enabled', /Do first what enables it/],
      [{ ref: refs.of('checkbox "Locked"') }, 'not_enabled', /disabled/],
      [{ ref: refs.of('button "Under"') }, 'covered', /Close what covers it/],
      [{ ref: refs.hidden }, 'stale_ref', /or it is hidden now/],
      [{ ref: refs.of('button "Moving"') }, 'not_visible', /wait/],
    ],
    right: (refs) => [{ ref: refs.of('button "On"'), element: 'button "On"' }, /^Clicked button "On"/],
  },
  {
    tool: 'browser_fill',
    mistakes: (refs) => [
      ...strayNames(refs, { text: 'a' }),
      [{ ref: refs.of('heading "Title"'), text: 'a' }, 'not_a_field', /Choose a field/],
      [{ ref: refs.of('button "On"'), text: 'a' }, 'not_a_field', /Choose a field/],
      [{ ref: refs.of('textbox "Day"'), text: 'tomorrow' }, 'not_a_field', /2026-12-31/],
      [{ ref: refs.of('spinbutton "Count"'), text: 'many' }, 'not_a_field', /Choose a field/],
      [{ ref: refs.of('checkbox "Tick"'), text: 'yes' }, 'not_a_field', /"true" or "false"/],
      [{ ref: refs.of('combobox "List"'), text: 'One' }, 'not_a_field', /browser_select/],
      [{ ref: refs.of('textbox "Fixed"'), text: 'a' }, 'not_a_field', /only be read/],
      [{ ref: refs.of('textbox "Closed"'), text: 'a' }, 'not_enabled', /disabled/],
    ],
    right: (refs) => [{ ref: refs.of('textbox "Name"'), text: 'right' }, /textbox "Name".*: right/],
  },
  {
    tool: 'browser_type',
    mistakes: (refs) => [
      ...strayNames(refs, { text: 'a' }),
      [{ ref: refs.of('heading "Title"'), text: 'a' }, 'not_a_field', /Nothing was pressed. Choose a field/],
      [{ ref: refs.of('textbox "Closed"'), text: 'a' }, 'not_a_field', /not disabled/],
      [{ ref: refs.of('button "Off"'), text: 'a', submit: true }, 'not_a_field', /not disabled/],
      [{ element: 'textbox "Name"', text: 'a' }, 'invalid_input', /Give its ref/],
    ],
    right: (refs) => [{ ref: refs.of('textbox "Name"'), text: '!' }, /textbox "Name".*: .*!/],
  },
  {
    tool: 'browser_select',
    mistakes: (refs) => [
      ...strayNames(refs, { values: ['a'] }),
      [{ ref: refs.of('button "On"'), values: ['a'] }, 'no_such_option', /no list of options/],
      [{ ref: refs.of('combobox "List"'), values: ['Four'] }, 'no_such_option', /options from the snapshot/],
      [{ ref: refs.of('combobox "List"'), values: ['two'] }, 'no_such_option', /options from the snapshot/],
      [{ ref: refs.of('combobox "List"'), values: ['Two'] }, 'no_such_option', /options from the snapshot/],
      [{ ref: refs.of('listbox "Many"'), values: ['x', 'z'] }, 'no_such_option', /options from the snapshot/],
      [{ ref: refs.of('combobox "Shut"'), values: ['a'] }, 'not_enabled', /disabled/],
    ],
    right: (refs) => [{ ref: refs.of('combobox "List"'), values: ['Three'] }, /Chose "c"/],
  },
  {
    tool: 'browser_press',
    mistakes: (refs) => [
      ...strayNames(refs, { key: 'a' }),
      [{ key: 'Retrun' }, 'unknown_key', /Enter/],
      [{ key: 'Ctrl+a' }, 'unknown_key', /Control\+a/],
      [{ key: 'Enter Enter' }, 'unknown_key', /Control\+a/],
      [{ key: 'Esc' }, 'unknown_key', /Escape/],
      [{ key: 'a', ref: refs.of('heading "Title"') }, 'not_a_field', /leave ref out/],
      [{ key: 'a', element: 'textbox "Name"' }, 'invalid_input', /Give its ref/],
    ],
    right: (refs) => [{ key: 'x', ref: refs.of('textbox "Name"') }, /textbox "Name".*: .*x/],
  },
  {
    tool: 'browser_hover',
    mistakes: (refs) => [
      ...strayNames(refs),
      [{ ref: refs.of('heading "Title"'), element: 'link' }, 'other_element', /is heading "Title"/],
      [{ ref: refs.of('button "Under"') }, 'covered', /Close what covers it/],
      [{ ref: refs.hidden }, 'stale_ref', /or it is hidden now/],
      [{ ref: refs.of('button "Moving"') }, 'not_visible', /wait/],
    ],
    right: (refs) => [{ ref: refs.of('button "On"') }, /The pointer is over/],
  },
  {
    tool: 'browser_scroll',
    path: '/tall',
    mistakes: (refs) => [
      ...strayRefs(refs),
      [{ ref: refs.of('button "On"'), direction: 'down' }, 'invalid_input', /Give one of them/],
      [{ ref: refs.hidden }, 'stale_ref', /or it is hidden now/],
      [{ direction: 'up' }, undefined, /did not move.*give the ref/],
      [{ direction: 'top' }, undefined, /did not move/],
      [{ ref: refs.removed.replace('e', 'f1e') }, 'stale_ref', /snapshot below/],
    ],
    right: () => [{ direction: 'bottom' }, /Scrolled bottom/],
  },
  {
    tool: 'browser_wait',
    mistakes: () => [
      [{ text: 'never', ms: 50 }, 'timeout', /did not appear after 50 ms/],
      [{ text: 'Hidden words', ms: 50 }, 'timeout', /did not appear/],
      [{ text: 'kept words', ms: 50 }, 'timeout', /value of a field/],
      [{ text: 'Other words', ms: 50 }, 'timeout', /did not appear/],
      [{ text: '#list', ms: 50 }, 'timeout', /did not appear/],
      [{ text: '/Tit.*/', ms: 50 }, 'timeout', /did not appear/],
      [{ text: 'heading "Title"', ms: 50 }, 'timeout', /did not appear/],
      [{ gone: 'Title', ms: 50 }, 'timeout', /still there/],
      [{}, 'invalid_input', /text, gone or ms/],
      [{ text: 'a', gone: 'b' }, 'invalid_input', /one of them/],
    ],
    right: () => [{ text: 'Title', ms: 9_000 }, /Page: Mistakes/],
  },
  {
    tool: 'browser_screenshot',
    mistakes: (refs) => [
      ...strayRefs(refs),
      ...['On', 'Off'].map((name): Mistake => [{ ref: refs.of(`button "${name}"`), fullPage: true }, 'invalid_input', /Give one of them/]),
      [{ ref: refs.hidden }, 'stale_ref', /or it is hidden now/],
    ],
    right: (refs) => [{ ref: refs.of('button "On"') }, /^Picture of e\d+/],
  },
  {
    tool: 'browser_tabs',
    mistakes: () => [
      [{ action: 'select' }, 'invalid_input', /index/],
      ...[2, 7, 1_000].map((index): Mistake => [{ action: 'select', index }, 'no_such_tab', /the last one is 1/]),
      ...[2, 9, 500].map((index): Mistake => [{ action: 'close', index }, 'no_such_tab', /the last one is 1/]),
      ...[0, 1].map((index): Mistake => [{ action: 'list', index }, 'invalid_input', /takes no index/]),
      [{ action: 'new', index: 1 }, 'invalid_input', /takes no index/],
    ],
    right: () => [{ action: 'select', index: 1 }, /Page: Mistakes/],
  },
  {
    tool: 'browser_extract',
    mistakes: (refs) => [
      ...strayRefs(refs),
      [{ offset: 1_000_000 }, 'invalid_input', /smaller offset/],
      [{ ref: refs.of('heading "Title"'), offset: 6 }, 'invalid_input', /smaller offset/],
      [{ ref: refs.of('heading "Title"'), links: true, offset: 50 }, 'invalid_input', /only 5 characters/],
      [{ ref: refs.hidden }, 'stale_ref', /or it is hidden now/],
      [{ ref: refs.of('textbox "Name"') }, undefined, /no text/],
    ],
    right: (refs) => [{ ref: refs.of('heading "Title"') }, /\nTitle$/],
  },
  {
    tool: 'browser_upload',
    mistakes: (refs, { bench }) => [
      ...strayNames(refs, { paths: ['a.txt'] }),
      [{ ref: refs.of('button "One file"'), paths: ['missing.txt'] }, 'not_found', /glob/],
      [{ ref: refs.of('button "One file"'), paths: ['.'] }, 'is_folder', /list_folder/],
      [{ ref: refs.of('button "One file"'), paths: ['../outside/secret'] }, 'outside_workspace', /inside/],
      [{ ref: refs.of('button "One file"'), paths: [`${bench.outside}/secret`] }, 'outside_workspace', /inside/],
      [{ ref: refs.of('button "One file"'), paths: ['a.txt', 'large'] }, 'too_large', /fewer or smaller/],
      [{ ref: refs.of('button "One file"'), paths: ['a.txt', 'b.txt'] }, 'not_a_file_field', /takes one/],
      [{ ref: refs.of('button "On"'), paths: ['a.txt'] }, 'not_a_file_field', /asks for files/],
    ],
    right: (refs) => [{ ref: refs.of('button "One file"'), paths: ['a.txt'] }, /^Put "a\.txt"/],
  },
  {
    tool: 'browser_download',
    mistakes: (refs, { bench }) => [
      ...strayNames(refs),
      [{ ref: refs.of('link "Fetch"'), path: '../out' }, 'outside_workspace', /inside/],
      [{ ref: refs.of('link "Fetch"'), path: `${bench.outside}/new` }, 'outside_workspace', /inside/],
      [{ ref: refs.of('link "Fetch"'), path: 'a.txt' }, 'already_there', /another path/],
      [{ ref: refs.of('link "Fetch"'), path: 'folder/' }, 'is_folder', /Name a file/],
      [{ ref: refs.of('button "On"') }, 'no_download', /look at the snapshot/],
      [{ ref: refs.of('button "Off"') }, 'not_enabled', /disabled/],
      [{ ref: refs.of('button "Under"') }, 'covered', /Close what covers it/],
    ],
    right: (refs) => [{ ref: refs.of('link "Fetch"') }, /Saved as "downloads\/file\.txt"/],
  },
];

interface Opened {
  readonly row: Row;
  readonly refs: MistakeRefs;
  readonly run: MistakeRun;
  /** The page without what is said only once, and without the focus. */
  readonly page: () => Promise<string>;
}

async function open(rig: PageRig, row: Row): Promise<Opened> {
  const run: MistakeRun = (name, input) => rig.run(name, input, { sessionId: row.tool });
  const page = async (): Promise<string> => textOf(await run('browser_snapshot', {})).replaceAll(/Since the last answer:\n(?:- .*\n)*| \[active\]/g, '');
  return { row, refs: await openMistakes(rig, run, row.path ?? '/'), run, page };
}

/** What is wrong with the answers. */
async function mistaken(rig: PageRig, { row, refs, run, page }: Opened): Promise<string[]> {
  const { tool } = row;
  const untouched = await page();
  const faults: string[] = [];
  for (const [input, code, words] of row.mistakes(refs, rig)) {
    const result = await run(tool, input);
    if (result.error?.code === code && words.test(textOf(result))) continue;
    faults.push(`${tool} ${JSON.stringify(input)}: ${result.error?.code}, wanted ${code} and ${words}: ${textOf(result).slice(0, 300)}`);
  }
  if (tool !== 'browser_navigate' && (await page()) !== untouched) faults.push(`${tool} has changed the page: ${await page()}`);
  return faults;
}

async function right(rig: PageRig, { row, refs, run }: Opened): Promise<string[]> {
  const [input, words] = row.right(refs, rig);
  const result = await run(row.tool, input);
  if (result.status === 'succeeded' && words.test(textOf(result))) return [];
  return [`${row.tool} ${JSON.stringify(input)}: ${result.status}, wanted ${words}: ${textOf(result).slice(0, 300)}`];
}

test('W3: what a page does not allow is answered with what is right, harms nothing, and the right call works then', async () => {
  const limits = { ...PAGE_LIMITS };
  await using rig = await openPages(MISTAKE_PAGES, { limits });
  await fillMistakeFiles(rig.bench.root, rig.bench.outside);
  for (let from = 0; from < ROWS.length; from += SESSIONS_AT_ONCE) {
    Object.assign(limits, PAGE_LIMITS);
    const opened = await Promise.all(ROWS.slice(from, from + SESSIONS_AT_ONCE).map((row) => open(rig, row)));
    Object.assign(limits, QUICK);
    const answers = await Promise.all(opened.map((one) => mistaken(rig, one)));
    Object.assign(limits, PAGE_LIMITS);
    const rights = await Promise.all(opened.map((one) => right(rig, one)));
    assert.deepEqual([...answers, ...rights].flat(), []);
    await Promise.all(opened.map(({ row }) => rig.bench.browser.endSession(row.tool)));
  }
});
