import type { Log } from '@tendon/protocol';
import { type BrowserWatch, browserWatchSchema, type GatewayRequest, LIMITS, type MachineBrowserState, validate } from '@tendon/protocol';
import { cleanText, cutBefore } from '@tendon/protocol/truncation';
import { mayBeWatched } from '../policy/live-view.ts';
import type { PolicyFile } from '../policy/policy-file.ts';
import type { BrowserHost } from './browser-host.ts';
import { type Picture, Screencast } from './screencast.ts';
import { WatchPace } from './watch-pace.ts';

/*
 * What the server shows to people of this machine's browser, per session:
 *
 *   not watched ──browser:watch──► watched ──not asked again in time, or told to stop──► not watched
 *                                    │ the machine's policy refuses it, no page is open, it is being started: says so
 *                                    └ a page is current: its pictures, and those of the page that is current after it
 *
 * The server is not trusted: only pages of the session that it names are shown, which this gateway itself has opened for it, and a picture is all
 * that it gets. A watch opens and changes nothing. However it is switched off and on, and whatever sessions are named, all of it keeps its pace:
 * a command that begins or renews a watch waits for its turn, one that ends it does not.
 */

export interface LiveViewsOptions {
  readonly browser: Pick<BrowserHost, 'look' | 'subscribe'>;
  readonly policy: Pick<PolicyFile, 'current'>;
  /** The folders of this machine: what a rule says of one of them counts. */
  readonly workspaces: readonly string[];
  readonly tell: <Name extends 'browser:frame' | 'browser:state'>(name: Name, payload: GatewayRequest<Name>) => void;
  /** Whether what is told now leaves at once. */
  readonly isFree: () => boolean;
  readonly now: () => Date;
  readonly monotonicMs?: () => number;
  /** Its owner can see here when somebody looks. */
  readonly log: Pick<Log, 'info'>;
}

interface View {
  readonly sessionId: string;
  timer: NodeJS.Timeout | undefined;
  state: MachineBrowserState['state'] | 'shown' | undefined;
  cast: Screencast | undefined;
}

const MOST_VIEWS = 20;
const MOST_WAITING = 100;

