import { nameOf, targetOf } from '@tendon/network';
import { type ToolResult, textResult } from '@tendon/protocol';
import type { Page, Request } from 'playwright-core';
import type { Refused } from '../network/egress-proxy.ts';
import { ToolFault } from '../tools/faults.ts';
import type { LocalTool, ToolContext } from '../tools/tool.ts';
import type { BrowserSession } from './browser-session.ts';
import { pageState } from './page-state.ts';
import { type PageWork, settled, underWay } from './use-page.ts';

const LOAD_MS = 30_000;
const HISTORY = ['back', 'forward', 'reload'] as const;
type Move = { readonly kind: 'history'; readonly step: (typeof HISTORY)[number] } | { readonly kind: 'address'; readonly url: string };

export const browserNavigate: LocalTool<'browser_navigate'> = {
  name: 'browser_navigate',
  async run({ url }, context) {
    const move = moveOf(url);
    const isNew = move.kind === 'address';
    const session = isNew ? await context.browser.open(context.sessionId, context.onSpawned) : context.browser.find(context.sessionId);
    return underWay(context, session, () => navigate(session, move, context));
  },
};

async function navigate(session: BrowserSession, move: Move, context: ToolContext): Promise<ToolResult> {
  const page = session.current ?? (await session.newTab());
  const before = page.url();
  session.takeRefused();
  using way = watchWay(page);
  const status = await settled({ page, session }, () => go({ page, session, signal: context.signal }, move, way));
  const barred = barredPage(way.barredBy(session.takeRefused()), page.url());
  if (barred) {
    // What stands there is the proxy's answer, not a page of that address.
    await page.goto('about:blank').catch(() => undefined);
    throw new ToolFault(barred.code, barred.message);
  }
  const answered = status !== undefined && status >= 400 ? ` It answered with status ${status}.` : '';
  const stayed = move.kind === 'history' && move.step !== 'reload' && page.url() === before ? ` There is nothing to go ${move.step} to.` : '';
  return textResult('succeeded', `Opened.${answered}${stayed}\n\n${await pageState(session)}`);
}

/** Where a page was led to, redirects included. */
interface Way extends Disposable {
  /** Of what was refused, that to which the page itself was led: what its parts, other tabs or the browser asked for do not keep it from loading. */
  barredBy(refused: readonly Refused[]): readonly Refused[];
}

function watchWay(page: Page): Way {
  const targets = new Set<string>();
  const note = (request: Request): void => {
    if (!request.isNavigationRequest() || request.frame() !== page.mainFrame()) return;
    const target = targetOf(request.url());
    if (target) targets.add(nameOf(target));
  };
  page.on('request', note);
  return {
    barredBy: (refused) => refused.filter((one) => targets.has(one.target)),
    [Symbol.dispose]: () => void page.off('request', note),
  };
}

/** The HTTP status of the page, where it has one. Errors: `ToolFault`. */
async function go({ page, session, signal }: PageWork, move: Move, way: Way): Promise<number | undefined> {
  const how = { timeout: LOAD_MS, waitUntil: 'domcontentloaded', signal } as const;
  try {
    if (move.kind === 'address') return (await page.goto(move.url, how))?.status();
    if (move.step === 'reload') return (await page.reload(how))?.status();
    return (await (move.step === 'back' ? page.goBack(how) : page.goForward(how)))?.status();
  } catch (error) {
    if (signal.aborted) throw error;
    throw loadFault(error, { move, refused: way.barredBy(session.takeRefused()) });
  }
}

function loadFault(error: unknown, { move, refused }: { move: Move; refused: readonly Refused[] }): unknown {
  if (!(error instanceof Error)) return error;
  const what = move.kind === 'address' ? move.url : move.step;
  const code = /net::(ERR_[A-Z0-9_]+)/.exec(error.message)?.[1];
  const reason = refused.at(-1);
  if (reason && /TUNNEL|PROXY|EMPTY|ABORTED/.test(code ?? '')) return new ToolFault(reason.code, reason.message);
  // The page goes on without a new document: a download, or nothing at all.
  if (code === 'ERR_ABORTED' || /Download is starting/.test(error.message))
    return new ToolFault(
      'no_document',
      `${what} leads to no page but to a file, or to nothing. Open the page that links to it and use browser_download there.`,
    );
  if (code?.startsWith('ERR_CERT') || code?.startsWith('ERR_SSL'))
    return new ToolFault('bad_certificate', `${what} could not be opened: its certificate is not trusted (${code}). Check the address, or try http://.`);
  if (code !== undefined) return new ToolFault('not_loaded', `${what} could not be opened (${code}). Check the address.`);
  if (/Timeout/.test(error.message))
    return new ToolFault('timeout', `${what} did not load within ${LOAD_MS / 1_000} s. Look at what is there with browser_snapshot, or try again.`);
  return error;
}

/** Set when the page that is shown now was refused, by itself or at the end of redirects. */
function barredPage(refused: readonly Refused[], url: string): Refused | undefined {
  const target = targetOf(url);
  if (!target) return url.startsWith('chrome-error:') ? refused.at(-1) : undefined;
  return refused.find((one) => one.target === nameOf(target));
}

/** Errors: `ToolFault` for what is no address of the web. */
function moveOf(url: string): Move {
  const step = HISTORY.find((word) => word === url);
  if (step) return { kind: 'history', step };
  const text = url.trim();
  const parsed = URL.parse(text);
  if (parsed && ['http:', 'https:'].includes(parsed.protocol)) {
    if (parsed.username !== '' || parsed.password !== '')
      throw new ToolFault(
        'invalid_url',
        'The address has a user name or password in it. Leave them out: everybody could read them. Sign in on the page instead.',
      );
    return { kind: 'address', url: parsed.href };
  }
  if (parsed && !/^[^/?#]*\.[^/?#]*:\d|^localhost:\d/i.test(text))
    throw new ToolFault(
      'scheme_refused',
      `Addresses that begin with ${parsed.protocol} are not opened. Give one that begins with https:// or http://; for a file of the workspace use read_file.`,
    );
  throw new ToolFault(
    'invalid_url',
    `${JSON.stringify(text.slice(0, 200))} is not a whole address. Write it with its beginning, such as https://${suggestion(text)}.`,
  );
}

function suggestion(text: string): string {
  const bare = text.replace(/^\/*/, '');
  return /^[\w.-]+(?::\d+)?(?:\/\S*)?$/.test(bare) && bare.length < 200 ? bare : 'example.org/';
}
