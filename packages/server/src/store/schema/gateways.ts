import { boolean, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { moment, rawJson } from './columns.ts';
import { users } from './identity.ts';

/** Machines that have said hello at least once. Whether one is online is known by the node that holds its connection, which tells the others. */
export const gateways = pgTable(
  'gateways',
  {
    id: uuid('id').primaryKey(),
    ownerId: uuid('owner_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    platform: text('platform').notNull(),
    workspaces: rawJson('workspaces').notNull(),
    tools: rawJson('tools').notNull(),
    /** What it said of its sandbox; null: nothing. */
    sandbox: rawJson('sandbox'),
    /** It counts approvals of its own page alone. */
    localApprovalOnly: boolean('local_approval_only').notNull().default(false),
    /** Identifies the machine's journal: calls given to another instance are lost. */
    instanceId: uuid('instance_id').notNull(),
    lastSeenAt: moment('last_seen_at').notNull(),
    /** How often it has said hello, at any node: of two connections the one with the greater number counts. */
    greeting: integer('greeting').notNull().default(1),
  },
  (table) => [index('gateways_owner').on(table.ownerId)],
);
