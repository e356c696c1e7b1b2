import { customType, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { moment } from './columns.ts';
import { users } from './identity.ts';

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** What must be read again and be of no use to whoever reads the database, see `Keyring` and `SecretStore`. */
export const secrets = pgTable(
  'secrets',
  {
    /** Whose it is: `server` for what everybody here uses. */
    scope: text('scope').notNull(),
    name: text('name').notNull(),
    /** The fingerprint of the key that sealed it, never the key. */
    keyId: text('key_id').notNull(),
    sealed: bytes('sealed').notNull(),
    setBy: uuid('set_by').references(() => users.id, { onDelete: 'set null' }),
    setAt: moment('set_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.name] }), index('secrets_key').on(table.keyId)],
);
