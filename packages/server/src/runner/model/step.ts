import { setTimeout as delay } from 'node:timers/promises';
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { type Attempt, type AttemptContext, attempt } from './attempt.ts';
import { faultOf, type ProviderFailure, readFailure } from './faults.ts';
import type { ModelConfig, ModelTool, StepOutcome, StepRequest, StepSink } from './model-port.ts';
import { buildPrompt, carriesPicture } from './prompt.ts';
import { type ModelName, PROVIDERS, type ProviderLoader } from './providers.ts';
import type { RefusedPictures } from './refused-pictures.ts';
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
  readonly refused: RefusedPictures;
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
  const { refused, random } = context;
  const ask = (budgetChars: number): Promise<Attempt> =>
    withoutRefused({ name, request, budgetChars, refused }, (call) => withRetries({ ...base, call }, random));
  const whole = await ask(budget);
  const isTooLong = whole.kind === 'failed' && whole.failure.code === 'model_context_full' && !whole.hasBegun;
  return outcome(name, isTooLong ? await ask(shorterBudget(request, budget)) : whole);
}

interface Question {
  readonly name: ModelName;
  readonly request: StepRequest;
  readonly budgetChars: number;
  readonly refused: RefusedPictures;
}

type CallOptions = Omit<LanguageModelV4CallOptions, 'abortSignal'>;

/**
 * A picture that a provider cannot take makes it refuse the whole request, and each further one of the session with it. So a request with
 * pictures that is refused is sent once more without them; when that is taken, they are left out from then on.
 */
async function withoutRefused(question: Question, send: (call: CallOptions) => Promise<Attempt>): Promise<Attempt> {
  const { name, refused } = question;
  const { call, pictures } = callOptions(question, (messageId) => refused.has(name, messageId));
  const first = await send(call);
  if (!isRefused(first) || pictures.length === 0) return first;
  const second = await send(callOptions(question, (messageId) => refused.has(name, messageId) || pictures.includes(messageId)).call);
  // It was not the pictures.
  if (isRefused(second)) return first;
  if (second.kind === 'completed' || second.parts.length > 0) refused.add(name, pictures);
  return second;
}

function isRefused(result: Attempt): boolean {
  return result.kind === 'failed' && result.failure.code === 'model_bad_response' && !result.failure.retryable && !result.hasBegun;
}

function shorterBudget(request: StepRequest, budget: number): number {
  const used = JSON.stringify(historyWindow(request.history, budget).items.map((item) => [item.message.parts, item.calls])).length;
  return Math.floor(Math.min(budget, used) * SHORTER_SHARE);
}

/** The request, and the messages of which it has pictures. */
function callOptions({ name, request, budgetChars }: Question, refused: (messageId: string) => boolean): { call: CallOptions; pictures: string[] } {
  const { images, cachesPrompt, options } = PROVIDERS[name.provider];
  const { items, omitted } = historyWindow(request.history, budgetChars);
  const prompt = buildPrompt({ instructions: request.instructions, history: items, omitted, images, refused, cachesPrompt });
  const tools = functionTools(request.tools);
  const pictures = items.filter((item) => carriesPicture(item, images) && !refused(item.message.id)).map((item) => item.message.id);
  return { call: { prompt, ...(tools.length > 0 ? { tools } : {}), ...(options ? { providerOptions: options } : {}) }, pictures };
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
