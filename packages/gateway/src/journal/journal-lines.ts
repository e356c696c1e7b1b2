import { idSchema, type ToolResult, toolResultSchema } from '@tendon/protocol';
import type { ProcessIdentity } from '@tendon/system';
import { z } from 'zod';

/*
 * A call in the journal:
 *
 *   (none) ──started──► started ──running──► started, with its process ──done──► done ──forgotten──► forgotten
 *                          └───────────────────done──────────────────────►┘
 *
 * The file is one JSON object a line; the first names the instance. Folding the lines gives the state.
 */

const identitySchema = z.object({ pid: z.number().int().positive(), startedAt: z.string(), bootId: z.string() });

const headerSchema = z.object({ kind: z.literal('journal'), version: z.literal(1), instanceId: idSchema });

const lineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), callId: idSchema, tool: z.string(), inputHash: z.string(), at: z.string() }),
  z.object({ kind: z.literal('running'), callId: idSchema, leader: identitySchema }),
  z.object({ kind: z.literal('done'), callId: idSchema, result: toolResultSchema }),
  z.object({ kind: z.literal('forgotten'), callId: idSchema }),
]);

export type JournalHeader = z.infer<typeof headerSchema>;
export type JournalLine = z.infer<typeof lineSchema>;

export interface JournalEntry {
  readonly callId: string;
  readonly tool: string;
  readonly inputHash: string;
  readonly at: string;
  readonly leader?: ProcessIdentity;
  readonly result?: ToolResult;
}

export interface JournalState {
  readonly entries: Map<string, JournalEntry>;
  /** Calls that are over and acknowledged, oldest first: a late repeat of their dispatch must not start them again. */
  readonly forgotten: Set<string>;
}

const MAX_FORGOTTEN = 10_000;

export function emptyState(): JournalState {
  return { entries: new Map(), forgotten: new Set() };
}

/** Adds one line to the state. Lines that no longer mean anything change nothing. */
export function fold(state: JournalState, line: JournalLine): void {
  const entry = state.entries.get(line.callId);
  switch (line.kind) {
    case 'started':
      if (!entry) state.entries.set(line.callId, { callId: line.callId, tool: line.tool, inputHash: line.inputHash, at: line.at });
      return;
    case 'running':
      if (entry) state.entries.set(line.callId, { ...entry, leader: line.leader });
      return;
    case 'done':
      if (entry && !entry.result) state.entries.set(line.callId, { ...entry, result: line.result });
      return;
    case 'forgotten':
      state.entries.delete(line.callId);
      state.forgotten.add(line.callId);
      for (const oldest of state.forgotten) {
        if (state.forgotten.size <= MAX_FORGOTTEN) break;
        state.forgotten.delete(oldest);
      }
  }
}

export type Reading =
  | { readonly kind: 'read'; readonly instanceId: string; readonly state: JournalState; readonly goodBytes: number; readonly isTorn: boolean }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * Reads a whole journal. A faulty end (a line cut off by a crash, and whatever follows nothing good) is left out: what it was about was never
 * synced, so it never began. A faulty line with good ones after it means that the file cannot be trusted.
 */
export function readJournal(bytes: Uint8Array): Reading {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerEnd = buffer.indexOf(10);
  const header = headerSchema.safeParse(parseJson(buffer.subarray(0, Math.max(0, headerEnd))));
  if (!header.success) return { kind: 'unreadable', reason: 'its first line is not a journal header' };
  const state = emptyState();
  let goodBytes = headerEnd + 1;
  let faultAt: number | undefined;
  for (let from = goodBytes; from < buffer.length; ) {
    const end = buffer.indexOf(10, from);
    const line = end === -1 ? undefined : lineSchema.safeParse(parseJson(buffer.subarray(from, end))).data;
    if (!line) faultAt ??= from;
    else if (faultAt !== undefined) return { kind: 'unreadable', reason: `the line at byte ${faultAt} is damaged` };
    else {
      fold(state, line);
      goodBytes = end + 1;
    }
    from = end === -1 ? buffer.length : end + 1;
  }
  return { kind: 'read', instanceId: header.data.instanceId, state, goodBytes, isTorn: faultAt !== undefined };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The shortest journal that means the same. */
export function compacted(instanceId: string, state: JournalState): string {
  const header: JournalHeader = { kind: 'journal', version: 1, instanceId };
  const lines: (JournalHeader | JournalLine)[] = [header];
  for (const callId of state.forgotten) lines.push({ kind: 'forgotten', callId });
  for (const { callId, tool, inputHash, at, leader, result } of state.entries.values()) {
    lines.push({ kind: 'started', callId, tool, inputHash, at });
    if (leader) lines.push({ kind: 'running', callId, leader });
    if (result) lines.push({ kind: 'done', callId, result });
  }
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
