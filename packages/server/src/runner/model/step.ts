import { setTimeout as delay } from 'node:timers/promises';
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { type Attempt, type AttemptContext, attempt } from './attempt.ts';
import { faultOf, type ProviderFailure, readFailure } from './faults.ts';
import type { ModelConfig, ModelTool, StepOutcome, StepRequest, StepSink } from './model-port.ts';
import { buildPrompt } from './prompt.ts';
import { type ModelName, PROVIDERS, type ProviderLoader } from './providers.ts';
import { modelToolName, ownToolNames } from './tool-names.ts';
import { historyWindow } from './window.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const MAX_RETRIES = 2;
const FIRST_DELAY_MS = 500;
/** A provider that asks for a longer wait is not waited for: the person is told instead. */
const LONGEST_WAIT_MS = 20_000;
/** When the model says that the history is too long, it is asked once more with this share of it. */
const SHORTER_SHARE = 0.25;

export interface StepContext {
  readonly config: ModelConfig;
  readonly loader: ProviderLoader;
  /** From 0 to 1, for the jitter of retries. */
  readonly random: () => number;
}

/** One call of a provider's model, from history to outcome. */
export async function providerStep(name: ModelName, request: StepRequest, { sink, context }: { sink: StepSink; context: StepContext }): Promise<StepOutcome> {
  const secrets = secretsOf(context.config);
  const loaded = await context.loader.modelMaker(name).then(
    (makeModel) => ({ makeModel }),
    (error: unknown) => ({ error }),
  );
  if (request.signal.aborted) return { kind: 'aborted', parts: [] };
  if ('error' in loaded) return outcome(name, { kind: 'failed', parts: [], hasBegun: false, failure: readFailure(loaded.error, secrets) });
  const base = {
    makeModel: loaded.makeModel,
    signal: request.signal,
    sink,
    ownName: ownToolNames(request.tools),
    secrets,
    timeouts: {
      firstChunkTimeoutMs: context.config.firstChunkTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      idleTimeoutMs: context.config.idleTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    },
  };
  const budget = context.config.historyChars ?? PROVIDERS[name.provider].historyChars;
  const whole = await withRetries({ ...base, call: callOptions(name, request, budget) }, context.random);
  const isTooLong = whole.kind === 'failed' && whole.failure.code === 'model_context_full' && !whole.hasBegun;
  if (!isTooLong) return outcome(name, whole);
  return outcome(name, await withRetries({ ...base, call: callOptions(name, request, shorterBudget(request, budget)) }, context.random));
}

function shorterBudget(request: StepRequest, budget: number): number {
  const used = JSON.stringify(historyWindow(request.history, budget).items.map((item) => [item.message.parts, item.calls])).length;
  return Math.floor(Math.min(budget, used) * SHORTER_SHARE);
}

function callOptions(name: ModelName, request: StepRequest, budgetChars: number): Omit<LanguageModelV4CallOptions, 'abortSignal'> {
  const traits = PROVIDERS[name.provider];
  const { items, omitted } = historyWindow(request.history, budgetChars);
  const prompt = buildPrompt({ instructions: request.instructions, history: items, omitted, images: traits.images, cachesPrompt: traits.cachesPrompt });
  const tools = functionTools(request.tools);
  return { prompt, ...(tools.length > 0 ? { tools } : {}), ...(traits.options ? { providerOptions: traits.options } : {}) };
}

/** The first of two tools with one name is offered: providers refuse a list that names one twice. */
function functionTools(tools: readonly ModelTool[]): NonNullable<LanguageModelV4CallOptions['tools']> {
  const byName = new Map(tools.toReversed().map((tool) => [modelToolName(tool.name), tool]));
  const ordered = new Set(tools.map((tool) => modelToolName(tool.name)));
  return [...ordered].flatMap((name) => {
    const tool = byName.get(name);
    return tool ? [{ type: 'function' as const, name, description: tool.description, inputSchema: { ...tool.inputSchema, type: 'object' as const } }] : [];
  });
}

/** Before the first part, and only then, a busy or broken provider is asked again. */
async function withRetries(context: AttemptContext, random: () => number): Promise<Attempt> {
  for (let retry = 0; ; retry += 1) {
    const result = await attempt(context);
    if (result.kind !== 'failed' || result.hasBegun || retry === MAX_RETRIES) return result;
    const waitMs = retryDelayMs(result.failure, retry, random());
    if (waitMs === undefined) return result;
    const isAborted = await delay(waitMs, false, { signal: context.signal }).catch(() => true);
    if (isAborted) return { kind: 'aborted', parts: [] };
  }
}

/** How long to wait before asking again; undefined when asking again is of no use. */
export function retryDelayMs(failure: ProviderFailure, retry: number, random: number): number | undefined {
  const mayPass = failure.retryable && (failure.code === 'model_rate_limited' || failure.code === 'model_unavailable');
  if (!mayPass || (failure.retryAfterMs ?? 0) > LONGEST_WAIT_MS) return undefined;
  const backoffMs = FIRST_DELAY_MS * 2 ** retry * (0.5 + random / 2);
  return Math.round(failure.retryAfterMs ?? backoffMs);
}

function outcome(name: ModelName, result: Attempt): StepOutcome {
  if (result.kind !== 'failed') return result;
  const { parts, failure, usage } = result;
  return { kind: 'failed', parts, error: faultOf(name, failure), retryable: failure.retryable, ...(usage ? { usage } : {}) };
}

function secretsOf(config: ModelConfig): string[] {
  return [config.openaiKey, config.anthropicKey, config.googleKey, config.compatibleKey].filter((key) => key !== undefined);
}
