import { setImmediate as nextTick } from 'node:timers/promises';
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider';
import type { Usage } from '@tendon/protocol';
import { type ProviderFailure, readFailure } from './faults.ts';
import type { FinishReason, StepPart, StepSink } from './model-port.ts';
import { PartCollector } from './part-collector.ts';
import type { ModelMaker } from './providers.ts';
import { StreamWatch } from './stream-watch.ts';

/** After so many parts other sessions get a turn: a stream at full speed would otherwise hold the event loop until its end. */
const PARTS_PER_TICK = 32;
/** How long the connection gets to end by itself after the answer has, so that it can be used again. */
const DRAIN_MS = 250;

export interface AttemptContext {
  readonly makeModel: ModelMaker;
  readonly call: Omit<LanguageModelV4CallOptions, 'abortSignal'>;
  readonly signal: AbortSignal;
  readonly sink: StepSink;
  readonly ownName: (name: string) => string;
  readonly timeouts: { readonly firstChunkTimeoutMs: number; readonly idleTimeoutMs: number };
  readonly secrets: readonly string[];
}

/** One request. `hasBegun`: a part has reached the sink, so trying again would show the answer twice. */
export type Attempt =
  | { readonly kind: 'completed'; readonly parts: StepPart[]; readonly usage: Usage; readonly finishReason: FinishReason }
  | { readonly kind: 'failed'; readonly parts: StepPart[]; readonly failure: ProviderFailure; readonly hasBegun: boolean; readonly usage?: Usage }
  | { readonly kind: 'aborted'; readonly parts: StepPart[] };

type Finish = Extract<LanguageModelV4StreamPart, { type: 'finish' }>;
type Reader = ReadableStreamDefaultReader<LanguageModelV4StreamPart>;
type Reading = { readonly kind: 'finish'; readonly finish: Finish } | { readonly kind: 'error'; readonly error: unknown } | { readonly kind: 'ended' };

/** Reads the provider's stream directly: the SDK's `streamText` above it costs as much again per chunk (performance.md). */
export async function attempt(context: AttemptContext): Promise<Attempt> {
  const collector = new PartCollector(context.sink, context.ownName);
  const watch = new StreamWatch(context.signal, context.timeouts);
  try {
    const reading = await request(context, watch, collector);
    if (watch.ended === 'aborted') return { kind: 'aborted', parts: collector.parts() };
    if (watch.ended === 'timeout') return failed(collector, { code: 'model_timeout', retryable: true });
    if (reading.kind === 'error') return failed(collector, readFailure(reading.error, context.secrets));
    if (reading.kind === 'ended') return failed(collector, EARLY_END);
    return finished(collector, reading.finish);
  } finally {
    watch.close();
  }
}

const EARLY_END: ProviderFailure = { code: 'model_bad_response', retryable: true, detail: 'the answer ended before it was complete.' };

async function request(context: AttemptContext, watch: StreamWatch, collector: PartCollector): Promise<Reading> {
  if (watch.ended) return { kind: 'ended' };
  const opened = await openStream(context, watch);
  if ('error' in opened) return { kind: 'error', error: opened.error };
  if (!opened.stream) return { kind: 'ended' };
  const reader = opened.stream.getReader();
  watch.onEnd(() => void reader.cancel().catch(ignore));
  let reading: Reading = { kind: 'ended' };
  try {
    reading = await read(reader, watch, collector);
  } finally {
    if (reading.kind === 'finish' && !watch.ended) drain(reader);
    else void reader.cancel().catch(ignore);
  }
  return reading;
}

type Opened = { readonly stream: ReadableStream<LanguageModelV4StreamPart> | undefined } | { readonly error: unknown };

/** Gives up at the watch's end even when the provider's code does not hear the signal. */
function openStream({ makeModel, call }: AttemptContext, watch: StreamWatch): Promise<Opened> {
  return new Promise((resolve) => {
    watch.onEnd(() => resolve({ stream: undefined }));
    Promise.resolve()
      .then(() => makeModel(watch.signal).doStream({ ...call, abortSignal: watch.signal }))
      .then(
        ({ stream }) => {
          resolve({ stream });
          if (watch.ended && !stream.locked) void stream.cancel().catch(ignore);
        },
        (error: unknown) => resolve({ error }),
      );
  });
}

async function read(reader: Reader, watch: StreamWatch, collector: PartCollector): Promise<Reading> {
  for (let count = 1; ; count += 1) {
    const next = await reader.read().catch((error: unknown) => ({ error }));
    if (watch.ended) return { kind: 'ended' };
    if ('error' in next) return { kind: 'error', error: next.error };
    if (next.done) return { kind: 'ended' };
    const part = next.value;
    if (part.type === 'finish') return { kind: 'finish', finish: part };
    if (part.type === 'error') return { kind: 'error', error: part.error };
    if (part.type !== 'stream-start') watch.touch();
    collector.take(part);
    if (count % PARTS_PER_TICK === 0) await nextTick();
    if (watch.ended) return { kind: 'ended' };
  }
}

function drain(reader: Reader): void {
  const timer = setTimeout(() => void reader.cancel().catch(ignore), DRAIN_MS);
  timer.unref();
  const next = (): void => {
    reader.read().then(
      ({ done }) => (done ? clearTimeout(timer) : next()),
      () => clearTimeout(timer),
    );
  };
  next();
}

function finished(collector: PartCollector, finish: Finish): Attempt {
  const usage = usageOf(finish.usage);
  const reason = finish.finishReason.unified;
  if (reason === 'content-filter') return failed(collector, { code: 'model_refused', retryable: false }, usage);
  if (reason === 'interrupted' || reason === 'error') return failed(collector, EARLY_END, usage);
  if (!collector.hasAnswer) {
    const detail = reason === 'length' ? 'it reached its output limit before an answer.' : 'the answer was empty.';
    return failed(collector, { code: 'model_bad_response', retryable: true, detail }, usage);
  }
  return { kind: 'completed', parts: collector.parts(), usage, finishReason: reason };
}

function failed(collector: PartCollector, failure: ProviderFailure, usage?: Usage): Attempt {
  return { kind: 'failed', parts: collector.parts(), failure, hasBegun: !collector.isEmpty, ...(usage ? { usage } : {}) };
}

function usageOf(usage: LanguageModelV4Usage): Usage {
  return { inputTokens: tokens(usage.inputTokens.total), outputTokens: tokens(usage.outputTokens.total) };
}

/** Servers that count nothing, or count wrongly, count as zero. */
function tokens(count: number | undefined): number {
  return Number.isFinite(count) ? Math.max(0, Math.trunc(count ?? 0)) : 0;
}

function ignore(): void {}
