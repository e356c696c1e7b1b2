import { setTimeout as pause } from 'node:timers/promises';
import { failedResult, type ToolResult, textResult } from '@tendon/protocol';
import type { CDPSession, Page } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import { endedEarly, endReason, type ToolContext } from '../tools/tool.ts';
import type { BrowserSession } from './browser-session.ts';
import { pageFault } from './page-faults.ts';
import { pageState } from './page-state.ts';
import { within } from './time-limit.ts';

/** How long a page may take to give up what it does after a stop, before it is closed. */
const GIVE_UP_MS = 1_500;
/** And then a tab beside it to answer. */
const ANSWER_MS = 1_000;
/** After an action: so long is waited for what it sends, if it sends anything. */
const QUIET_MS = 150;
const SETTLE_MS = 3_000;

export interface PageWork {
  readonly page: Page;
  readonly session: BrowserSession;
  readonly signal: AbortSignal;
}

/** Looks at the page that is open. What fails says so, and how the page looks now. */
export async function lookAtPage(context: ToolContext, look: (work: PageWork) => Promise<ToolResult>): Promise<ToolResult> {
  const session = context.browser.find(context.sessionId);
  return underWay(context, session, async () => look({ page: session.page(), session, signal: context.signal }));
}

/** Does something with the page, waits until what follows from it has come to rest, and answers with the page as it is then. */
export async function actOnPage(context: ToolContext, act: (work: PageWork) => Promise<string>): Promise<ToolResult> {
  return lookAtPage(context, async (work) => {
    const said = await settled(work, () => act(work));
    return textResult('succeeded', `${said}\n\n${await pageState(work.session)}`);
  });
}

/**
 * In the session's order, until it is done or the call is ended: then the page stops, and is closed when it does not. A call that still
 * waits for its turn has no page yet: the one that is shown belongs to the call that runs.
 */
export async function underWay(context: ToolContext, session: BrowserSession, work: () => Promise<ToolResult>): Promise<ToolResult> {
  const { signal } = context;
  let begun: Begun | undefined;
  const turn = async (): Promise<ToolResult | undefined> => {
    if (signal.aborted) return undefined;
    begun = { page: session.current };
    return finished(session, work);
  };
  const running = session.inOrder(turn).catch((error: unknown) => ({ thrown: error }));
  const stopped = aborted(signal);
  const first = await Promise.race([running, stopped.happened]);
  stopped.forget();
  if (first !== 'stopped' && first !== undefined) {
    if ('thrown' in first) throw first.thrown;
    if (!signal.aborted) return first;
  }
  if (first === 'stopped' && begun) await haltPages(session, begun, running);
  return endedEarly(endReason(signal), '');
}

/** Work whose turn has come, and the page that was shown then: what it does may open another. */
interface Begun {
  readonly page: Page | undefined;
}

async function finished(session: BrowserSession, work: () => Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await work();
  } catch (error) {
    const fault = error instanceof ToolFault ? error : pageFault(error);
    if (!(fault instanceof ToolFault)) throw fault;
    return failedWithPage(session, fault);
  }
}

/** What went wrong and what would be right, with the page as it is: so that the next call can be the right one. */
async function failedWithPage(session: BrowserSession, fault: ToolFault): Promise<ToolResult> {
  session.forgetNote(fault.message);
  if (!session.current) return fault.result();
  const state = await pageState(session).catch(() => undefined);
  const failed = failedResult(fault.code, fault.message);
  return state === undefined ? failed : { ...failed, content: [{ type: 'text', text: `${fault.message}\n\n${state}` }] };
}

function aborted(signal: AbortSignal): { happened: Promise<'stopped'>; forget(): void } {
  let listener: () => void = () => undefined;
  const happened = new Promise<'stopped'>((resolve) => {
    listener = () => resolve('stopped');
    if (signal.aborted) resolve('stopped');
    else signal.addEventListener('abort', listener, { once: true });
  });
  return { happened, forget: () => signal.removeEventListener('abort', listener) };
}

/** The page that the work began on and the one it has opened or changed to: those that do not answer are closed, or else the first. */
async function haltPages(session: BrowserSession, begun: Begun, running: Promise<unknown>): Promise<void> {
  const pages = [...new Set([begun.page, session.current])].filter((page) => page !== undefined);
  const silent = new Set(pages);
  const stops = pages.map(async (page) => {
    await stopLoading(page);
    silent.delete(page);
  });
  const outcome = await within(Promise.all([running, ...stops]), GIVE_UP_MS, 'late');
  if (outcome !== 'late' || pages.length === 0) return;
  const silentTabs = silent.size > 0 ? await silentOf(session.tabs.filter((tab) => !pages.includes(tab))) : [];
  for (const page of silent.size > 0 ? silent : pages.slice(0, 1)) session.abandon(page);
  for (const tab of silentTabs) session.abandon(tab);
  // Later: what the call that was stopped still says nobody reads, and it would take these words along.
  void running.then(() => {
    session.note('A call was stopped while the page did not answer, so the page was closed. Open it again with browser_navigate.');
    if (silentTabs.length > 0) session.note('So were tabs that hung with it: a page and what it opens share a process.');
  });
}

/** The browser ends a process when the last of its pages goes: one that is left would keep a script without an end alive, and hang by it. */
async function silentOf(tabs: readonly Page[]): Promise<Page[]> {
  const answered = await Promise.all(tabs.map((tab) => within(isHeard(tab), ANSWER_MS, false)));
  return tabs.filter((_, index) => !answered[index]);
}

/** False, late or never, for one that is busy. */
function isHeard(page: Page): Promise<boolean> {
  return page.evaluate(() => true).catch(() => page.isClosed());
}

async function stopLoading(page: Page): Promise<void> {
  let cdp: CDPSession | undefined;
  try {
    cdp = await page.context().newCDPSession(page);
    await cdp.send('Page.stopLoading');
  } catch {
    // Closed meanwhile.
  } finally {
    await cdp?.detach().catch(() => undefined);
  }
}

/** Does it, then waits for the requests it has caused, and for the page they may have led to. At most SETTLE_MS. */
export async function settled<T>(where: Pick<PageWork, 'page' | 'session'>, act: () => Promise<T>): Promise<T> {
  const { page, session } = where;
  // Of all tabs: what the action has opened is waited for as well.
  const { context } = session;
  const open = new Set<unknown>();
  let wake: () => void = () => undefined;
  const begin = (request: unknown): void => void open.add(request);
  const end = (request: unknown): void => {
    open.delete(request);
    if (open.size === 0) wake();
  };
  context.on('request', begin);
  context.on('requestfinished', end);
  context.on('requestfailed', end);
  try {
    const done = await act();
    await pause(QUIET_MS);
    const deadline = performance.now() + SETTLE_MS;
    while (open.size > 0 && performance.now() < deadline && !page.isClosed()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, deadline - performance.now());
      });
      await pause(QUIET_MS);
    }
    await session.current?.waitForLoadState('domcontentloaded', { timeout: SETTLE_MS }).catch(() => undefined);
    return done;
  } finally {
    context.off('request', begin);
    context.off('requestfinished', end);
    context.off('requestfailed', end);
  }
}
