import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';

/** One page of the product, by what a person sees and a screen reader names. */
export class SessionPage {
  readonly page: Page;
  readonly #url: string;

  constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
  }

  get message(): Locator {
    return this.page.getByRole('textbox', { name: 'Message' });
  }

  get transcript(): Locator {
    return this.page.getByRole('region', { name: 'Transcript' });
  }

  get approval(): Locator {
    return this.page.getByRole('group', { name: 'Approval', exact: true });
  }

  get question(): Locator {
    return this.page.getByRole('group', { name: 'Question', exact: true });
  }

  get queue(): Locator {
    return this.page.getByRole('region', { name: 'Queued messages' });
  }

  /** The cards of calls that are decided. */
  get calls(): Locator {
    return this.page.getByTestId('tool-call');
  }

  get outbox(): Locator {
    return this.page.getByTestId('outbox-message');
  }

  get stopButton(): Locator {
    return this.page.getByRole('button', { name: 'Stop', exact: true });
  }

  /** Screen readers hear it whenever it changes. */
  get connection(): Locator {
    return this.page.getByRole('status', { name: 'Connection' });
  }

  said(text: string): Locator {
    return this.page.getByRole('article', { name: 'You' }).filter({ hasText: text });
  }

  answered(text: string | RegExp): Locator {
    return this.page.getByRole('article', { name: 'Agent' }).filter({ hasText: text });
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name, ...(typeof name === 'string' ? { exact: true } : {}) });
  }

  link(name: string | RegExp): Locator {
    return this.page.getByRole('link', { name });
  }

  async open(path = '/'): Promise<this> {
    await this.page.goto(new URL(path, this.#url).href);
    await this.isConnected();
    return this;
  }

  /** The page's own path, for another page that is to show the same. */
  get path(): string {
    return new URL(this.page.url()).pathname;
  }

  async isConnected(): Promise<void> {
    await this.connection.filter({ hasText: 'Connected' }).waitFor({ state: 'attached' });
  }

  async isAway(): Promise<void> {
    await this.connection.filter({ hasText: /Offline|Connecting/ }).waitFor({ state: 'attached' });
  }

  /** Writes a message and sends it with Enter; in a new session that opens it. */
  async say(text: string): Promise<void> {
    await this.message.fill(text);
    await this.message.press('Enter');
    await this.page.waitForURL(/\/s\//);
  }

  /** Waits until nothing is at work any more. */
  async isIdle(): Promise<void> {
    await this.stopButton.waitFor({ state: 'detached' });
  }

  /** Waits until the transcript reads exactly so, from its first letter to its last. */
  async reads(text: string): Promise<void> {
    const transcript = await this.transcript.elementHandle();
    await this.page.waitForFunction(([element, wanted]) => element?.textContent === wanted, [transcript, text] as const);
  }

  /** Takes the focus out of the composer, so that single keys act. */
  async leaveComposer(): Promise<void> {
    await this.message.blur();
  }

  /** The page may be taller than the window, never wider. */
  async assertNoSidewaysScroll(): Promise<void> {
    const widths = await this.page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: window.innerWidth }));
    assert.ok(widths.content <= widths.window, `the page is ${widths.content} px wide in a window of ${widths.window} px`);
  }
}
