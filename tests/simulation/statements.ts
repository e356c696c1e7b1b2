import { isFinalCallState } from '@tendon/protocol';
import { forkSession } from './fork-statement.ts';
import { type Answer, type Moment, rows, text, type Values } from './statement.ts';
import { type CallRow, type EventRow, listOf, type MessageRow, newSession, type Row, type Tables } from './tables.ts';

type Run = (moment: Moment, values: Values) => Answer;

const LEASE_MS = 10_000;

const touched = (count: number): Answer => ({ rows: [], rowCount: count });
const copies = <T extends object>(list: readonly T[]): T[] | null => (list.length === 0 ? null : list.map((row) => ({ ...row })));

/**
 * Every statement of `packages/server/src/store/sql`, by its name, over tables in memory. Each does in one step what the real one does in
 * one statement; the store's own code above it is the real one.
 */
export const STATEMENTS: Readonly<Record<string, Run>> = {
  create_session: createSession,
  fork_session: forkSession,
  load_session: loadSession,
  write_change: writeChange,
  save_partial: savePartial,
  claim_owed: claimOwed,
  renew_leases: renewLeases,
  release_lease: ({ tables }, [id, node, epoch]) => {
    const row = tables.sessions.get(text(id));
    if (!row || row.lease_node !== node || row.lease_epoch !== epoch) return touched(0);
    Object.assign(row, { lease_node: null, lease_expires_at: null });
    return touched(1);
  },
  release_all_leases: ({ tables }) => {
    for (const row of tables.sessions.values()) Object.assign(row, { lease_node: null, lease_expires_at: null });
    return touched(tables.sessions.size);
  },
  read_history: ({ tables }, [id, after, limit]) => {
    const page = tables
      .history(text(id))
      .filter((message) => message.seq > Number(after))
      .slice(-Number(limit));
    const settled = (tables.callsOf.get(text(id)) ?? []).filter((call) => call['resolution'] !== null && call['resolution'] !== undefined).length;
    return rows([{ messages: copies(page), calls: copies(callsOfPage(tables, text(id), page)), settled }]);
  },
  read_page: readPage,
  read_events: ({ tables }, [id, after, limit]) => {
    const session = tables.sessions.get(text(id));
    if (!session) return rows([]);
    const events = tables.eventsAfter(session.id, Number(after)).slice(0, Number(limit));
    return rows([{ last_seq: session.seq, events: events.length === 0 ? null : events }]);
  },
  find_call: ({ tables }, [id]) => {
    const call = tables.calls.get(text(id));
    const session = call && tables.sessions.get(call.session_id);
    return rows(call && session ? [{ owner_id: session.owner_id, call: { ...call } }] : []);
  },
  list_open_calls: ({ tables }, [gatewayId]) =>
    rows([...tables.calls.values()].filter((call) => call.gateway_id === gatewayId && !isFinalCallState(call.state)).map((call) => ({ call: { ...call } }))),
  list_places: ({ tables }, [ids, gatewayIds]) => {
    const machines = new Set(gatewayIds as string[]);
    const working = [...tables.calls.values()].filter((call) => machines.has(call.gateway_id ?? '') && !isFinalCallState(call.state));
    const wanted = new Set([...(ids as string[]), ...working.map((call) => call.session_id)]);
    return rows([...wanted].flatMap((id) => tables.sessions.get(id) ?? []).map(({ id, seq }) => ({ id, seq })));
  },
  list_over_sessions: ({ tables }, [owner, ids]) => {
    const asked = (ids as string[]).map((id) => ({ id, session: tables.sessions.get(id) }));
    const own = asked.map(({ id, session }) => ({ id, session: session?.owner_id === owner ? session : undefined }));
    return rows(own.filter(({ session }) => session?.archived !== false).map(({ id, session }) => ({ id, is_deleted: session === undefined })));
  },
  list_rules: ({ tables }, [owner]) => rows([...tables.rules.values()].filter((rule) => rule['owner_id'] === owner).map((rule) => ({ rule: { ...rule } }))),
  revoke_rule: ({ tables }, [owner, id]) => touched(tables.rules.get(text(id))?.['owner_id'] === owner && tables.rules.delete(text(id)) ? 1 : 0),
  touch_rule: ({ tables }, [id, at]) => {
    const rule = tables.rules.get(text(id));
    if (rule) Object.assign(rule, { last_used_at: at });
    return touched(rule ? 1 : 0);
  },
  put_gateway: putGateway,
  list_gateways: ({ tables }, [owner, id]) =>
    rows(
      [...tables.gateways.values()]
        .filter((gateway) => gateway.owner_id === owner && (id === null || gateway.id === id))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((gateway) => ({ gateway: { ...gateway } })),
    ),
  set_gateway_tools: ({ tables }, [id, greeting, tools]) => {
    const gateway = tables.gateways.get(text(id));
    if (!gateway || gateway.greeting !== greeting) return touched(0);
    Object.assign(gateway, { tools: JSON.parse(text(tools)) });
    return touched(1);
  },
  read_greeting: ({ tables }, [id]) => rows([...tables.gateways.values()].filter((gateway) => gateway.id === id).map(({ greeting }) => ({ greeting }))),
  see_gateway: ({ tables }, [id, at]) => {
    const gateway = tables.gateways.get(text(id));
    if (gateway && gateway.last_seen_at < text(at)) gateway.last_seen_at = text(at);
    return touched(gateway ? 1 : 0);
  },
};

