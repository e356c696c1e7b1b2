import type { Attachment } from '@tendon/protocol';
import type { OutboxMessage, OutboxStorage } from '../types.ts';

/** What the keys of `webStorageOutbox` begin with. */
export const OUTBOX_PREFIX = 'tendon.outbox.';

/** The part of the DOM's `Storage` that is used. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Keeps the outbox for as long as the process lives. */
export function memoryOutbox(): OutboxStorage {
  const messages = new Map<string, OutboxMessage>();
  return {
    list: () => [...messages.values()],
    put: (message) => void messages.set(message.messageId, message),
    remove: (messageId) => void messages.delete(messageId),
  };
}

/** Keeps the outbox in `localStorage`, one key per message, so that tabs do not overwrite each other. Unreadable entries are left out. */
export function webStorageOutbox(storage: WebStorage): OutboxStorage {
  return {
    list() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key?.startsWith(OUTBOX_PREFIX) === true);
      return keys.map((key) => readMessage(storage.getItem(key ?? ''))).filter((message) => message !== undefined);
    },
    put: (message) => storage.setItem(OUTBOX_PREFIX + message.messageId, JSON.stringify(message)),
    remove: (messageId) => storage.removeItem(OUTBOX_PREFIX + messageId),
  };
}

/** What an older page wrote, or a person edited, is outside input: only what has the right shape comes back. */
function readMessage(text: string | null): OutboxMessage | undefined {
  if (text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isOutboxMessage(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isOutboxMessage(value: unknown): value is OutboxMessage {
  if (typeof value !== 'object' || value === null) return false;
  const message = value as Partial<Record<keyof OutboxMessage, unknown>>;
  const strings = [message.sessionId, message.messageId, message.text, message.createdAt];
  if (!strings.every((field) => typeof field === 'string')) return false;
  if (message.mode !== 'queue' && message.mode !== 'interrupt') return false;
  if (message.state !== 'waiting' && message.state !== 'sending' && message.state !== 'refused') return false;
  return message.attachments === undefined || isAttachmentList(message.attachments);
}

function isAttachmentList(value: unknown): value is Attachment[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && typeof (item as Attachment).attachmentId === 'string');
}
