import { pino } from 'pino';
import { v7 } from 'uuid';
import { type Input, type InputOf, type RequestedCall, type SessionState, transition } from '../kernel/index.ts';
import { createStore, type Store } from './create-store.ts';
import { connect, type Database } from './database.ts';
import type { CommitOutcome, CommitRequest, Committed } from './session-store.ts';

/** What the contract suite works with: two nodes on one database, and a person with one session. */
export interface Rig extends AsyncDisposable {
  readonly database: Database;
  readonly store: Store;
  /** The same database through other connections. */
  readonly otherStore: Store;
  readonly ownerId: string;
  newPerson(): Promise<string>;
  newSession(ownerId?: string): Promise<SessionState>;
}

export const NODE = 'node-a';
export const OTHER_NODE = 'node-b';
const USAGE = { inputTokens: 1, outputTokens: 2 };

export async function openRig(url: string): Promise<Rig> {
  const log = pino({ level: 'silent' });
  const database = connect(url, log);
  const other = connect(url, log);
  const store = createStore(database);
  const newPerson = async () => {
    const id = v7();
    await database.pool.query('insert into users (id, name, email) values ($1, $2, $3)', [id, 'A person', `${id}@local.invalid`]);
    return id;
  };
  const ownerId = await newPerson();
  return {
    database,
    store,
    otherStore: createStore(other),
    ownerId,
    newPerson,
    newSession: async (owner = ownerId) =>
      (await store.create({ id: v7(), ownerId: owner, title: 'A title', model: 'demo', at: new Date().toISOString() })).state,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await other.close();
    },
  };
}

export function execute(text: string, messageId: string = v7()): InputOf<'execute'> {
  return { type: 'execute', messageId, text, attachments: [], mode: 'queue' };
}

export function requested(fields: Partial<RequestedCall> = {}): RequestedCall {
  const base = { id: v7(), tool: 'bash', kind: 'local', effect: 'execute', input: { command: 'ls' }, inputHash: 'hash', verdict: { kind: 'ask' } } as const;
  return { ...base, ...fields };
}

export function completed(state: SessionState, calls: readonly RequestedCall[] = []): InputOf<'turn_completed'> {
  return { type: 'turn_completed', messageId: state.turn?.messageId ?? '', parts: [{ type: 'text', text: 'An answer.' }], calls, model: 'demo', usage: USAGE };
}

/** A session through one of the stores. */
export interface Place {
  readonly store: Store;
  readonly id: string;
}

export function commit({ store, id }: Place, input: Input, more: Partial<CommitRequest> = {}): Promise<CommitOutcome> {
  return store.commit({ sessionId: id, input, node: NODE, ...focusOf(input), ...more }, transition);
}

/** Commits what must succeed. */
export async function done(place: Place, input: Input, more: Partial<CommitRequest> = {}): Promise<Committed> {
  const outcome = await commit(place, input, more);
  if (!outcome.ok) throw new Error(`${input.type} was refused: ${JSON.stringify(outcome)}`);
  return outcome;
}

function focusOf(input: Input): Pick<CommitRequest, 'focus'> {
  const messageId = input.type === 'execute' || input.type === 'cancel_message' ? input.messageId : undefined;
  const callId = 'callId' in input ? input.callId : undefined;
  return { focus: { messageId, callId } };
}

/** A whole turn: a person's message and its answer. */
export async function turn(store: Store, id: string, calls: readonly RequestedCall[] = []): Promise<Committed> {
  const begun = await done({ store, id }, execute('A question.'));
  return done({ store, id }, completed(begun.change.state, calls), { fence: begun.lease });
}
