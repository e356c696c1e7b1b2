import type { Page } from 'playwright-core';

/** What a page's server says to it on its sockets, held back. */
export interface HeldMessages {
  readonly count: number;
  /** What the page has sent, oldest first. */
  readonly sent: readonly string[];
  /** Lets through what is held, and all that comes from now on. */
  release(): void;
  /** Holds again what comes from now on. */
  hold(): void;
}

/** Before the page is opened. Holds the messages that match; with `isInOrder` all that follow one of them as well. */
export async function holdMessages(page: Page, which: RegExp, { isInOrder = false } = {}): Promise<HeldMessages> {
  const held: (() => void)[] = [];
  const sent: string[] = [];
  let isHolding = true;
  await page.routeWebSocket('**/socket.io/**', (browser) => {
    const server = browser.connectToServer();
    browser.onMessage((message) => {
      sent.push(message.toString());
      server.send(message);
    });
    server.onMessage((message) => {
      const pass = (): void => browser.send(message);
      if (isHolding && ((isInOrder && held.length > 0) || which.test(message.toString()))) held.push(pass);
      else pass();
    });
  });
  return {
    sent,
    get count() {
      return held.length;
    },
    release: () => {
      isHolding = false;
      for (const pass of held.splice(0)) pass();
    },
    hold: () => {
      isHolding = true;
    },
  };
}
