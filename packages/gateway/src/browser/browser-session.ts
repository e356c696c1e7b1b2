import type { NetworkTarget, Verdict } from '@tendon/network';
import type { BrowserContext, Dialog, Download, Page } from 'playwright-core';
import type { Refused } from '../network/egress-proxy.ts';
import { ToolFault } from '../tools/faults.ts';
import type { PageLimits } from './page-limits.ts';
import { within } from './time-limit.ts';

const MAX_TABS = 20;
const MAX_NOTES = 10;
const CLOSE_MS = 5_000;

export interface SessionHooks {
  /** Hears when the last call is over, and when one comes again. */
  readonly onIdle: (isIdle: boolean) => void;
  /** What this machine's network rules say of an address. */
  readonly judge: (target: NetworkTarget) => Promise<Verdict>;
  readonly limits: PageLimits;
}

/** The tabs of one session, with cookies and storage that no other session sees, and what happened in them since the last answer. */
export class BrowserSession {
  readonly context: BrowserContext;
  /** What to do with a question of the page (alert, confirm, prompt) while a call runs. */
  dialogAnswer: 'accept' | 'dismiss' = 'dismiss';
  /** Set by the call that wants the next download; every other one is cancelled. */
  takeDownload: ((download: Download) => void) | undefined;
  /** Another page is current, or none any more. */
  onCurrent: (() => void) | undefined;
  readonly judge: SessionHooks['judge'];
  readonly limits: PageLimits;
  readonly #onIdle: SessionHooks['onIdle'];
  readonly #tabs: Page[] = [];
  #current: Page | undefined;
  #isFresh = true;
  #notes: string[] = [];
  /** What came when there were enough notes. */
  #untold = 0;
  #refused: Refused[] = [];
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isOpening = false;
  #closing: Promise<void> | undefined;

  constructor(context: BrowserContext, { onIdle, judge, limits }: SessionHooks) {
    this.context = context;
    this.judge = judge;
    this.limits = limits;
    this.#onIdle = onIdle;
    context.on('page', (page) => this.#watch(page));
  }

  get tabs(): readonly Page[] {
    return this.#tabs;
  }

  get current(): Page | undefined {
    return this.#current;
  }

  /** No page has been open yet: one is about to be. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** Errors: `ToolFault` when no page is open. */
  page(): Page {
    if (this.#current) return this.#current;
    throw new ToolFault('no_page', 'No page is open. Open one with browser_navigate.');
  }

  select(page: Page): void {
    this.#show(page);
  }

  async newTab(): Promise<Page> {
    if (this.#tabs.length >= MAX_TABS) throw new ToolFault('too_many_tabs', `${MAX_TABS} tabs are open already. Close one with browser_tabs.`);
    this.#isOpening = true;
    try {
      const page = await this.context.newPage();
      this.#show(page);
      return page;
    } finally {
      this.#isOpening = false;
    }
  }

  /** Closes a tab without waiting for it: it may hang. It is none of the session's from now on. */
  abandon(page: Page): void {
    this.#forget(page);
    void page.close().catch(() => undefined);
  }

  note(text: string): void {
    if (this.#notes.includes(text)) return;
    if (this.#notes.length < MAX_NOTES) this.#notes.push(text);
    else this.#untold += 1;
  }

  /** What a call says itself need not be told again. */
  forgetNote(about: string): void {
    this.#notes = this.#notes.filter((note) => !note.includes(about));
  }

  refuse(refused: Refused): void {
    this.#refused.push(refused);
    if (this.#refused.length > 100) this.#refused.shift();
    if (refused.code === 'address_refused') this.note(`Refused by this machine's network rules: ${refused.message}`);
  }

  /** Connections that were not made since this was last asked. */
  takeRefused(): Refused[] {
    const refused = this.#refused;
    this.#refused = [];
    return refused;
  }

  /** What has happened since this was last asked, in words. */
  takeNotes(): string[] {
    const notes = this.#untold === 0 ? this.#notes : [...this.#notes, `${this.#untold} more things, such as questions of the page, are left out.`];
    this.#notes = [];
    this.#untold = 0;
    return notes;
  }

  /** Runs one call at a time: two clicks at once would each answer with the page of the other. */
  async inOrder<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    this.#onIdle(false);
    const mine = this.#tail.then(work, work);
    this.#tail = mine;
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#onIdle(true);
    }
  }

  /** Closes every tab. A page that hangs is waited for shortly; its browser ends it. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#show(undefined);
    const closed = this.context.close().catch(() => undefined);
    await within(closed, CLOSE_MS, undefined);
  }

  #watch(page: Page): void {
    this.#tabs.push(page);
    page.on('close', () => this.#forget(page));
    page.on('crash', () => {
      this.note('The page crashed and was closed. Open it again with browser_navigate.');
      this.abandon(page);
    });
    page.on('dialog', (dialog) => void this.#answer(dialog));
    page.on('download', (download) => this.#receive(download));
    if (!this.#isOpening) this.#welcome(page);
  }

  /** A tab that a page has opened is what a person would be looking at now. */
  #welcome(page: Page): void {
    if (this.#tabs.length > MAX_TABS) {
      this.note(`The page wanted to open more than ${MAX_TABS} tabs; the further ones were closed.`);
      this.abandon(page);
      return;
    }
    this.#show(page);
    this.note('The page opened a new tab, which is the current one now. browser_tabs changes back.');
  }

  #forget(page: Page): void {
    const index = this.#tabs.indexOf(page);
    if (index !== -1) this.#tabs.splice(index, 1);
    if (this.#current === page) this.#show(this.#tabs.at(-1));
  }

  #show(page: Page | undefined): void {
    this.#current = page;
    this.#isFresh = false;
    this.onCurrent?.();
  }

  async #answer(dialog: Dialog): Promise<void> {
    const isLeaving = dialog.type() === 'beforeunload';
    const accepts = isLeaving || this.dialogAnswer === 'accept';
    const said = JSON.stringify(dialog.message().slice(0, 500));
    if (dialog.type() === 'alert') this.note(`The page said: ${said}.`);
    else if (!isLeaving) this.note(`The page asked: ${said}. It was answered with ${accepts ? 'OK' : 'Cancel (browser_click takes acceptDialog for OK)'}.`);
    await (accepts ? dialog.accept() : dialog.dismiss()).catch(() => undefined);
  }

  #receive(download: Download): void {
    const take = this.takeDownload;
    this.takeDownload = undefined;
    if (take) {
      take(download);
      return;
    }
    this.note(`The page offered a download, ${JSON.stringify(download.suggestedFilename())}, which was not kept. browser_download keeps one.`);
    void download.cancel().catch(() => undefined);
  }
}
