import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { findChromium, type ProcessRig, processRig, type ScriptedModel, startTendon, type TendonProcess } from '@tendon/testing';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { SessionPage } from './session-page.ts';

const PATIENCE_MS = 30_000;
export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

type SignedIn = Awaited<ReturnType<BrowserContext['storageState']>>;

/**
 * The started product and one Chromium that is signed in to it.
 *
 *   processRig ── tendon start ── the printed link, used once ──► storage of a signed-in browser ──► any number of devices
 */
export interface BrowserRig extends AsyncDisposable {
  readonly product: ProcessRig;
  readonly browser: Browser;
  readonly model: ScriptedModel;
  readonly workspace: string;
  readonly url: string;
  /** The process that runs now. */
  readonly tendon: TendonProcess;
  /** A signed-in browser of its own, with nothing stored but its sign-in. */
  device(options?: BrowserContextOptions): Promise<SessionPage>;
  /** A browser that is not signed in. */
  stranger(options?: BrowserContextOptions): Promise<Page>;
  /** A complaint of any page that matches is no fault from now on, until the test is over. */
  allow(complaint: RegExp): void;
  /** After each test: ends its devices. Fails when one has complained: errors in the console, exceptions, violations of the content security policy. */
  endDevices(test: { readonly passed?: boolean; diagnostic?(text: string): void }): Promise<void>;
  /** Kills the server where it stands. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
}

/** `env` is for the product's processes. */
export async function browserRig(options: { readonly env?: Readonly<Record<string, string>> } = {}): Promise<BrowserRig> {
  await using stack = new AsyncDisposableStack();
  const product = stack.use(await processRig(options));
  const starting = product.start('start');
  const browser = await launchChromium();
  stack.defer(() => browser.close());
  let tendon = await starting;
  const signedIn = await signIn(browser, linkIn(tendon.output()));
  const complaints: string[] = [];
  let allowed: RegExp[] = [];
  const contexts = new Set<BrowserContext>();
  const newPage = async (options: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext({ viewport: DESKTOP, locale: 'en-GB', colorScheme: 'light', ...options });
    contexts.add(context);
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await listen(page, (complaint) => complaints.push(complaint));
    return page;
  };
  const kept = stack.move();
  return {
    ...{ product, browser, model: product.model, workspace: product.workspace },
    get url() {
      return product.url;
    },
    get tendon() {
      return tendon;
    },
    device: async (options = {}) => new SessionPage(await newPage({ storageState: signedIn, ...options }), product.url),
    stranger: (options = {}) => newPage(options),
    allow: (complaint) => allowed.push(complaint),
    endDevices: async (test) => {
      if (test.passed === false) for (const context of contexts) test.diagnostic?.(await shown(context));
      await Promise.all([...contexts].map((context) => context.close()));
      contexts.clear();
      const loud = complaints.splice(0).filter((complaint) => !allowed.some((pattern) => pattern.test(complaint)));
      allowed = [];
      assert.deepEqual(loud, [], 'a page complained');
    },
    kill: async () => void (await tendon.end('SIGKILL')),
    restart: async () => {
      tendon = await product.start('start');
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The library's own list is replaced by this one. The first three draw, in a process for each window, what opens under an address line that nobody sees. */
const UNUSED = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxFullPopup', 'WebUIOmniboxAimPopup', 'HttpsUpgrades', 'MediaRouter', 'OptimizationHints'],
  ...['NetworkTimeServiceQuerying', 'PreconnectToSearch', 'PaintHolding', 'Translate', 'LensOverlay', 'AimEnabled'],
];

export async function launchChromium(...more: string[]): Promise<Browser> {
  const executablePath = findChromium();
  assert.ok(executablePath, 'no Chromium found: install it, or name one in CHROMIUM_PATH');
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage', `--disable-features=${UNUSED.join(',')}`];
  return chromium.launch({ executablePath, args: [...flags, ...more] });
}

/** The sign-in link in what a command has printed. */
export function linkIn(output: string): string {
  const link = /https?:\/\/\S+\/sign-in\?token=\S+/.exec(output)?.[0];
  assert.ok(link, `there is no link in:\n${output}`);
  return link;
}

/** The rig has used the printed link. A second start on the same home says where the first one is, with a fresh link. */
export async function freshLink({ product, workspace }: BrowserRig): Promise<string> {
  const env = { TENDON_HOME: product.home, TENDON_WORKSPACE: workspace, TENDON_PORT: '0' };
  const second = startTendon({ args: ['start', '--no-open'], env, scratch: workspace });
  return linkIn(await second.then(() => 'it started', String));
}

export async function signIn(browser: Browser, link: string): Promise<SignedIn> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link, { waitUntil: 'commit' });
  const { cookies } = await context.storageState();
  await context.close();
  return { cookies, origins: [] };
}

/** Everything that a page must never have to say. */
async function listen(page: Page, hear: (complaint: string) => void): Promise<void> {
  page.on('pageerror', (error) => hear(`exception: ${error.stack ?? error.message}`));
  page.on('crash', () => hear('the page crashed'));
  page.on('dialog', (dialog) => {
    hear(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') hear(`console ${message.type()}: ${message.text()} (${message.location().url})`);
  });
  await page.exposeFunction('reportViolation', (violation: string) => hear(`policy violation: ${violation}`));
  await page.addInitScript(() => {
    const { reportViolation } = window as unknown as { reportViolation: (violation: string) => void };
    document.addEventListener('securitypolicyviolation', (event) => reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
}

/** What its page showed, for whoever has to find out why a test failed. */
async function shown(context: BrowserContext): Promise<string> {
  const [page] = context.pages();
  const text = await page?.locator('body').innerText({ timeout: 1_000 }).catch(String);
  return `${page?.url()} showed:\n${text}`;
}

/** Asks again until `check` holds, and fails with its last error. For what no locator can wait for. */
export async function eventually(check: () => Promise<void> | void, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await pause(25);
  }
}
