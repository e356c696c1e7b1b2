import { randomUUID } from 'node:crypto';
import type { Call, Part } from '@tendon/protocol';
import type { ProcessRig } from '@tendon/testing';

type Value = string | number | boolean | Date | null | readonly string[];
type Row = Readonly<Record<string, Value>>;

/** Of a session that is put into the database as it stands. */
export interface StoredSession {
  readonly title?: string;
  readonly model?: string;
  readonly gatewayId?: string;
  readonly workspace?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly status?: 'idle' | 'waiting_for_user';
  /** What the agent says in it, before its calls. */
  readonly parts?: readonly Part[];
  readonly calls?: readonly StoredCall[];
}

export type StoredCall = Pick<Call, 'tool' | 'input' | 'state'> &
  Partial<Pick<Call, 'kind' | 'effect' | 'gatewayId' | 'workspace' | 'decision' | 'result' | 'resolution'>>;

const NO_USAGE = JSON.stringify({ inputTokens: 0, outputTokens: 0 });

/** Rows written past the server: what it shows however it came there. */
export class StoredRows {
  readonly #product: ProcessRig;
  readonly ownerId: string;

  private constructor(product: ProcessRig, ownerId: string) {
    this.#product = product;
    this.ownerId = ownerId;
  }

  static async open(product: ProcessRig): Promise<StoredRows> {
    const [owner] = await product.sql<{ id: string }>(`select id from users where role = 'owner'`);
    if (!owner) throw new Error('the server has no owner');
    return new StoredRows(product, owner.id);
  }

  /** All rows have the same columns. PostgreSQL's text holds no NUL. */
  async insert(table: string, rows: readonly Row[]): Promise<void> {
    const columns = Object.keys(rows[0] ?? {});
    const places = rows.map((_, row) => `(${columns.map((_column, at) => `$${row * columns.length + at + 1}`).join(', ')})`);
    const values = rows.flatMap((row) => columns.map((column) => storable(row[column] ?? null)));
    await this.#product.sql(`insert into ${table} (${columns.join(', ')}) values ${places.join(', ')}`, values);
  }

  /** The ids of the sessions, in the order in which they were given. */
  async sessions(sessions: readonly StoredSession[]): Promise<readonly string[]> {
    const now = new Date();
    const whole = sessions.map((session) => ({ session, id: randomUUID(), messageId: randomUUID() }));
    await this.insert(
      'sessions',
      whole.map(({ session, id }) => this.#sessionRow(session, id, now)),
    );
    const withCalls = whole.map(({ session, ...ids }) => ({ session, ...ids, calls: (session.calls ?? []).map((call) => ({ call, callId: randomUUID() })) }));
    const messages = withCalls.flatMap(({ session, id, messageId, calls }) => {
      const parts = [...(session.parts ?? []), ...calls.map(({ callId }) => ({ type: 'tool_call', callId }))];
      return parts.length === 0 ? [] : [messageRow({ id: messageId, sessionId: id, parts, now })];
    });
    if (messages.length > 0) await this.insert('messages', messages);
    const calls = withCalls.flatMap(({ id, messageId, calls }) =>
      calls.map(({ call, callId }) => callRow(call, { id: callId, sessionId: id, messageId, now })),
    );
    if (calls.length > 0) await this.insert('calls', calls);
    return whole.map(({ id }) => id);
  }

  #sessionRow({ calls = [], ...session }: StoredSession, id: string, now: Date): Row {
    return {
      ...{ id, owner_id: this.ownerId, title: session.title ?? 'Of a test', model: session.model ?? 'compatible/scripted' },
      ...{ gateway_id: session.gatewayId ?? null, workspace: session.workspace ?? null, archived: false, created_at: now, updated_at: now, seq: 1 },
      ...{ stop_generation: 0, held: false, steps: 0, usage: NO_USAGE, stopping: false, queue_length: 0, owes: false },
      ...{ last_error: session.error ? JSON.stringify(session.error) : null, status: session.status ?? 'idle' },
      waiting_approvals: calls.filter(({ state }) => state === 'awaiting_approval').length,
      waiting_answers: calls.filter(({ state }) => state === 'awaiting_answer').length,
    };
  }
}

function storable(value: Value): Value {
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value;
}

function messageRow({ id, sessionId, parts, now }: { id: string; sessionId: string; parts: readonly object[]; now: Date }): Row {
  const places = { seq: 1, accepted_seq: 1, was_queued: false, queue_rank: 0 };
  return { id, session_id: sessionId, role: 'assistant', state: 'complete', parts: JSON.stringify(parts), created_at: now, ...places };
}

interface CallPlace {
  readonly id: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly now: Date;
}

function callRow(call: StoredCall, { id, sessionId, messageId, now }: CallPlace): Row {
  const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  const isOver = !call.state.startsWith('awaiting');
  return {
    ...{ id, session_id: sessionId, message_id: messageId, tool: call.tool, kind: call.kind ?? 'local', effect: call.effect ?? 'execute' },
    ...{ input: json(call.input), input_hash: 'a hash', state: call.state, gateway_id: call.gatewayId ?? null, workspace: call.workspace ?? null },
    ...{ decision: json(call.decision), result: json(call.result), resolution: json(call.resolution) },
    ...{ created_at: now, started_at: isOver ? now : null, finished_at: isOver ? now : null },
  };
}
