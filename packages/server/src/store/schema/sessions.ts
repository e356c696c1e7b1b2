import { sql } from 'drizzle-orm';
import { bigint, boolean, check, foreignKey, index, integer, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { moment, rawJson } from './columns.ts';
import { users } from './identity.ts';

/** One row is the state that the machine decides on, but for open calls and queued messages, which are rows of their own. */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    ownerId: uuid('owner_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    title: text('title').notNull(),
    model: text('model').notNull(),
    gatewayId: uuid('gateway_id'),
    workspace: text('workspace'),
    archived: boolean('archived').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    seq: integer('seq').notNull(),
    stopGeneration: integer('stop_generation').notNull(),
    held: boolean('held').notNull(),
    turnMessageId: uuid('turn_message_id'),
    turnEpoch: integer('turn_epoch'),
    turnStartedAt: moment('turn_started_at'),
    turnPartial: rawJson('turn_partial'),
    steps: integer('steps').notNull(),
    lastError: rawJson('last_error'),
    usage: rawJson('usage').notNull(),

    /** What lists show of the calls and the queue, so that a list reads no other table. */
    status: text('status', { enum: ['idle', 'running', 'waiting_for_tools', 'waiting_for_user'] }).notNull(),
    waitingApprovals: integer('waiting_approvals').notNull(),
    waitingAnswers: integer('waiting_answers').notNull(),
    stopping: boolean('stopping').notNull(),
    queueLength: integer('queue_length').notNull(),

    /** Raised by every commit: a commit that decided on an older state writes nothing. */
    version: integer('version').notNull().default(0),
    /** Something is to be done that is not the person's to do. */
    owes: boolean('owes').notNull(),
    leaseNode: text('lease_node'),
    /** Never falls: it counts the owners that the session has had. */
    leaseEpoch: integer('lease_epoch').notNull().default(0),
    leaseExpiresAt: moment('lease_expires_at'),
  },
  (table) => [
    index('sessions_list').on(table.ownerId, table.updatedAt, table.id),
    index('sessions_owed').on(table.updatedAt).where(sql`${table.owes}`),
    index('sessions_leased').on(table.leaseNode).where(sql`${table.leaseNode} is not null`),
    check('sessions_status_is_of_the_turn', sql`(${table.status} = 'running') = (${table.turnMessageId} is not null)`),
    check('sessions_running_owes', sql`${table.status} <> 'running' or ${table.owes}`),
    check('sessions_turn_whole', sql`num_nulls(${table.turnMessageId}, ${table.turnEpoch}, ${table.turnStartedAt}) in (0, 3)`),
    check('sessions_lease_whole', sql`(${table.leaseNode} is null) = (${table.leaseExpiresAt} is null)`),
  ],
);

export const messages = pgTable(
  'messages',
  {
    /** Made by the client for a person's message: the same id again is the same message (I1). */
    id: uuid('id').primaryKey(),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    role: text('role', { enum: ['user', 'assistant'] }).notNull(),
    state: text('state', { enum: ['queued', 'complete', 'interrupted', 'failed'] }).notNull(),
    parts: rawJson('parts').notNull(),
    model: text('model'),
    usage: rawJson('usage'),
    createdAt: moment('created_at').notNull(),
    acceptedSeq: integer('accepted_seq').notNull(),
    wasQueued: boolean('was_queued').notNull(),
    queueRank: integer('queue_rank').notNull(),
  },
  (table) => [
    unique('messages_in_order').on(table.sessionId, table.seq),
    unique('messages_of_session').on(table.sessionId, table.id),
    index('messages_queued').on(table.sessionId, table.queueRank).where(sql`${table.state} = 'queued'`),
  ],
);

const isOpen = sql.raw(`state in ('awaiting_approval', 'awaiting_answer', 'queued', 'running')`);

export const calls = pgTable(
  'calls',
  {
    id: uuid('id').primaryKey(),
    /** The order in which they were asked for. */
    ordinal: bigint('ordinal', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    sessionId: uuid('session_id').notNull(),
    messageId: uuid('message_id').notNull(),
    tool: text('tool').notNull(),
    kind: text('kind', { enum: ['local', 'remote', 'pause'] }).notNull(),
    effect: text('effect', { enum: ['read', 'write', 'execute', 'network'] }).notNull(),
    input: rawJson('input'),
    inputHash: text('input_hash').notNull(),
    state: text('state', {
      enum: ['awaiting_approval', 'awaiting_answer', 'queued', 'running', 'succeeded', 'failed', 'denied', 'cancelled', 'unknown'],
    }).notNull(),
    gatewayId: uuid('gateway_id'),
    workspace: text('workspace'),
    definition: text('definition'),
    decision: rawJson('decision'),
    result: rawJson('result'),
    resolution: rawJson('resolution'),
    createdAt: moment('created_at').notNull(),
    startedAt: moment('started_at'),
    finishedAt: moment('finished_at'),
    dispatchAttempt: integer('dispatch_attempt'),
    dispatchInstanceId: uuid('dispatch_instance_id'),
    dispatchStopGeneration: integer('dispatch_stop_generation'),
    dispatchedAt: moment('dispatched_at'),
    cancelRequestedAt: moment('cancel_requested_at'),
    metadata: rawJson('metadata'),
  },
  (table) => [
    foreignKey({ name: 'calls_message', columns: [table.sessionId, table.messageId], foreignColumns: [messages.sessionId, messages.id] }).onDelete('cascade'),
    index('calls_of_message').on(table.sessionId, table.messageId),
    index('calls_open').on(table.sessionId).where(isOpen),
    index('calls_open_of_gateway').on(table.gatewayId).where(isOpen),
    index('calls_settled').on(table.sessionId).where(sql`${table.resolution} is not null`),
    check(
      'calls_dispatch_whole',
      sql`num_nulls(${table.dispatchAttempt}, ${table.dispatchInstanceId}, ${table.dispatchStopGeneration}, ${table.dispatchedAt}) in (0, 4)`,
    ),
  ],
);

export const sessionEvents = pgTable(
  'session_events',
  {
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    at: moment('at').notNull(),
    type: text('type').notNull(),
    data: rawJson('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.sessionId, table.seq] })],
);

/** What a person allowed for a session or for good. Found by owner; compared by the machine, never by SQL. */
export const permissionRules = pgTable(
  'permission_rules',
  {
    id: uuid('id').primaryKey(),
    ownerId: uuid('owner_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    tool: text('tool').notNull(),
    subject: text('subject').notNull(),
    workspace: text('workspace'),
    gatewayId: uuid('gateway_id'),
    definition: text('definition'),
    sessionId: uuid('session_id').references(() => sessions.id, { onDelete: 'cascade' }),
    createdAt: moment('created_at').notNull(),
    lastUsedAt: moment('last_used_at'),
  },
  (table) => [index('permission_rules_owner').on(table.ownerId), index('permission_rules_session').on(table.sessionId)],
);