export class LiveViews {
  readonly #options: LiveViewsOptions;
  readonly #views = new Map<string, View>();
  readonly #unsubscribe: () => void;
  readonly #waiting = new Map<string, BrowserWatch>();
  readonly #pace: WatchPace;
  #turn: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LiveViewsOptions) {
    this.#options = options;
    this.#pace = new WatchPace(options.monotonicMs ?? (() => performance.now()));
    this.#unsubscribe = options.browser.subscribe((sessionId) => {
      const view = this.#views.get(sessionId);
      if (view && view.state !== 'refused') this.#follow(view);
    });
  }

  /** A command of the server. One that is malformed is none, and of several for one session that wait the last one counts. */
  take(payload: unknown): void {
    const checked = validate(browserWatchSchema, payload);
    if (!checked.ok || this.#isClosed) return;
    const { sessionId, anew, forMs } = checked.data;
    const before = this.#waiting.get(sessionId);
    const endsOne = forMs === 0 && this.#views.has(sessionId);
    if (!before && !endsOne && this.#waiting.size >= MOST_WAITING) return;
    // An end is not held up by what waits.
    if (forMs === 0) this.#waiting.delete(sessionId);
    this.#waiting.set(sessionId, { ...checked.data, anew: anew || before?.anew === true });
    this.#work();
  }

  /** Ends every watch. May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#turn);
    this.#waiting.clear();
    this.#unsubscribe();
    for (const view of [...this.#views.values()]) this.#end(view);
  }

  #work(): void {
    this.#working ??= this.#takeAll().finally(() => {
      this.#working = undefined;
    });
  }

  async #takeAll(): Promise<void> {
    clearTimeout(this.#turn);
    this.#pace.forgetAllBut(this.#views);
    let soonestMs: number | undefined;
    for (const [sessionId, watch] of this.#waiting) {
      const waitMs = watch.forMs === 0 ? 0 : this.#pace.take(sessionId);
      if (waitMs > 0) {
        soonestMs = Math.min(waitMs, soonestMs ?? waitMs);
        continue;
      }
      this.#waiting.delete(sessionId);
      // What is wrong with one page costs this command alone: it comes again.
      await this.#take(watch).catch(() => undefined);
    }
    if (soonestMs !== undefined && !this.#isClosed) this.#turn = setTimeout(() => this.#work(), Math.ceil(soonestMs));
  }

  async #take({ sessionId, forMs, anew }: BrowserWatch): Promise<void> {
    const known = this.#views.get(sessionId);
    if (forMs === 0) {
      if (known) this.#end(known);
      return;
    }
    const policy = await this.#options.policy.current();
    if (this.#isClosed || (!known && this.#views.size >= MOST_VIEWS)) return;
    const view = known ?? { sessionId, timer: undefined, state: undefined, cast: undefined };
    this.#views.set(sessionId, view);
    clearTimeout(view.timer);
    view.timer = setTimeout(() => this.#end(view), forMs);
    const wasSaid = view.state;
    if (!policy.ok || !mayBeWatched(policy.policy, this.#options.workspaces)) this.#say(view, 'refused');
    else this.#follow(view);
    // What has just been said is not said twice.
    if (view.state === wasSaid) this.#again(view, anew);
    else if (view.state === 'shown' && anew) this.#tell(view, 'starting');
  }

  #again(view: View, isNew: boolean): void {
    view.cast?.again({ isNew });
    if (isNew && view.state !== undefined && !view.cast?.hasPicture) this.#tell(view, view.state === 'shown' ? 'starting' : view.state);
  }

  #follow(view: View): void {
    const found = this.#options.browser.look(view.sessionId);
    if (found === 'opening' || found === 'none') {
      this.#say(view, found === 'opening' ? 'starting' : 'no_page');
      return;
    }
    const { current } = found;
    if (!current) this.#say(view, found.isFresh ? 'starting' : 'no_page');
    else if (view.cast?.page !== current || view.cast.isClosed) {
      if (!view.cast) this.#options.log.info({ sessionId: view.sessionId }, 'what the browser shows in this session is watched');
      view.cast?.close();
      view.state = 'shown';
      view.cast = new Screencast({
        page: current,
        pace: this.#pace.of(view.sessionId),
        mostCharacters: LIMITS.browserImageLength,
        isFree: this.#options.isFree,
        show: (picture) => this.#show(view, picture),
      });
    }
  }

  #show({ sessionId }: View, { url, title, ...picture }: Picture): void {
    const words = { url: cutText(url, LIMITS.browserUrlLength), title: cutText(title, LIMITS.titleLength) };
    this.#options.tell('browser:frame', { sessionId, at: this.#options.now().toISOString(), ...words, ...picture });
  }

  #say(view: View, state: MachineBrowserState['state']): void {
    view.cast?.close();
    view.cast = undefined;
    if (view.state === state) return;
    view.state = state;
    this.#tell(view, state);
  }

  #tell({ sessionId }: View, state: MachineBrowserState['state']): void {
    this.#options.tell('browser:state', { sessionId, at: this.#options.now().toISOString(), state });
  }

  #end(view: View): void {
    clearTimeout(view.timer);
    if (view.cast) this.#options.log.info({ sessionId: view.sessionId }, 'what the browser shows in this session is watched no more');
    view.cast?.close();
    view.cast = undefined;
    if (this.#views.get(view.sessionId) === view) this.#views.delete(view.sessionId);
  }
}

/** The words of a page: whatever they are, they fit, and are text. */
function cutText(text: string, most: number): string {
  const clean = cleanText(text);
  return clean.length > most ? `${clean.slice(0, cutBefore(clean, most - 1))}…` : clean;
}
