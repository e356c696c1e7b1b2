import type { CDPSession, Page } from 'playwright-core';
import { Coarseness } from './coarseness.ts';
import { within } from './time-limit.ts';
import { GAP_MS, type ViewPace } from './watch-pace.ts';

/*
 * The picture of one page, for as long as somebody watches:
 *
 *   opening ──attached──► casting ──the page changes──► a frame, at most one in GAP_MS; the newest of several
 *      │                    ├──somebody wants to see──► the last one again, in its turn as well
 *      │                    ├──nothing for QUIET_MS after a frame──► cast anew ──► what was dropped meanwhile, or the same again
 *      └──────close─────────┴──► closed
 *
 * Chromium has at most a few frames under way that are not acknowledged, and drops what changes meanwhile, the last change included:
 * so a frame is acknowledged only when it is taken, and after a page has come to rest it is asked for once more.
 * All of it goes on in the browser, past the page: a page that hangs holds nobody up, and its size and its scripts are not touched.
 */

export interface Picture {
  readonly url: string;
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** A JPEG, base64. */
  readonly image: string;
}

export interface ScreencastOptions {
  readonly page: Page;
  /** Of the session: that of the cast before this one goes on. */
  readonly pace: ViewPace;
  readonly show: (picture: Picture) => void;
  /** Whether a picture would leave at once, instead of waiting behind others. */
  readonly isFree: () => boolean;
  /** In characters of base64. A picture over it is taken again, coarser. */
  readonly mostCharacters: number;
}

interface CdpFrame {
  readonly data: string;
  readonly metadata: { readonly deviceWidth: number; readonly deviceHeight: number };
  readonly sessionId: number;
}

const QUIET_MS = 700;
const RETRY_MS = 100;
const ANSWER_MS = 1_000;

export class Screencast {
  readonly #options: ScreencastOptions;
  #cdp: CDPSession | undefined;
  #isClosed = false;
  readonly #coarseness: Coarseness;
  /** Frames that Chromium waits for us to take. */
  #unacknowledged: number[] = [];
  #newest: CdpFrame | undefined;
  #lastShown: Picture | undefined;
  #isAskedAgain = false;
  #isWantedAnew = false;
  /** The last picture is looked at again when it is its turn. */
  #isWantedAgain = false;
  #pace: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;

  /** Begins at once. A page that is closed meanwhile is none to show. */
  constructor(options: ScreencastOptions) {
    this.#options = options;
    this.#coarseness = new Coarseness(options.mostCharacters);
    void this.#open().catch(() => this.close());
  }

  get page(): Page {
    return this.#options.page;
  }

  get hasPicture(): boolean {
    return this.#lastShown !== undefined;
  }

  /** Closed, or never begun because its page was not to be had. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Shows the last picture again, when its page has another address or title by now, or to somebody who has seen none. */
  again({ isNew }: { readonly isNew: boolean }): void {
    this.#isWantedAnew ||= isNew;
    this.#isWantedAgain = true;
    this.#showSoon();
  }

  /** Nothing is shown from here on. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#pace);
    clearTimeout(this.#quiet);
    // Not waited for: a page that hangs may not answer.
    this.#send('Page.stopScreencast');
    void this.#cdp?.detach().catch(() => undefined);
  }

  async #open(): Promise<void> {
    const { page } = this.#options;
    const cdp = await page.context().newCDPSession(page);
    this.#cdp = cdp;
    if (this.#isClosed) {
      await cdp.detach();
      return;
    }
    cdp.on('Page.screencastFrame', (frame: CdpFrame) => this.#take(frame));
    this.#cast();
  }

  async #showAgain(last: Picture): Promise<void> {
    const words = await this.#words();
    // A newer one has been shown to everybody meanwhile.
    if (this.#isClosed || this.#lastShown !== last) return;
    if (!this.#isWantedAnew && words.url === last.url && words.title === last.title) return;
    this.#isWantedAnew = false;
    this.#isWantedAgain = false;
    this.#lastShown = { ...last, ...words };
    this.#options.show(this.#lastShown);
  }

  #cast(): void {
    const { quality, mostPixels } = this.#coarseness.grain;
    this.#send('Page.startScreencast', { format: 'jpeg', quality, maxWidth: mostPixels, maxHeight: mostPixels });
  }

  #castAgain(): void {
    this.#send('Page.stopScreencast');
    this.#cast();
  }

  #take(frame: CdpFrame): void {
    if (this.#isClosed) return;
    this.#unacknowledged.push(frame.sessionId);
    this.#newest = frame;
    this.#showSoon();
  }

  #showSoon(): void {
    if (this.#pace !== undefined || this.#isClosed) return;
    const wait = this.#options.pace.turnAt + GAP_MS - performance.now();
    if (wait <= 0 && this.#options.isFree()) void this.#takeTurn().catch(() => undefined);
    else
      this.#pace = setTimeout(
        () => {
          this.#pace = undefined;
          this.#showSoon();
        },
        Math.max(wait, RETRY_MS),
      );
  }

  /** One thing at a time: what was asked for again may have become needless by a picture that came. */
  async #takeTurn(): Promise<void> {
    if (this.#newest) {
      await this.#showNewest();
      if (this.#isWantedAgain) this.#showSoon();
    } else if (this.#isWantedAgain) {
      this.#isWantedAgain = false;
      this.#options.pace.turnAt = performance.now();
      if (this.#lastShown) await this.#showAgain(this.#lastShown);
      else this.#castAgain();
    }
  }

  async #showNewest(): Promise<void> {
    const frame = this.#newest;
    this.#newest = undefined;
    for (const sessionId of this.#unacknowledged.splice(0)) this.#send('Page.screencastFrameAck', { sessionId });
    if (!frame) return;
    const next = this.#coarseness.weigh(frame.data.length);
    if (next === 'coarser') this.#castAgain();
    if (frame.data.length > this.#options.mostCharacters) return;
    this.#options.pace.turnAt = performance.now();
    const words = await this.#words();
    if (this.#isClosed) return;
    const { deviceWidth, deviceHeight } = frame.metadata;
    const isSame = frame.data === this.#lastShown?.image;
    this.#show({ ...words, width: Math.round(deviceWidth), height: Math.round(deviceHeight), image: frame.data });
    this.#askWhenQuiet(isSame);
    if (next === 'finer') this.#castAgain();
  }

  /** What was asked for once more and came as it was is the end of it. */
  #askWhenQuiet(isSame: boolean): void {
    clearTimeout(this.#quiet);
    if (this.#isAskedAgain && isSame) {
      this.#isAskedAgain = false;
      return;
    }
    this.#quiet = setTimeout(() => {
      this.#isAskedAgain = true;
      this.#castAgain();
    }, QUIET_MS);
  }

  #show(picture: Picture): void {
    const last = this.#lastShown;
    const isSame = picture.image === last?.image && picture.url === last.url && picture.title === last.title;
    this.#lastShown = picture;
    if (isSame && this.#isAskedAgain) return;
    this.#isWantedAnew = false;
    this.#isWantedAgain = false;
    this.#options.show(picture);
  }

  /** As the browser knows them: the page itself is not asked. */
  async #words(): Promise<{ url: string; title: string }> {
    const asked = this.#cdp?.send('Target.getTargetInfo').catch(() => undefined);
    const info = await within(Promise.resolve(asked), ANSWER_MS, undefined);
    return { url: info?.targetInfo.url ?? this.page.url(), title: info?.targetInfo.title ?? '' };
  }

  #send(...command: Parameters<CDPSession['send']>): void {
    void this.#cdp?.send(...command).catch(() => undefined);
  }
}
