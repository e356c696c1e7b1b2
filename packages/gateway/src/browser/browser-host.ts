import { judgeTarget, type NetworkRulesOptions, type NetworkTarget } from '@tendon/network';
import type { ProcessIdentity } from '@tendon/system';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import type { EgressProxy, Pass } from '../network/egress-proxy.ts';
import { ToolFault } from '../tools/faults.ts';
import { BrowserProcess } from './browser-process.ts';
import { BrowserSession } from './browser-session.ts';
import { findBrowser } from './find-browser.ts';
import { PAGE_LIMITS, type PageLimits } from './page-limits.ts';

/*
 * The browser of one gateway:
 *
 *   none ──a session opens──► running ──the last session closes, or the gateway──► ending ──► none
 *    ▲                          └──it ends by itself: its sessions are told so──┐
 *    └───────────────────────────────────────────────────────────────────────────┘
 *
 * A session: opened by its first browser_navigate or new tab, closed when it is archived or deleted, after IDLE_MS without a call, or as the
 * longest idle one when there are too many. Moves between the states are done one at a time.
 */

export interface BrowserHostOptions extends NetworkRulesOptions {
  /** Where its process keeps what it needs. Made when it starts and removed when it ends. */
  readonly folder: string;
  readonly idleMs?: number;
  /** Where a page is to be waited for in another time than is right for people. */
  readonly limits?: PageLimits;
  readonly find?: typeof findBrowser;
}

interface Running {
  readonly process: BrowserProcess;
  readonly proxy: EgressProxy;
  readonly browser: Browser;
  readonly sessions: Map<string, OpenSession>;
}

interface OpenSession {
  readonly session: BrowserSession;
  readonly pass: Pass;
  timer: NodeJS.Timeout | undefined;
  idleSince: number;
}

const IDLE_MS = 10 * 60_000;
const MAX_SESSIONS = 10;
const MAX_TOLD = 1_000;
const VIEWPORT = { width: 1_280, height: 800 };

let loads = 0;

/** How often this process has loaded the browser's module: never before its first use, and then once. */
export function browserModuleLoads(): number {
  return loads;
}

type Playwright = typeof import('playwright-core');

let loading: Promise<Playwright> | undefined;

function loadPlaywright(): Promise<Playwright> {
  if (!loading) {
    loads += 1;
    // Its default, which its types do not name: of a module that is loaded at a second try Node knows no other name.
    loading = import('playwright-core').then((module) => (module as unknown as { readonly default: Playwright }).default);
    // Where there was no descriptor for it, the next session tries again.
    loading.catch(() => {
      loading = undefined;
    });
  }
  return loading;
}

export class BrowserHost {
  readonly #options: BrowserHostOptions;
  /** Why a session has no pages any more, told once. */
  readonly #endings = new Map<string, string>();
  /** Sessions whose first page is on its way. */
  readonly #opening = new Set<string>();
  readonly #listeners = new Set<(sessionId: string) => void>();
  #running: Running | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #isClosing = false;

  constructor(options: BrowserHostOptions) {
    this.#options = options;
  }

  /** Who its process is, while there is one. */
  get process(): ProcessIdentity | undefined {
    return this.#running?.process.leader;
  }

  /** Where downloads arrive before they are kept, while there is a browser. */
  get artifacts(): string | undefined {
    return this.#running?.process.artifacts;
  }

