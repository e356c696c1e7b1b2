import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { BrowserRig } from './browser-rig.ts';
import { SessionPage } from './session-page.ts';

/** What our page loads from its own server. Whatever else is asked for, a text has asked for. */
const OWN_PATHS = /^\/(?:$|assets\/|api\/|socket\.io\/|s\/[\w-]+$|sign-in$|[a-z]+(?:-[a-z]+)*$|[\w-]+\.(?:svg|js|webmanifest|png)$)/;

/** A device that remembers every request that no page of ours makes. */
export interface WatchedPage {
  readonly device: SessionPage;
  readonly foreign: readonly string[];
}

export async function watchedDevice(rig: Pick<BrowserRig, 'device' | 'url'>): Promise<WatchedPage> {
  const device = await rig.device();
  return { device, foreign: watchRequests(device.page, rig.url) };
}

/** The page of a browser that is not signed in. */
export async function watchedStranger(rig: Pick<BrowserRig, 'stranger'>, url: string): Promise<WatchedPage> {
  const page = await rig.stranger();
  return { device: new SessionPage(page, url), foreign: watchRequests(page, url) };
}

function watchRequests(page: Page, origin: string): readonly string[] {
  const foreign: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    const isOwn = url.startsWith(`${origin}/`) && OWN_PATHS.test(new URL(url).pathname);
    if (!isOwn && !/^(?:data|blob):/.test(url)) foreign.push(url);
  });
  return foreign;
}

/** Nothing of a text has become an element, has run or was asked for. */
export async function assertHarmless({ device, foreign }: WatchedPage, where: string): Promise<void> {
  const found = await device.page.evaluate(() => ({
    pwned: 'pwned' in window,
    elements: [
      ...document.querySelectorAll(
        'body > :not(noscript, script) :is(script, iframe, style, base, link, meta, object, embed, template, video, audio, math, form[action], [formaction])',
      ),
      ...[...document.querySelectorAll('body *')].filter((element) => element.getAttributeNames().some((name) => name.startsWith('on'))),
    ].map(({ outerHTML }) => outerHTML.slice(0, 200)),
    links: [...document.querySelectorAll('body a')].map((link) => link.getAttribute('href') ?? '').filter((href) => !/^\/(?!\/)/.test(href)),
    images: [...document.querySelectorAll('body img')]
      .map((image) => image.getAttribute('src') ?? '')
      .filter((source) => !/^(?:\/favicon|data:image\/jpeg)/.test(source)),
    title: document.title,
  }));
  assert.deepEqual([found.pwned, found.elements, found.images], [false, [], []], where);
  for (const link of found.links) assert.match(link, /^(?:https?|mailto):/, where);
  assert.deepEqual(foreign, [], where);
  assert.doesNotMatch(found.title, /^pwned/, where);
}

/** Every word of a part of a page: what stands there, what is written into its fields, and what is said of its elements. */
export function wordsOf(part: Locator): Promise<string> {
  return part.evaluate((root) => {
    const words: (string | null)[] = [root.textContent, document.title];
    for (const element of root.querySelectorAll('*')) {
      for (const name of ['title', 'aria-label', 'alt', 'placeholder']) words.push(element.getAttribute(name));
      if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) words.push(element.value);
    }
    return words.filter((word) => word !== null).join('\n');
  });
}

/** Opens whatever is folded on the page. */
export async function unfold(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const press = async (selector: string, isMeant: (button: HTMLElement) => boolean) => {
      for (const button of document.querySelectorAll<HTMLElement>(selector)) if (isMeant(button)) button.click();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    };
    await press('main section button[aria-expanded="false"]:not([aria-haspopup])', () => true);
    await press('main section button', ({ textContent }) => /^Show [\d,]+ earlier lines?$/.test(textContent));
  });
}
