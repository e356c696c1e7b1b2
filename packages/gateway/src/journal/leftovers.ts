import type { Log } from '@tendon/protocol';
import { type ToolResult, textResult } from '@tendon/protocol';
import { killCallProcesses, type ProcessBook } from '@tendon/system';
import type { Journal } from './journal.ts';

export const OUTCOME_UNKNOWN =
  'The gateway on this machine stopped while this ran. It had started, and no one can say whether it finished. What was left of it has been ended. Look at its effects before running it again.';

export const BOOK_FAULT = 'what runs in the background could not be noted down: should this gateway be killed, the next start will not end it';

/** Ends what a dead predecessor has left running, and records those calls as unknown: they are never run again by themselves. */
export async function settleLeftovers(journal: Journal, log: Log, endProcesses = killCallProcesses): Promise<void> {
  const open = [...journal.entries()].filter((entry) => entry.result === undefined);
  await Promise.all(
    open.map(async ({ callId, tool, leader }) => {
      await endProcesses({ callId, leader });
      const result: ToolResult = textResult('unknown', OUTCOME_UNKNOWN);
      const appended = await journal.append({ kind: 'done', callId, result });
      log.warn(
        { callId, tool, ...(appended.ok ? {} : { reason: `not journaled: ${appended.reason}` }) },
        'a call was running when the gateway died: its outcome is unknown',
      );
    }),
  );
}

/** The same for what commands had left running in the background. Their calls were over: what they answered stays as it is. */
export async function endBackground(book: Pick<ProcessBook, 'endLeftovers'>, log: Log): Promise<void> {
  const calls = await book.endLeftovers();
  for (const callId of calls) log.warn({ callId }, 'what ran in the background when the gateway died has been ended');
}
