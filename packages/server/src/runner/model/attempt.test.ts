import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setInterval } from 'node:timers/promises';
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { type Attempt, attempt } from './attempt.ts';
import type { StepSink } from './model-port.ts';
import { StreamWatch } from './stream-watch.ts';

const SILENT_SINK: StepSink = { partStarted: () => undefined, delta: () => undefined };

/** A provider's code that hears no signal: what a stop and a timeout must not depend on. */
function deaf(open: () => Promise<ReadableStream<LanguageModelV4StreamPart>>): LanguageModelV4 {
  const doStream: LanguageModelV4['doStream'] = async () => ({ stream: await open() });
  return {
    specificationVersion: 'v4',
    provider: 'deaf',
    modelId: 'deaf',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('not used')),
    doStream,
  };
}

function run(model: LanguageModelV4, { signal = new AbortController().signal, idleTimeoutMs = 60_000, sink = SILENT_SINK } = {}): Promise<Attempt> {
  const timeouts = { firstChunkTimeoutMs: idleTimeoutMs, idleTimeoutMs };
  return attempt({ makeModel: () => model, call: { prompt: [] }, signal, sink, ownName: (name) => name, timeouts, secrets: [] });
}

function streamOf(parts: readonly LanguageModelV4StreamPart[], onCancel: () => void): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    start: (controller) => {
      for (const part of parts) controller.enqueue(part);
    },
    cancel: onCancel,
  });
}

describe('one request to a model', () => {
  it('M11: an abort ends a step whose provider never answers, and a stream that comes later is closed', async () => {
    const abort = new AbortController();
    const opened = Promise.withResolvers<ReadableStream<LanguageModelV4StreamPart>>();
    const cancelled = Promise.withResolvers<void>();
    const running = run(
      deaf(() => opened.promise),
      { signal: abort.signal },
    );
    abort.abort();
    assert.deepEqual(await running, { kind: 'aborted', parts: [] });
    opened.resolve(streamOf([], cancelled.resolve));
    await cancelled.promise;
  });

  it('M11: an abort ends a stream that hears no signal', async () => {
    const abort = new AbortController();
    const cancelled = Promise.withResolvers<void>();
    const stream = streamOf([{ type: 'text-delta', id: '1', delta: 'Half' }], cancelled.resolve);
    const sink = { ...SILENT_SINK, delta: () => void setImmediate(() => abort.abort()) };
    assert.deepEqual(
      await run(
        deaf(() => Promise.resolve(stream)),
        { signal: abort.signal, sink },
      ),
      { kind: 'aborted', parts: [{ type: 'text', text: 'Half' }] },
    );
    await cancelled.promise;
  });

  it('M8: silence of a stream that hears no signal is a timeout', async () => {
    const stream = streamOf([{ type: 'text-delta', id: '1', delta: 'Half' }], () => undefined);
    const result = await run(
      deaf(() => Promise.resolve(stream)),
      { idleTimeoutMs: 30 },
    );
    assert.equal(result.kind === 'failed' && result.failure.code, 'model_timeout');
  });

  it('M8: every part begins the wait anew, and an end is told once', async () => {
    const watch = new StreamWatch(new AbortController().signal, { firstChunkTimeoutMs: 5_000, idleTimeoutMs: 300 });
    const ended = Promise.withResolvers<void>();
    let ends = 0;
    let touches = 0;
    watch.onEnd(() => {
      ends += 1;
      ended.resolve();
    });
    for await (const part of setInterval(20, 'part')) {
      assert.equal(watch.ended, undefined, part);
      watch.touch();
      touches += 1;
      if (touches === 25) break;
    }
    await ended.promise;
    assert.equal(watch.ended, 'timeout');
    assert.ok(watch.signal.aborted);
    watch.close();
    watch.close();
    assert.equal(ends, 1);
  });

  it('M11: a watch that is closed hears no more, and leaves no listener behind', () => {
    const abort = new AbortController();
    const watch = new StreamWatch(abort.signal, { firstChunkTimeoutMs: 500, idleTimeoutMs: 100 });
    watch.close();
    abort.abort();
    assert.equal(watch.ended, undefined);
    assert.equal(watch.signal.aborted, false);
  });

  it('M2: a stream at full speed lets others in between', async () => {
    const delta: LanguageModelV4StreamPart = { type: 'text-delta', id: '1', delta: 'x' };
    const usage = { inputTokens: { total: -4, noCache: 0, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: undefined, text: 0, reasoning: 0 } };
    const finish: LanguageModelV4StreamPart = { type: 'finish', usage, finishReason: { unified: 'stop', raw: undefined } };
    let turns = 0;
    let isRunning = true;
    const others = (): void => {
      turns += 1;
      if (isRunning) setImmediate(others);
    };
    setImmediate(others);
    const result = await run(deaf(() => Promise.resolve(streamOf([...Array.from({ length: 2_000 }, () => delta), finish], () => undefined))));
    isRunning = false;
    assert.equal(result.kind, 'completed');
    assert.deepEqual(result.usage, { inputTokens: 0, outputTokens: 0 });
    assert.ok(turns > 30, `${turns} turns`);
  });
});