function createSession({ tables }: Moment, values: Values): Answer {
  const [id, ownerId, title, model, gatewayId, workspace, at, usage, data] = values;
  const row = newSession({
    id: text(id),
    owner_id: text(ownerId),
    title,
    model,
    gateway_id: gatewayId,
    workspace,
    at: text(at),
    seq: 1,
    usage: JSON.parse(text(usage)),
  });
  tables.sessions.set(row.id, row);
  listOf(tables.events, row.id).push({ session_id: row.id, seq: 1, at: text(at), type: 'session.updated', data: JSON.parse(text(data)) });
  return touched(1);
}

function loadSession({ tables, nowMs }: Moment, [id, owner, messageId, callId]: Values): Answer {
  const session = tables.sessions.get(text(id));
  if (!session || (typeof owner === 'string' && session.owner_id !== owner)) return rows([]);
  const message = tables.messages.get(text(messageId));
  const call = tables.calls.get(text(callId));
  return rows([
    {
      session: { ...session },
      is_free: session.lease_expires_at === null || session.lease_expires_at < nowMs,
      calls: copies(tables.openCalls(session.id)),
      queue: copies(tables.queue(session.id)),
      focus_message: message ? { ...message } : null,
      focus_call: call ? { ...call } : null,
      focus_removed: message ? null : removedMessage(listOf(tables.events, session.id), messageId),
    },
  ]);
}

function removedMessage(events: readonly EventRow[], messageId: unknown): { readonly seq: number; readonly message: unknown } | null {
  const newest = events.slice(-500) as readonly { seq: number; type: string; data: { messageId?: string; message?: { id: string } } }[];
  if (!newest.some(({ type, data }) => type === 'message.removed' && data.messageId === messageId)) return null;
  const placed = newest.find(({ type, data }) => type === 'message.created' && data.message?.id === messageId);
  return placed ? { seq: placed.seq, message: placed.data.message } : null;
}

const SESSION_COLUMNS = [
  'title',
  'model',
  'gateway_id',
  'workspace',
  'archived',
  'updated_at',
  'seq',
  'stop_generation',
  'held',
  'turn_message_id',
  'turn_epoch',
  'turn_started_at',
  'steps',
  'status',
  'waiting_approvals',
  'waiting_answers',
  'stopping',
  'queue_length',
  'owes',
  'lease_epoch',
];

function writeChange(moment: Moment, values: Values): Answer {
  const { tables, nowMs } = moment;
  const [id, version, epoch, leaseNode, node, fieldsText, removed, messagesText, callsText, eventsText, rulesText] = values;
  const row = tables.sessions.get(text(id));
  if (!row || row.version !== version || row.lease_epoch !== epoch || row.lease_node !== leaseNode) return rows([]);
  const messages = JSON.parse(text(messagesText)) as MessageRow[];
  // A message of this id in another session breaks the primary key, and with it the whole statement.
  if (messages.some((message) => (tables.messages.get(message.id)?.session_id ?? row.id) !== row.id)) throw uniqueViolation();
  const before = { ...row };
  const callsBefore = new Map((tables.callsOf.get(row.id) ?? []).map((call) => [call.id, call.state]));
  const fields = JSON.parse(text(fieldsText)) as Record<string, unknown>;
  if (fields['turn_message_id'] === undefined || fields['turn_message_id'] !== row.turn_message_id) row['turn_partial'] = null;
  for (const column of SESSION_COLUMNS) row[column] = fields[column] ?? null;
  row['last_error'] = parsed(fields['last_error']);
  row['usage'] = parsed(fields['usage']);
  row.version += 1;
  if (fields['lease'] === 'hold') Object.assign(row, { lease_node: node, lease_expires_at: nowMs + LEASE_MS });
  if (fields['lease'] === 'drop') Object.assign(row, { lease_node: null, lease_expires_at: null });
  for (const messageId of removed as string[]) tables.removeMessage(messageId);
  for (const message of messages) putMessage(tables, row.id, message);
  for (const call of JSON.parse(text(callsText)) as CallRow[]) putCall(tables, row.id, call);
  const events = listOf(tables.events, row.id);
  for (const event of JSON.parse(text(eventsText)) as { seq: number; at: string; type: string; data: string }[]) {
    if ((events.at(-1)?.seq ?? 0) !== event.seq - 1) throw uniqueViolation();
    events.push({ session_id: row.id, seq: event.seq, at: event.at, type: event.type, data: parsed(event.data) });
  }
  for (const rule of JSON.parse(text(rulesText)) as Row[])
    tables.rules.set(rule.id, { workspace: null, gateway_id: null, definition: null, session_id: null, last_used_at: null, ...rule });
  const basis = { version: Number(version), epoch: Number(epoch), node: leaseNode as string | null };
  moment.written({ sessionId: row.id, before, after: row, callsBefore, basis, node: text(node) });
  return rows([{ version: row.version }]);
}

