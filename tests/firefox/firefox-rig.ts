import assert from 'node:assert/strict';
import { findFirefox, type ProcessRig, processRig } from '@tendon/testing';
import { type Browser, launch, type Page } from 'puppeteer-core';

const PATIENCE_MS = 15_000;
/** A stranger's name that leads to this machine, as a rebound one would. */
export const REBOUND = 'rebound.example';

/** The started product, and an ordinary Firefox, driven by WebDriver BiDi: playwright-core wants a newer one than the long-term releases are. */
export interface FirefoxRig extends AsyncDisposable {
  readonly product: ProcessRig;
  readonly browser: Browser;
  /** What the product has printed when it was started first. */
  readonly printed: string;
  /** Kills the server where it stands. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** A tab whose errors, dialogs and breaches of its policy are kept in `complaints`. */
  page(): Promise<WatchedPage>;
}

export interface WatchedPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export async function firefoxRig(): Promise<FirefoxRig> {
  await using stack = new AsyncDisposableStack();
  const product = stack.use(await processRig());
  const starting = product.start('start');
  const executablePath = findFirefox();
  assert.ok(executablePath, 'no Firefox found: install it');
  const extraPrefsFirefox = { 'network.dns.localDomains': REBOUND, 'dom.security.https_first': false };
  const browser = await launch({ browser: 'firefox', executablePath, headless: true, extraPrefsFirefox });
  stack.defer(() => browser.close());
  let tendon = await starting;
  const kept = stack.move();
  return {
    ...{ product, browser, printed: tendon.output() },
    page: () => watchedPage(browser),
    kill: async () => void (await tendon.end('SIGKILL')),
    restart: async () => {
      tendon = await product.start('start');
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function watchedPage(browser: Browser): Promise<WatchedPage> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${String(error)}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.exposeFunction('reportViolation', (violation: string) => complaints.push(`policy: ${violation}`));
  await page.evaluateOnNewDocument(() => {
    const { reportViolation } = window as unknown as { reportViolation: (violation: string) => void };
    document.addEventListener('securitypolicyviolation', (event) => reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return { page, complaints };
}
