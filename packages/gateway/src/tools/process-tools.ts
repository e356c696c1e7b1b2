import { textResult } from '@tendon/protocol';
import type { KeptCommand, ShellEnd } from './background.ts';
import { ToolFault } from './faults.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';

/** What one answer holds. */
const PIECE_BYTES = 48 * 1024;
const COMMAND_SHOWN = 200;

export const listProcessesTool: LocalTool<'list_processes'> = {
  name: 'list_processes',
  run: async (_input, { background, sessionId }) => {
    const kept = background.ofSession(sessionId);
    if (kept.length === 0) return textResult('succeeded', 'Nothing of this session runs in the background, and no long output is kept.');
    return textResult(
      'succeeded',
      kept
        .map(
          (one) =>
            `${one.id}  ${stateOf(one)}  ${one.spool.totalBytes} bytes of output  ${one.terminal && !one.ended ? '(terminal) ' : ''}${shortened(one.command)}`,
        )
        .join('\n'),
    );
  },
};

export const readProcessTool: LocalTool<'read_process'> = {
  name: 'read_process',
  run: async (input, context) => {
    const kept = requireKept(context, input.id);
    const from = input.fromByte ?? kept.spool.keptBytes;
    const isNewsless = (): boolean => !context.signal.aborted && kept.ended === undefined && kept.spool.keptBytes <= from && !isBeyond(kept, from);
    const until = performance.now() + (input.waitMs ?? 0);
    while (isNewsless() && performance.now() < until) await context.background.changed(kept, Math.min(250, Math.max(1, until - performance.now())));
    if (context.signal.aborted) return endedEarly(endReason(context.signal), '');
    return textResult('succeeded', pieceOf(kept, input));
  },
};

export const stopProcessTool: LocalTool<'stop_process'> = {
  name: 'stop_process',
  run: async ({ id }, context) => {
    const kept = requireKept(context, id);
    const hasStopped = await context.background.stop(context.sessionId, id);
    return textResult('succeeded', hasStopped ? `${id} is stopped, with everything it had started.` : `${id} had ended already: ${stateOf(kept)}.`);
  },
};

export function requireKept({ background, sessionId }: ToolContext, id: string): KeptCommand {
  const kept = background.find(sessionId, id);
  if (kept) return kept;
  const known = background.ofSession(sessionId).map((one) => one.id);
  const has = known.length === 0 ? 'It has none.' : `It has: ${known.join(', ')}.`;
  if (background.isEarlier(id))
    throw new ToolFault(
      'not_found',
      `${id} is from before the gateway on this machine was started anew: it ended then, and its output is gone. ${has} Start the command again if it is still needed.`,
    );
  throw new ToolFault('not_found', `This session has no process ${JSON.stringify(id)}. ${has} They end with the gateway.`);
}

/** A piece of the output between a line that says what it is of, and one that says how to read on. */
export function pieceOf(kept: KeptCommand, { fromByte }: { readonly fromByte?: number | undefined }): string {
  const { keptBytes, totalBytes } = kept.spool;
  if (fromByte !== undefined && isBeyond(kept, fromByte))
    throw new ToolFault(
      'out_of_range',
      `The output of ${kept.id} is full: only its first ${keptBytes} bytes are kept, of ${totalBytes} so far, and none from there on will be. Start the command again with its output in a file, or with less of it.`,
    );
  if (fromByte !== undefined && fromByte > keptBytes)
    throw new ToolFault('out_of_range', `The output of ${kept.id} has ${keptBytes} bytes so far. Give a fromByte up to that.`);
  const piece = kept.spool.read(fromByte ?? -PIECE_BYTES, PIECE_BYTES);
  const lost = totalBytes > keptBytes ? `, of which the first ${keptBytes} are kept` : '';
  const head = `[${kept.id}, ${stateOf(kept)}; bytes ${piece.from} to ${piece.to} of ${totalBytes}${lost}]`;
  return `${head}\n${piece.text === '' ? '(nothing)' : piece.text}${nextOf(kept, piece.to)}`;
}

function nextOf({ spool, ended }: KeptCommand, to: number): string {
  if (to < spool.keptBytes) return `\n[Read on with fromByte ${to}.]`;
  if (spool.totalBytes > spool.keptBytes) return '\n[The output is full: what came after this is not kept, and nothing more will be.]';
  return ended ? '' : `\n[What comes next: fromByte ${to}.]`;
}

/** Whether nothing will ever stand there, because the output is full before. */
function isBeyond({ spool }: KeptCommand, byte: number): boolean {
  return spool.totalBytes > spool.keptBytes && byte > spool.keptBytes;
}

function stateOf({ ended, startedAt }: KeptCommand): string {
  if (!ended) return `running for ${seconds(new Date(), startedAt)} s`;
  return `ended${wordsOf(ended.end)} after ${seconds(ended.at, startedAt)} s`;
}

/** Empty where nobody knows how it ended. */
function wordsOf(end: ShellEnd | undefined): string {
  if (typeof end?.exitCode === 'number') return ` with exit code ${end.exitCode}`;
  return end?.signal ? ` by ${end.signal}` : '';
}

function seconds(until: Date, since: Date): number {
  return Math.max(0, Math.round((until.getTime() - since.getTime()) / 1_000));
}

function shortened(command: string): string {
  const line = command.replaceAll(/\s+/g, ' ');
  return line.length > COMMAND_SHOWN ? `${line.slice(0, COMMAND_SHOWN).toWellFormed()}…` : line;
}
