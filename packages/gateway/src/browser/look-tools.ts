import { type ToolInput, textResult } from '@tendon/protocol';
import { cleanText } from '@tendon/protocol/truncation';
import { ToolFault } from '../tools/faults.ts';
import { MAX_PICTURE_SIDE, type PictureSize, pictureSize } from '../tools/picture-size.ts';
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

type PictureInput = ToolInput<'browser_screenshot'>;

export const browserScreenshot: LocalTool<'browser_screenshot'> = {
  name: 'browser_screenshot',
  async run(input, context) {
    if (input.fullPage === true && input.ref !== undefined)
      throw new ToolFault('invalid_input', 'Both fullPage and ref were given. Give one of them: ref for one element, fullPage for all of the page.');
    return lookAtPage(context, async (work) => {
      const camera = await cameraFor(work, input);
      const picture = await fittingPicture(camera);
      const said = `${shownUrl(work.page.url())}, ${Math.ceil(picture.length / 1024)} KiB`;
      const what = input.ref ?? (input.fullPage === true ? 'the whole page' : 'what can be seen');
      return {
        status: 'succeeded',
        content: [
          { type: 'text', text: cleanText(`Picture of ${what}: ${said}.${cutNote(camera, input)}`) },
          { type: 'image', data: picture.toString('base64'), mimeType: 'image/jpeg' },
        ],
      };
    });
  },
};

interface Camera {
  readonly take: (quality: number) => Promise<Buffer>;
  /** What would have to be on the picture, and what is: where that is known. */
  readonly cut?: { readonly whole: PictureSize; readonly shown: PictureSize };
}

/** A picture that is cut and does not say so is taken for all there is. */
function cutNote({ cut }: Camera, { ref }: PictureInput): string {
  if (!cut) return '';
  const { whole, shown } = cut;
  const parts = [
    ...(shown.height < whole.height ? [`the upper ${shown.height} of ${whole.height} pixels`] : []),
    ...(shown.width < whole.width ? [`the left ${shown.width} of ${whole.width} pixels`] : []),
  ];
  if (parts.length === 0) return '';
  const rest = ref === undefined ? 'give the ref of an element further on' : 'give the ref of an element in it';
  return ` It is cut: only ${parts.join(' and ')} are on it. To see the rest, ${rest}, or scroll there with browser_scroll and take a picture without fullPage and ref.`;
}

/** As good as fits. */
async function fittingPicture({ take }: Camera): Promise<Buffer> {
  for (const quality of QUALITIES) {
    const picture = await take(quality);
    const size = pictureSize('image/jpeg', picture);
    // An element can grow between the look at its size and its picture.
    if (!size || Math.max(size.width, size.height) > MAX_PICTURE_SIDE) break;
    if (picture.length <= PICTURE_BYTES) return picture;
  }
  throw new ToolFault(
    'too_large',
    `Even the smallest picture has more than ${PICTURE_BYTES / 1024} KiB, or ${MAX_PICTURE_SIDE} pixels a side. Leave fullPage out, or give the ref of a smaller element.`,
  );
}

async function cameraFor(work: PageWork, input: PictureInput): Promise<Camera> {
  const { page, signal } = work;
  const how = { type: 'jpeg', scale: 'css', timeout: work.session.limits.pictureMs, signal } as const;
  const clipped = ({ x, y }: { x: number; y: number }, whole: PictureSize, most: PictureSize): Camera => {
    const shown = { width: within(whole.width, most.width), height: within(whole.height, most.height) };
    return { take: (quality) => page.screenshot({ ...how, quality, fullPage: true, clip: { x, y, ...shown } }), cut: { whole, shown } };
  };
  if (input.ref !== undefined) {
    const element = await locate(work, { ref: input.ref });
    const box = await element.boundingBox({ timeout: how.timeout, signal });
    if (!box || Math.max(box.width, box.height) <= MAX_PICTURE_SIDE) return { take: (quality) => element.screenshot({ ...how, quality }) };
    const scrolled = await page.evaluate(() => ({ x: window.scrollX, y: window.scrollY }));
    const place = { x: Math.max(0, box.x + numberOf(scrolled.x)), y: Math.max(0, box.y + numberOf(scrolled.y)) };
    return clipped(place, { width: Math.ceil(box.width), height: Math.ceil(box.height) }, { width: MAX_PICTURE_SIDE, height: MAX_PICTURE_SIDE });
  }
  if (input.fullPage !== true) return { take: (quality) => page.screenshot({ ...how, quality }) };
  const size = await page.evaluate(() => ({ width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight }));
  return clipped({ x: 0, y: 0 }, size, PICTURE_PIXELS);
}

/** What a page says about itself is not believed. */
function within(said: unknown, limit: number): number {
  return typeof said === 'number' && said >= 1 ? Math.min(said, limit) : limit;
}

function numberOf(said: unknown): number {
  return typeof said === 'number' && Number.isFinite(said) ? said : 0;
}
