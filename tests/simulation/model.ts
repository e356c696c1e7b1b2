import type { ModelPort, StepOutcome, StepPart, StepRequest, StepSink } from '@tendon/server/parts';
import { SERVER_TOOL } from './server-tool.ts';
import type { World } from './world.ts';

const USAGE = { inputTokens: 10, outputTokens: 5 };
/** The real port gives a silent provider up after two minutes; the world's day is shorter. */
const HANG_MS = 8_000;

/**
 * What a provider does, with the times and faults of one: answers with text, reasoning and calls, fails before or in the middle, says
 * nothing for long. Obeys its signal as the real port does.
 */
export function simulatedModel(world: World): ModelPort {
  return {
    step: (request, sink) => step(world, request, sink),
    list: async () => [],
    defaultModel: async () => 'demo',
    check: () => undefined,
    warmUp: () => undefined,
  };
}

async function step(world: World, request: StepRequest, sink: StepSink): Promise<StepOutcome> {
  const { random, time } = world;
  world.judge.modelAsked(request.history);
  const parts: StepPart[] = [];
  const pause = async (ms: number): Promise<boolean> => {
    await Promise.race([time.wait(ms), aborted(request.signal)]);
    return request.signal.aborted;
  };
  if (await pause(random.between(1, 60))) return { kind: 'aborted', parts };
  if (random.chance(0.04) && (await pause(HANG_MS))) return { kind: 'aborted', parts };
  if (random.chance(0.06)) return { kind: 'failed', parts, error: { code: 'model_unavailable', message: 'The model is away.' }, retryable: true };
  for (const part of plannedParts(world, request)) {
    const index = parts.length;
    sink.partStarted(index, part.type === 'tool_call' ? { type: 'tool_call', tool: part.tool } : { type: part.type });
    const whole = part.type === 'tool_call' ? part.inputText : part.text;
    const pieces = 1 + random.below(4);
    for (let piece = 0; piece < pieces; piece += 1) {
      sink.delta(index, whole.slice(Math.floor((whole.length * piece) / pieces), Math.floor((whole.length * (piece + 1)) / pieces)));
      if (await pause(random.between(1, random.chance(0.1) ? 1_500 : 80))) return { kind: 'aborted', parts };
    }
    parts.push(part);
    if (random.chance(0.02))
      return { kind: 'failed', parts, error: { code: 'model_bad_response', message: 'The stream broke off.' }, retryable: true, usage: USAGE };
  }
  return { kind: 'completed', parts, usage: USAGE, finishReason: parts.some((part) => part.type === 'tool_call') ? 'tool-calls' : 'stop' };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Fewer calls the longer the work goes on, so that every turn comes to an end. */
function plannedParts({ random, newId }: World, request: StepRequest): StepPart[] {
  const parts: StepPart[] = [];
  if (random.chance(0.2)) parts.push({ type: 'reasoning', text: `thinking ${newId()}` });
  parts.push({ type: 'text', text: `an answer ${newId()}` });
  const sinceSpoken = request.history.length - 1 - request.history.findLastIndex((item) => item.message.role === 'user');
  const canUseTools = request.tools.some((tool) => tool.name === 'bash');
  if (!canUseTools || !random.chance(0.75 / (1 + sinceSpoken))) return parts;
  const count = 1 + random.below(3);
  const hasServerTool = request.tools.some((tool) => tool.name === SERVER_TOOL);
  for (let index = 0; index < count; index += 1) parts.push(plannedCall(random.below(12), { token: newId(), hasServerTool }));
  return parts;
}

function plannedCall(kind: number, { token, hasServerTool }: { token: string; hasServerTool: boolean }): StepPart {
  const call = (tool: string, input: unknown): StepPart => ({ type: 'tool_call', tool, inputText: JSON.stringify(input) });
  if (hasServerTool && kind < 3) return call(SERVER_TOOL, { word: token, timeoutMs: 15_000 });
  if (kind < 5) return call('bash', { command: `work ${token}` });
  if (kind === 5) return call('bash', { command: `hang ${token}`, timeoutMs: 4_000 });
  if (kind === 6) return call('bash', { command: `forbidden ${token}` });
  if (kind === 7) return call('write_file', { path: `${token}.txt`, content: 'x' });
  if (kind === 8) return call('read_file', { path: 'a.txt' });
  if (kind === 9) return call('update_plan', { steps: [{ step: 'think', status: 'done' }] });
  if (kind === 10) return call('ask_user_questions', { questions: [{ question: `Which? ${token}`, options: [{ label: 'a' }, { label: 'b' }] }] });
  return { type: 'tool_call', tool: 'bash', inputText: '{"command":' };
}
