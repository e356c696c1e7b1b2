import type { OutboxMessage } from '@tendon/client';
import type { Message } from '@tendon/protocol';

export type TranscriptRow =
  /** `turnCallIds`: on the last message of a turn, the calls of all its messages. */
  | { readonly kind: 'message'; readonly key: string; readonly message: Message; readonly turnCallIds?: readonly string[] }
  /** Its content is read by the row itself, so that a delta renders that row only. */
  | { readonly kind: 'live'; readonly key: string }
  | { readonly kind: 'outbox'; readonly key: string; readonly message: OutboxMessage }
  | { readonly kind: 'status'; readonly key: string };

interface RowSource {
  readonly messages: readonly Message[];
  readonly liveId: string | undefined;
  readonly outbox: readonly OutboxMessage[];
}

/**
 * The rows of a transcript: what was said, what is being said, what is on its way, and a last row for the state of the turn.
 * Queued messages stand above the composer, not here. A message keeps its key when it goes from outbox to history and from live to complete.
 */
export function transcriptRows({ messages, liveId, outbox }: RowSource): TranscriptRow[] {
  const rows: TranscriptRow[] = [];
  const known = new Set<string>();
  const shown = messages.filter((message) => message.state !== 'queued' && message.id !== liveId);
  for (const message of messages) known.add(message.id);
  let turnCallIds: string[] = [];
  for (const [index, message] of shown.entries()) {
    turnCallIds = message.role === 'user' ? [] : [...turnCallIds, ...callIdsOf(message)];
    const isEnd = shown[index + 1]?.role !== 'assistant' && turnCallIds.length > 0;
    rows.push({ kind: 'message', key: message.id, message, ...(isEnd ? { turnCallIds } : {}) });
  }
  if (liveId !== undefined) rows.push({ kind: 'live', key: liveId });
  for (const message of outbox) {
    if (!known.has(message.messageId)) rows.push({ kind: 'outbox', key: message.messageId, message });
  }
  rows.push({ kind: 'status', key: 'status' });
  return rows;
}

function callIdsOf(message: Message): string[] {
  return message.parts.flatMap((part) => (part.type === 'tool_call' ? [part.callId] : []));
}

export function queuedMessages(messages: readonly Message[]): Message[] {
  return messages.filter((message) => message.state === 'queued');
}

export function messageText(message: Message): string {
  return message.parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n\n');
}
