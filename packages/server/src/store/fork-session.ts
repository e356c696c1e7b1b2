import type { SessionEvent } from '@tendon/protocol';
import { publicSession, type SessionState } from '../kernel/index.ts';
import type { LoadedSession } from './committer.ts';
import type { Database } from './database.ts';
import { plainText } from './parameters.ts';
import { run } from './queries.ts';
import { toState, toStoredMessage } from './rows.ts';
import type { Fork, ForkOutcome } from './session-store.ts';
import { forkSession } from './sql/fork-session.ts';
import { loadSession } from './sql/load-session.ts';

const NO_USAGE = { inputTokens: 0, outputTokens: 0 };

/**
 * Reads where the fork begins, then makes it in one statement. Between the two nothing that it takes over can change: a message that has
 * its place keeps it, and so does the end of a call.
 */
export async function makeFork(database: Database, { sessionId, ownerId, messageId, id, title, at }: Fork): Promise<ForkOutcome> {
  const [loaded] = await run<LoadedSession>(database, loadSession, [sessionId, ownerId, messageId, null]);
  const row = loaded?.focus_message;
  if (!loaded || !row || row.session_id !== sessionId) return { ok: false, reason: 'not_found' };
  const { message } = toStoredMessage(row);
  if (message.state === 'queued') return { ok: false, reason: 'queued' };
  const source = toState(loaded.session, [], []);
  // Before a person's message, to say it in another way; behind one of the agent, to go on from there.
  const lastSeq = message.role === 'user' ? message.seq - 1 : message.seq;
  const seq = lastSeq + 1;
  const state: SessionState = {
    ...{ id, ownerId, title: plainText(title(source.title)), model: source.model, createdAt: at, updatedAt: at, seq },
    ...(source.gatewayId === undefined ? {} : { gatewayId: source.gatewayId }),
    ...(source.workspace === undefined ? {} : { workspace: source.workspace }),
    ...{ archived: false, stopGeneration: 0, held: false, steps: 0, usage: NO_USAGE, calls: [], queue: [] },
  };
  const data = { session: publicSession(state) };
  const values = [id, sessionId, ownerId, lastSeq, state.title, at, JSON.stringify(NO_USAGE), seq, JSON.stringify(data)];
  const [made] = await run<{ made: number; open: number; unnamed: number }>(database, forkSession, values);
  if (made && made.open > 0) return { ok: false, reason: 'unfinished' };
  if (made && made.unnamed > 0) throw new Error(`session ${sessionId} has ${made.unnamed} calls that its messages do not name`);
  if (!made || made.made === 0) return { ok: false, reason: 'not_found' };
  const event: SessionEvent = { sessionId: id, seq, at, type: 'session.updated', data };
  return { ok: true, state, events: [event] };
}