  /** Those that have pages. */
  get sessions(): readonly string[] {
    return [...(this.#running?.sessions.keys() ?? [])];
  }

  /** The session's pages. Errors: `ToolFault` `no_page` when it has none, which says why. */
  find(sessionId: string): BrowserSession {
    const open = this.#running?.sessions.get(sessionId);
    if (open) return open.session;
    const ending = this.#endings.get(sessionId);
    this.#endings.delete(sessionId);
    throw new ToolFault('no_page', `${ending ?? 'No page is open.'} Open one with browser_navigate.`);
  }

  /** The session's pages, if it has any, for somebody who only looks: nothing is told off by it. */
  look(sessionId: string): BrowserSession | 'opening' | 'none' {
    return this.#running?.sessions.get(sessionId)?.session ?? (this.#opening.has(sessionId) ? 'opening' : 'none');
  }

  /** Calls `listener` when `look` may have another answer for a session, or its current page is another. Answers with the way to stop that. */
  subscribe(listener: (sessionId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The session's pages, made when there are none. `onSpawned` hears of the process this has started. Errors: `ToolFault`. */
  open(sessionId: string, onSpawned: (leader: ProcessIdentity) => void): Promise<BrowserSession> {
    return this.#oneAtATime(async () => {
      if (this.#isClosing) throw new ToolFault('shutting_down', 'The gateway on this machine is stopping. Try again when it is back.');
      const known = this.#running?.sessions.get(sessionId);
      if (known) return known.session;
      this.#opening.add(sessionId);
      this.#changed(sessionId);
      try {
        const running = this.#running ?? (await this.#launch());
        if (running.process.leader) onSpawned(running.process.leader);
        await this.#makeRoom(running);
        return await this.#admitOrEnd(running, sessionId);
      } finally {
        this.#opening.delete(sessionId);
        this.#changed(sessionId);
      }
    });
  }

  /** The session is over: its pages are closed, after the calls that are at work on them. */
  async endSession(sessionId: string): Promise<void> {
    const running = this.#running;
    const open = running?.sessions.get(sessionId);
    if (!running || !open) return;
    const why = 'The session was archived or deleted, and its pages were closed.';
    await open.session.inOrder(() => this.#oneAtATime(() => this.#dismissLast(running, sessionId, why)));
  }

  /** Ends every page and the process. May be called twice. */
  close(): Promise<void> {
    this.#isClosing = true;
    return this.#oneAtATime(() => this.#end());
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(work, work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #launch(): Promise<Running> {
    const found = (this.#options.find ?? findBrowser)();
    if (found.kind === 'none') throw new ToolFault('no_browser', found.reason);
    const [{ chromium }, { EgressProxy }] = await Promise.all([loadPlaywright(), import('../network/egress-proxy.ts')]);
    // What is shut may grow while the browser runs: a relay begins to listen.
    const own: NetworkTarget[] = [];
    const judge = (target: NetworkTarget) => judgeTarget(target, { ...this.#options, reserved: [...this.#options.reserved, ...own] });
    const proxy = await EgressProxy.open({ judge });
    own.push({ host: '127.0.0.1', port: proxy.port });
    let process: BrowserProcess | undefined;
    try {
      process = await BrowserProcess.start({ program: found.path, folder: this.#options.folder, proxyPort: proxy.port });
      const browser = await chromium.connectOverCDP(process.transport, { isLocal: true, artifactsDir: process.artifacts, timeout: 20_000 });
      await process.meetFamily();
      // Nobody has listened to it until now.
      if (!browser.isConnected()) throw new ToolFault('browser_broken', 'The browser ended while it was being started. Try again.');
      const running: Running = { process, proxy, browser, sessions: new Map() };
      browser.once('disconnected', () => this.#lost(running));
      this.#running = running;
      return running;
    } catch (error) {
      await process?.end();
      await proxy.close();
      throw error;
    }
  }

  /** A browser without a session has no timer that would end it. */
  async #admitOrEnd(running: Running, sessionId: string): Promise<BrowserSession> {
    try {
      return await this.#admit(running, sessionId);
    } catch (error) {
      if (this.#running === running && running.sessions.size === 0) await this.#end();
      throw error;
    }
  }

  async #admit(running: Running, sessionId: string): Promise<BrowserSession> {
    const entry: { session: BrowserSession | undefined } = { session: undefined };
    const pass = running.proxy.admit((refused) => entry.session?.refuse(refused));
    const how: BrowserContextOptions = {
      proxy: { server: `http://127.0.0.1:${running.proxy.port}`, bypass: '<-loopback>', ...pass },
      // A worker outlives its page, and would be steered by nobody.
      serviceWorkers: 'block',
      viewport: VIEWPORT,
    };
    const context = await running.browser.newContext(how).catch((error: unknown) => {
      running.proxy.dismiss(pass);
      throw error;
    });
    context.setDefaultTimeout(10_000);
    const session = new BrowserSession(context, {
      onIdle: (isIdle) => this.#idle(running, { sessionId, isIdle }),
      judge: (target) => running.proxy.judge(target),
      limits: this.#options.limits ?? PAGE_LIMITS,
    });
    entry.session = session;
    session.onCurrent = () => this.#changed(sessionId);
    this.#endings.delete(sessionId);
    running.sessions.set(sessionId, { session, pass, timer: undefined, idleSince: performance.now() });
    return session;
  }

  #idle(running: Running, { sessionId, isIdle }: { sessionId: string; isIdle: boolean }): void {
    const open = running.sessions.get(sessionId);
    if (!open) return;
    clearTimeout(open.timer);
    open.timer = undefined;
    open.idleSince = isIdle ? performance.now() : Number.POSITIVE_INFINITY;
    if (!isIdle) return;
    const closeIt = (): void => void this.#oneAtATime(() => this.#closeIdle(running, sessionId)).catch(() => undefined);
    open.timer = setTimeout(closeIt, this.#options.idleMs ?? IDLE_MS).unref();
  }

  async #closeIdle(running: Running, sessionId: string): Promise<void> {
    if (running.sessions.get(sessionId)?.timer === undefined) return;
    await this.#dismissLast(running, sessionId, 'The pages of this session were closed because they were not used for a while.');
  }

  async #dismissLast(running: Running, sessionId: string, why: string): Promise<void> {
    if (this.#running !== running) return;
    await this.#dismiss(running, sessionId, why);
    if (running.sessions.size === 0) await this.#end();
  }

  async #makeRoom(running: Running): Promise<void> {
    if (running.sessions.size < MAX_SESSIONS) return;
    const [longest] = [...running.sessions].toSorted(([, one], [, other]) => one.idleSince - other.idleSince);
    if (!longest || longest[1].idleSince === Number.POSITIVE_INFINITY)
      throw new ToolFault('busy', `${MAX_SESSIONS} sessions use the browser of this machine right now. Try again in a moment.`);
    await this.#dismiss(running, longest[0], 'The pages of this session were closed to make room for another session.');
  }

  async #dismiss(running: Running, sessionId: string, why: string): Promise<void> {
    const open = running.sessions.get(sessionId);
    if (!open) return;
    running.sessions.delete(sessionId);
    clearTimeout(open.timer);
    running.proxy.dismiss(open.pass);
    this.#tell(sessionId, why);
    this.#changed(sessionId);
    await open.session.close();
  }

  #changed(sessionId: string): void {
    for (const listener of this.#listeners) listener(sessionId);
  }

  #tell(sessionId: string, why: string): void {
    this.#endings.set(sessionId, why);
    const oldest = this.#endings.keys().next();
    if (this.#endings.size > MAX_TOLD && !oldest.done) this.#endings.delete(oldest.value);
  }

  /** It ended by itself. What is left of it is cleared away before the next start. */
  #lost(running: Running): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    for (const [sessionId, open] of running.sessions) {
      clearTimeout(open.timer);
      this.#tell(sessionId, 'The browser ended unexpectedly, and its pages are gone.');
      this.#changed(sessionId);
    }
    void this.#oneAtATime(() => clear(running)).catch(() => undefined);
  }

  async #end(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    for (const open of running.sessions.values()) clearTimeout(open.timer);
    await clear(running);
  }
}

/** The proxy first: a page that is being ended has nothing to say any more. */
async function clear(running: Running): Promise<void> {
  await running.proxy.close();
  await running.process.end();
}
