import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PageRig, type Pages, refOf } from './page-rig.ts';

/** A page with everything that a call can be wrong about, and those it leads to. */
const MISTAKES = `<title>Mistakes</title><h1>Title</h1><p hidden>Hidden words</p>
  <label>Name <input value="kept words"></label><label>Day <input type=date></label><label>Count <input type=number></label>
  <label>Tick <input type=checkbox></label><label>Fixed <input readonly value=fixed></label><label>Closed <input disabled value=closed></label>
  <label>Locked <input type=checkbox disabled></label>
  <select aria-label=List><option value=a>One<option value=b disabled>Two<option value=c>Three</select>
  <select aria-label=Shut disabled><option value=a>One</select><select aria-label=Many multiple><option value=x>Ex<option value=y>Why</select>
  <button disabled>Off</button><button>On</button><a href="/file" download=file.txt>Fetch</a><a href="/broken" download>Broken</a>
  <label>One file <input type=file></label><label>No file <input type=file disabled></label>
  <div style="position:relative;width:99px"><button style="height:40px">Under</button><div style="position:absolute;inset:0">Over</div></div>
  <button style="animation: wander .2s linear infinite alternate">Moving</button><style>@keyframes wander { to { transform: translateX(300px) } }</style><br>
  <button id=gone>Gone</button><button id=veiled>Veiled</button><span id=list><button>Item</button></span>
  <button onclick="gone.remove(); veiled.style.display = 'none'; list.innerHTML = '<button>Item</button>'; this.remove()">Change all</button>`;

export const MISTAKE_PAGES: Pages = {
  '/': MISTAKES,
  '/tall': `${MISTAKES}<div style="height: 5000px"></div><p>The end</p>`,
  '/other': `<title>Other</title>${'<p>Filling</p><button>More</button>'.repeat(60)}<button>Elsewhere</button><p>Other words</p>`,
  '/empty': '',
  '/file': (_asked, answer) => void answer.writeHead(200, { 'content-disposition': 'attachment; filename=file.txt' }).end('a file'),
  '/broken': (asked) => void asked.socket.destroy(),
  '/round': (_asked, answer) => void answer.writeHead(302, { location: '/round' }).end(),
};

/** What has gone or is elsewhere, by its ref of when it was there. */
export interface MistakeRefs {
  /** Of an element that is there, by the head of its line in the snapshot. */
  of(head: string): string;
  readonly removed: string;
  /** The same button is there again, drawn anew. */
  readonly drawnAnew: string;
  readonly hidden: string;
  readonly inOtherTab: string;
}

export type MistakeRun = (tool: string, input: unknown) => ReturnType<PageRig['run']>;

/** Opens the page for one session: a tab with another page lies behind it, and some of what was there has changed. */
export async function openMistakes(rig: PageRig, run: MistakeRun, path: string): Promise<MistakeRefs> {
  const textOf = async (tool: string, input: unknown): Promise<string> =>
    (await run(tool, input)).content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const other = await textOf('browser_navigate', { url: `${rig.url}/other` });
  await run('browser_tabs', { action: 'new' });
  const state = await textOf('browser_navigate', { url: `${rig.url}${path}` });
  const changed = await textOf('browser_click', { ref: refOf(state, 'button "Change all"') });
  if (changed.includes('Veiled')) throw new Error(`the page did not change:\n${changed}`);
  return {
    of: (head) => refOf(state, head),
    removed: refOf(state, 'button "Gone"'),
    drawnAnew: refOf(state, 'button "Item"'),
    hidden: refOf(state, 'button "Veiled"'),
    inOtherTab: refOf(other, 'button "Elsewhere"'),
  };
}

export async function fillMistakeFiles(root: string, outside: string): Promise<void> {
  await writeFile(join(root, 'a.txt'), 'a');
  await writeFile(join(root, 'b.txt'), 'b');
  await writeFile(join(root, 'large'), '');
  await truncate(join(root, 'large'), 51 * 1024 * 1024);
  await writeFile(join(outside, 'secret'), 'SECRET');
}
