import { setTimeout as delay, setImmediate as nextTick } from 'node:timers/promises';
import { announcement, HELP, missingToolText, resultsText } from './demo-answer.ts';
import { type DemoCommand, demoCommand } from './demo-commands.ts';
import type { HistoryItem, StepOutcome, StepPart, StepRequest, StepSink } from './model-port.ts';

/** A part of the demo's answer, cut into the pieces in which it streams. */
interface ScriptPart {
  readonly part: StepPart;
  readonly pieces: readonly string[];
  /** Pause after each piece, when it is not the usual one. */
  readonly paceMs?: number;
}

/** About twenty words a second. */
const SLOW_PACE_MS = 50;
/** A long text streams in at most so many pieces, so that it never takes longer than a second or two. */
const MOST_PIECES = 150;
const NUMBERS_PER_PIECE = 10;
/** At full pace the event loop is left free after so many pieces. */
const PIECES_PER_TICK = 32;

/**
 * The `demo` provider: a script behind the same port as the real models, so that everything can be tried without a network. The same
 * history always gives the same answer. `paceMs` is the pause between two pieces.
 */
export async function demoStep(request: StepRequest, sink: StepSink, paceMs: number): Promise<StepOutcome> {
  const script = demoScript(request);
  const done: StepPart[] = [];
  let pieces = 0;
  for (const [index, { part, pieces: texts, paceMs: ownPaceMs }] of script.entries()) {
    if (request.signal.aborted) return { kind: 'aborted', parts: done };
    sink.partStarted(index, part.type === 'tool_call' ? { type: 'tool_call', tool: part.tool } : { type: part.type });
    let said = '';
    for (const text of texts) {
      sink.delta(index, text);
      said += text;
      pieces += 1;
      await pause(ownPaceMs ?? paceMs, { pieces, signal: request.signal });
      if (request.signal.aborted) return { kind: 'aborted', parts: [...done, withText(part, said)] };
    }
    done.push(part);
  }
  const hasCalls = done.some((part) => part.type === 'tool_call');
  const usage = { inputTokens: request.history.length, outputTokens: pieces };
  return { kind: 'completed', parts: done, usage, finishReason: hasCalls ? 'tool-calls' : 'stop' };
}

function withText(part: StepPart, text: string): StepPart {
  return part.type === 'tool_call' ? { ...part, inputText: text } : { ...part, text };
}

async function pause(paceMs: number, { pieces, signal }: { pieces: number; signal: AbortSignal }): Promise<void> {
  if (paceMs > 0) await delay(paceMs, undefined, { signal }).catch(() => undefined);
  else if (pieces % PIECES_PER_TICK === 0) await nextTick();
}

/** What the demo says to this history. Pure. */
function demoScript({ history, tools }: Pick<StepRequest, 'history' | 'tools'>): ScriptPart[] {
  const last = history.findLast((item) => item.message.state !== 'queued' && !isBrokenTry(item));
  if (!last) return [spoken(HELP)];
  if (last.calls.length > 0) return [spoken(resultsText(last.calls))];
  if (last.message.role === 'assistant') return [spoken('I have said all I had to say. What next?')];
  const text = last.message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
  return commandScript(demoCommand(text), new Set(tools.map((tool) => tool.name)));
}

function isBrokenTry(item: HistoryItem): boolean {
  return item.message.role === 'assistant' && item.message.state !== 'complete' && item.calls.length === 0;
}

function commandScript(command: DemoCommand, tools: ReadonlySet<string>): ScriptPart[] {
  switch (command.kind) {
    case 'help':
      return [spoken(HELP)];
    case 'count':
      return [counted(command.to, command.isSlow)];
    case 'think': {
      const about = command.about.replace(/\s+/g, ' ').slice(0, 200).toWellFormed();
      const reasoning = `The person wants me to think about ${about}. I am a script, so I go through the motions: what is known, what is missing, what would be the smallest next step?`;
      return [
        { part: { type: 'reasoning', text: reasoning }, pieces: words(reasoning) },
        spoken(`I thought about ${about}. The smallest next step is to look before changing anything: try \`find *\` or \`read README.md\`.`),
      ];
    }
    case 'calls': {
      const missing = command.calls.find((call) => !tools.has(call.tool));
      if (missing) return [spoken(missingToolText(missing.tool))];
      const calls = command.calls.map(({ tool, input }): ScriptPart => {
        const inputText = JSON.stringify(input);
        return { part: { type: 'tool_call', tool, inputText }, pieces: slices(inputText) };
      });
      return [spoken(announcement(command.calls)), ...calls];
    }
  }
}

function spoken(text: string): ScriptPart {
  return { part: { type: 'text', text }, pieces: words(text) };
}

function counted(to: number, isSlow: boolean): ScriptPart {
  const numbers = Array.from({ length: to }, (_, index) => `${index + 1}${index + 1 < to ? ' ' : ''}`);
  if (numbers.length === 0) return spoken('There is nothing to count.');
  const part: StepPart = { type: 'text', text: numbers.join('') };
  return isSlow ? { part, pieces: numbers, paceMs: SLOW_PACE_MS } : { part, pieces: grouped(numbers, NUMBERS_PER_PIECE) };
}

function words(text: string): string[] {
  const all = text.match(/\s*\S+\s*/g) ?? [];
  return grouped(all, Math.ceil(all.length / MOST_PIECES));
}

function slices(text: string): string[] {
  const letters = Array.from(text);
  return grouped(letters, Math.max(12, Math.ceil(letters.length / MOST_PIECES)));
}

function grouped(pieces: readonly string[], size: number): string[] {
  const groups: string[] = [];
  for (let start = 0; start < pieces.length; start += size) groups.push(pieces.slice(start, start + size).join(''));
  return groups;
}
