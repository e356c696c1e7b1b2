import { type NetworkTarget, targetOf, type Verdict } from '@tendon/network';
import type { ElementHandle, Frame } from 'playwright-core';
import { type DocumentText, readDocument } from './document-text.ts';
import { within } from './time-limit.ts';

/*
 * What the frames of a page say, one after the other as they stand in the document, each before the frames that it holds itself.
 *
 *   frame ──cannot be seen──► left out      ──address refused──► named, unread      ──does not answer──► named, unread
 *                                   └──seen──► its address judged ──allowed──► its text, its links, then its own frames
 *                                                     └──elsewhere by now──► named, unread
 */

const MAX_FRAMES = 50;
const MAX_DEPTH = 5;
const FRAME_UNITS = 200_000;
const ALL_FRAMES_UNITS = 1_000_000;
/** Of one frame, and of all of them: advertisements that hang must not hold up the page that they stand in. */
const FRAME_MS = 2_000;
const ALL_FRAMES_MS = 8_000;

export type FrameText =
  | ({ readonly kind: 'read'; readonly url: string } & DocumentText)
  | { readonly kind: 'unread'; readonly url: string; readonly why: string };

export interface FrameTexts {
  readonly frames: readonly FrameText[];
  /** Why the rest of the frames was left out, when it was. */
  readonly rest?: string;
}

export interface ReadOptions {
  readonly maxLinks: number;
  readonly signal: AbortSignal;
  readonly judge: (target: NetworkTarget) => Promise<Verdict>;
}

interface Reading extends ReadOptions {
  readonly frames: FrameText[];
  readonly deadline: number;
  readonly stopped: Promise<undefined>;
  units: number;
  rest?: string;
}

/** The frames inside of an element, or the one that it is itself. Never rejects, and takes `ALL_FRAMES_MS` at most. */
export async function readFrames(root: ElementHandle, options: ReadOptions): Promise<FrameTexts> {
  const stopped = new Promise<undefined>((resolve) => options.signal.addEventListener('abort', () => resolve(undefined), { once: true }));
  const reading: Reading = { ...options, stopped, frames: [], units: 0, deadline: performance.now() + ALL_FRAMES_MS };
  const own = await answered(root.contentFrame(), reading);
  if (own) await readFrame({ frame: own, holder: root, depth: 1 }, reading);
  else await readInside(root, reading, 1);
  const { frames, rest } = reading;
  return rest === undefined ? { frames } : { frames, rest };
}

async function readInside(root: ElementHandle, reading: Reading, depth: number): Promise<void> {
  // As playwright sees it: with what stands in shadow trees, in the order of the document, and without what has no size.
  const holders = await answered(root.$$(':is(iframe, frame, object, embed):visible'), reading);
  if (!holders) return leaveOut(reading, depth);
  for (const holder of holders) {
    // Null: it holds no frame. Once enough has been read, nobody is asked any more.
    const frame = reading.rest === undefined ? await answered(holder.contentFrame(), reading) : null;
    if (frame === undefined) leaveOut(reading, depth);
    else if (frame && !hasEnded(reading, depth)) await readFrame({ frame, holder, depth }, reading);
    void holder.dispose().catch(() => undefined);
  }
}

/** Frames that may be there, of which nobody has told in time. */
function leaveOut(reading: Reading, depth: number): void {
  if (!hasEnded(reading, depth)) reading.frames.push({ kind: 'unread', url: '', why: 'What holds it does not answer: it is busy, or has very many parts.' });
}

/** Whether enough has been read; what was left out is said. */
function hasEnded(reading: Reading, depth: number): boolean {
  if (reading.signal.aborted || performance.now() >= reading.deadline) reading.rest ??= 'Further frames were not read, because those above took too long.';
  else if (reading.frames.length >= MAX_FRAMES || depth > MAX_DEPTH || reading.units >= ALL_FRAMES_UNITS)
    reading.rest ??= 'Further frames were not read: there are too many. browser_extract with the ref of a frame, from the snapshot, shows it.';
  return reading.rest !== undefined;
}

interface Held {
  readonly frame: Frame;
  readonly holder: ElementHandle;
  readonly depth: number;
}

async function readFrame({ frame, holder, depth }: Held, reading: Reading): Promise<void> {
  const url = frame.url();
  const why = await refusal(url, reading);
  // One that could not be opened is an error of the browser's own; the page knows what it had asked for.
  if (why !== undefined) return void reading.frames.push({ kind: 'unread', url: targetOf(url) ? url : await wanted(holder, reading), why });
  const found = await answered(
    frame.evaluateHandle(() => document.documentElement),
    reading,
  );
  const root = found?.asElement();
  // What has been judged and is named must be what is read. From here on it is: what this document holds is gone with it.
  if (!isSamePlace(frame.url(), url))
    return void reading.frames.push({ kind: 'unread', url, why: 'It went to another address meanwhile: browser_extract again shows it.' });
  const said =
    root &&
    (await answered(
      readDocument((read, limits) => root.evaluate(read, limits), { maxLinks: reading.maxLinks, maxUnits: FRAME_UNITS }),
      reading,
    ));
  if (!root || !said) return void reading.frames.push({ kind: 'unread', url, why: 'It does not answer: it is busy, or still loading.' });
  reading.frames.push({ kind: 'read', url, ...said });
  reading.units += said.text.length;
  await readInside(root, reading, depth + 1);
}

/** A page may change what follows its host by itself, without another document. */
function isSamePlace(now: string, judged: string): boolean {
  const [a, b] = [targetOf(now), targetOf(judged)];
  return a && b ? a.host === b.host && a.port === b.port : now === judged;
}

async function wanted(holder: ElementHandle, reading: Reading): Promise<string> {
  return (await answered(holder.getAttribute('src'), reading)) ?? '';
}

/** Why a frame of this address stays unread. What has no address of its own came with the page that holds it. */
async function refusal(url: string, reading: Reading): Promise<string | undefined> {
  if (url === '' || /^(?:about|data|blob):/i.test(url)) return undefined;
  const target = targetOf(url);
  if (!target) return 'Its address was not let through, or could not be opened.';
  const verdict = await answered(reading.judge(target), reading);
  if (!verdict) return 'Its address could not be looked up in time.';
  return verdict.ok ? undefined : verdict.message;
}

/** What a frame answers in its time; what it says later is not heard. */
async function answered<T>(asked: Promise<T>, { deadline, signal, stopped }: Reading): Promise<T | undefined> {
  const heard = asked.catch(() => undefined);
  if (signal.aborted) return undefined;
  return within(Promise.race([heard, stopped]), Math.max(0, Math.min(FRAME_MS, deadline - performance.now())), undefined);
}
