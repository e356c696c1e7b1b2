import { textResult } from '@tendon/protocol';
import { cleanText } from '@tendon/protocol/truncation';
import { ToolFault } from '../tools/faults.ts';
import type { LocalTool } from '../tools/tool.ts';

import { locate } from './elements.ts';
import { pageState, shownUrl } from './page-state.ts';
import { lookAtPage, type PageWork } from './use-page.ts';

/** As bytes of the picture; as base64 in a result it takes a third more, and a result has at most 1 MiB. */
const PICTURE_BYTES = 700 * 1024;
const PICTURE_PIXELS = { width: 2_000, height: 8_000 };
const QUALITIES = [80, 60, 40, 20, 5];

export const browserSnapshot: LocalTool<'browser_snapshot'> = {
  name: 'browser_snapshot',
  run: (input, context) =>
    lookAtPage(context, async ({ session }) => textResult('succeeded', await pageState(session, { fromLine: input.fromLine, isWhole: true }))),
};

export const browserWait: LocalTool<'browser_wait'> = {
  name: 'browser_wait',
  async run(input, context) {
    if (input.text === undefined && input.gone === undefined && input.ms === undefined)
      throw new ToolFault('invalid_input', 'Nothing to wait for was given. Give text, gone or ms.');
    if (input.text !== undefined && input.gone !== undefined)
      throw new ToolFault('invalid_input', 'Both text and gone were given. Give one of them, and wait again for the other.');
    return lookAtPage(context, async (work) => {
      await waitFor(work, input);
      return textResult('succeeded', await pageState(work.session));
    });
  },
};

async function waitFor({ page, signal }: PageWork, input: { text?: string | undefined; gone?: string | undefined; ms?: number | undefined }): Promise<void> {
  const text = input.text ?? input.gone;
  if (text === undefined) return delay(input.ms ?? 0, signal);
  const place = page.getByText(text).filter({ visible: true }).first();
  const state = input.text === undefined ? 'hidden' : 'visible';
  const limitMs = input.ms ?? 10_000;
  try {
    await place.waitFor({ state, timeout: limitMs, signal });
  } catch (error) {
    if (signal.aborted || !(error instanceof Error) || !/Timeout/.test(error.message)) throw error;
    const what = `${JSON.stringify(text)} ${state === 'visible' ? 'did not appear' : 'is still there'} after ${limitMs} ms`;
    const rule = state === 'visible' ? ' Only words that can be seen count, not the value of a field, nor how the snapshot names an element.' : '';
    throw new ToolFault('timeout', `${what}.${rule} The page as it is now stands below; wait longer with ms, or go on with what is there.`);
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

export const browserScreenshot: LocalTool<'browser_screenshot'> = {
  name: 'browser_screenshot',
  async run(input, context) {
    if (input.fullPage === true && input.ref !== undefined)
      throw new ToolFault('invalid_input', 'Both fullPage and ref were given. Give one of them: ref for one element, fullPage for all of the page.');
    return lookAtPage(context, async (work) => {
      const picture = await fittingPicture(work, input);
      const said = `${shownUrl(work.page.url())}, ${Math.ceil(picture.length / 1024)} KiB`;
      return {
        status: 'succeeded',
        content: [
          { type: 'text', text: cleanText(`Picture of ${input.ref ?? (input.fullPage === true ? 'the whole page' : 'what can be seen')}: ${said}.`) },
          { type: 'image', data: picture.toString('base64'), mimeType: 'image/jpeg' },
        ],
      };
    });
  },
};

/** As good as fits. */
async function fittingPicture(work: PageWork, input: { ref?: string | undefined; fullPage?: boolean | undefined }): Promise<Buffer> {
  const take = await camera(work, input);
  for (const quality of QUALITIES) {
    const picture = await take(quality);
    if (picture.length <= PICTURE_BYTES) return picture;
  }
  throw new ToolFault(
    'too_large',
    `Even the smallest picture has more than ${PICTURE_BYTES / 1024} KiB. Leave fullPage out, or give the ref of a smaller element.`,
  );
}

async function camera(work: PageWork, input: { ref?: string | undefined; fullPage?: boolean | undefined }): Promise<(quality: number) => Promise<Buffer>> {
  const { page, signal } = work;
  const how = { type: 'jpeg', scale: 'css', timeout: work.session.limits.pictureMs, signal } as const;
  if (input.ref !== undefined) {
    const element = await locate(work, { ref: input.ref });
    return (quality) => element.screenshot({ ...how, quality });
  }
  if (input.fullPage !== true) return (quality) => page.screenshot({ ...how, quality });
  const size = await page.evaluate(() => ({ width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight }));
  const clip = { x: 0, y: 0, width: within(size.width, PICTURE_PIXELS.width), height: within(size.height, PICTURE_PIXELS.height) };
  return (quality) => page.screenshot({ ...how, quality, fullPage: true, clip });
}

/** What a page says about itself is not believed. */
function within(said: unknown, limit: number): number {
  return typeof said === 'number' && said >= 1 ? Math.min(said, limit) : limit;
}