function uniqueViolation(): Error {
  return Object.assign(new Error('duplicate key'), { code: '23505' });
}

function parsed(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : null;
}

function putMessage(tables: Tables, sessionId: string, fields: MessageRow): void {
  const known = tables.messages.get(fields.id);
  const changing = { seq: fields.seq, state: fields.state, parts: parsed(fields.parts), usage: parsed(fields['usage']), queue_rank: fields.queue_rank };
  if (known) Object.assign(known, changing);
  else tables.putMessage({ ...fields, session_id: sessionId, model: fields['model'] ?? null, ...changing });
}

const CHANGING_CALL_COLUMNS = [
  'state',
  'started_at',
  'finished_at',
  'dispatch_attempt',
  'dispatch_instance_id',
  'dispatch_stop_generation',
  'dispatched_at',
  'cancel_requested_at',
];

function putCall(tables: Tables, sessionId: string, fields: CallRow): void {
  const changing = Object.fromEntries(CHANGING_CALL_COLUMNS.map((column) => [column, fields[column] ?? null]));
  const json = { decision: parsed(fields['decision']), result: parsed(fields['result']), resolution: parsed(fields['resolution']) };
  const known = tables.calls.get(fields.id);
  if (known) Object.assign(known, changing, json);
  else
    tables.putCall({
      ...fields,
      ...changing,
      ...json,
      session_id: sessionId,
      gateway_id: fields.gateway_id ?? null,
      workspace: fields['workspace'] ?? null,
      definition: fields['definition'] ?? null,
      input: parsed(fields['input']),
      metadata: parsed(fields['metadata']),
    });
}

function savePartial(moment: Moment, [id, node, epoch, messageId, parts]: Values): Answer {
  const row = moment.tables.sessions.get(text(id));
  const isOwner = row && row.lease_node === node && row.lease_epoch === epoch && row.turn_epoch === epoch && row.turn_message_id === messageId;
  if (!isOwner) return touched(0);
  row['turn_partial'] = JSON.parse(text(parts));
  moment.partialSaved(row.id, text(messageId));
  return touched(1);
}

function claimOwed({ tables, nowMs }: Moment, [node, limit]: Values): Answer {
  const free = [...tables.sessions.values()]
    .filter((row) => row.owes && (row.lease_node === null || (row.lease_expires_at ?? 0) < nowMs))
    .toSorted((a, b) => (a.updated_at < b.updated_at ? -1 : 1))
    .slice(0, Number(limit));
  for (const row of free) Object.assign(row, { lease_node: node, lease_epoch: row.lease_epoch + 1, lease_expires_at: nowMs + LEASE_MS });
  return rows(free.map((row) => ({ id: row.id, lease_epoch: row.lease_epoch })));
}

function renewLeases({ tables, nowMs }: Moment, [node, ids, epochs]: Values): Answer {
  const kept = (ids as string[]).flatMap((id, index) => {
    const row = tables.sessions.get(id);
    if (!row || row.lease_node !== node || row.lease_epoch !== (epochs as number[])[index]) return [];
    row.lease_expires_at = nowMs + LEASE_MS;
    return [{ id, lease_epoch: row.lease_epoch }];
  });
  return rows(kept);
}

function callsOfPage(tables: Tables, sessionId: string, page: readonly MessageRow[]): CallRow[] {
  const ids = new Set(page.map((message) => message.id));
  return (tables.callsOf.get(sessionId) ?? []).filter((call) => ids.has(call.message_id));
}

function readPage({ tables }: Moment, [id, before, limit]: Values): Answer {
  const sessionId = text(id);
  const isNewest = before === undefined || before === null;
  const page = tables
    .history(sessionId)
    .filter((message) => isNewest || message.seq < Number(before))
    .slice(-Number(limit));
  const ids = new Set(page.map((message) => message.id));
  const calls = (tables.callsOf.get(sessionId) ?? []).filter((call) => ids.has(call.message_id) || (isNewest && !isFinalCallState(call.state)));
  return rows([{ is_cut: false, messages: copies(page), queue: isNewest ? copies(tables.queue(sessionId)) : null, calls: copies(calls) }]);
}

function putGateway({ tables }: Moment, values: Values): Answer {
  const [id, ownerId, name, platform, workspaces, tools, instanceId, at, sandbox] = values;
  const known = tables.gateways.get(text(id));
  if (known && known.owner_id !== ownerId) return rows([]);
  const greeting = (known?.greeting ?? 0) + 1;
  tables.gateways.set(text(id), {
    id: text(id),
    owner_id: text(ownerId),
    name: text(name),
    platform,
    workspaces: JSON.parse(text(workspaces)),
    tools: JSON.parse(text(tools)),
    instance_id: instanceId,
    last_seen_at: text(at),
    sandbox: sandbox === null ? null : JSON.parse(text(sandbox)),
    greeting,
  });
  return rows([{ greeting }]);
}
