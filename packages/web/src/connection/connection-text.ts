import type { ConnectionState } from '@tendon/client';

/** One word for the dot, and the sentence for the bar when there is something to say. */
export interface ConnectionText {
  readonly tone: 'good' | 'wait' | 'bad';
  readonly word: string;
  readonly bar?: string;
}

export function connectionText(state: ConnectionState, now: number): ConnectionText {
  switch (state.kind) {
    case 'online':
      return { tone: 'good', word: 'Connected' };
    case 'connecting':
      // The first connection of a page takes a moment: no alarm for it.
      return state.attempt <= 1 ? { tone: 'wait', word: 'Connecting' } : { tone: 'wait', word: 'Connecting', bar: 'Connecting again.' };
    case 'waiting':
      return { tone: 'wait', word: 'Offline', bar: `${sentence(state.reason.message)} ${countdown(state.retryAt, now)}` };
    case 'failed':
      return { tone: 'bad', word: 'Not connected', bar: sentence(state.reason.message) };
    case 'closed':
      return { tone: 'bad', word: 'Closed', bar: 'This page has closed its connection. Reload it.' };
  }
}

function countdown(retryAt: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((retryAt - now) / 1_000));
  return seconds === 0 ? 'Trying again now.' : `Trying again in ${seconds} s.`;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'The connection is lost.';
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
