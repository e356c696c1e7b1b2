import { sql } from 'drizzle-orm';
import { bigint, boolean, check, index, integer, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

/**
 * Who may come in: people, their browser sessions, API keys, sign-in links, invitations and session tokens; and what they did about it.
 * `users`, `auth_sessions`, `accounts` and `verifications` are better-auth's own tables (its field names, our column names).
 * No credential stands here in the clear, but for better-auth's session token, which is useless without the signature in the cookie.
 */
const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    /** better-auth needs one; a person who has given none gets `<id>@local.invalid` (RFC 2606), which no mail can reach. */
    email: text('email').notNull().unique(),
    emailVerified: boolean('email_verified').notNull().default(false),
    image: text('image'),
    role: text('role', { enum: ['owner', 'member'] })
      .notNull()
      .default('member'),
    /** Since when this person may not come in. What was theirs stays. */
    disabledAt: moment('disabled_at'),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [check('users_role', sql`${table.role} in ('owner', 'member')`)],
);

export const authSessions = pgTable(
  'auth_sessions',
  {
    id: uuid('id').primaryKey(),
    token: text('token').notNull().unique(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    expiresAt: moment('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    /** What opened it. */
    openedWith: text('opened_with', { enum: ['link', 'password', 'provider', 'invitation'] })
      .notNull()
      .default('link'),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [index('auth_sessions_user').on(table.userId)],
);

export const accounts = pgTable(
  'accounts',
  {
    id: uuid('id').primaryKey(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: moment('access_token_expires_at'),
    refreshTokenExpiresAt: moment('refresh_token_expires_at'),
    scope: text('scope'),
    password: text('password'),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    index('accounts_user').on(table.userId),
    uniqueIndex('accounts_provider_account').on(table.providerId, table.accountId),
    // Nobody here acts for a person at their provider: its tokens are used once, to learn who came, and never stored.
    check('accounts_hold_no_tokens', sql`num_nonnulls(${table.accessToken}, ${table.refreshToken}, ${table.idToken}) = 0`),
  ],
);

export const verifications = pgTable(
  'verifications',
  {
    id: uuid('id').primaryKey(),
    identifier: text('identifier').notNull(),
    value: text('value').notNull(),
    expiresAt: moment('expires_at').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [index('verifications_identifier').on(table.identifier)],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    kind: text('kind', { enum: ['user', 'gateway'] }).notNull(),
    /** A gateway's key opens `/gateway` for this machine and nothing else. */
    gatewayId: uuid('gateway_id'),
    /** SHA-256 of the whole key, base64url. Keys are 256 random bits, so a fast hash is enough. */
    hash: text('hash').notNull().unique(),
    /** The first characters, to tell keys apart in a list. */
    prefix: text('prefix').notNull(),
    /** What it is good for; null: all that its person can do. */
    scopes: text('scopes').array(),
    /** Taken over from `TENDON_OWNER_KEY`: it is over when another value stands there. */
    isImported: boolean('is_imported').notNull().default(false),
    createdAt: moment('created_at').notNull().defaultNow(),
    /** Written at most once a minute. */
    lastUsedAt: moment('last_used_at'),
    expiresAt: moment('expires_at'),
    revokedAt: moment('revoked_at'),
  },
  (table) => [index('api_keys_user').on(table.userId), check('api_keys_kind', sql`(${table.kind} = 'gateway') = (${table.gatewayId} is not null)`)],
);

export const signInLinks = pgTable(
  'sign_in_links',
  {
    /** SHA-256 of the link's token, base64url. */
    hash: text('hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The owner who made it, with whose right to do so it ends; null: made on the server's machine. */
    madeBy: uuid('made_by').references(() => users.id, { onDelete: 'cascade' }),
    expiresAt: moment('expires_at').notNull(),
    usedAt: moment('used_at'),
  },
  (table) => [index('sign_in_links_expiry').on(table.expiresAt)],
);

/** For the one connection of a desktop page, see `SessionTokens`. */
export const sessionTokens = pgTable(
  'session_tokens',
  {
    /** SHA-256 of the token, base64url. */
    hash: text('hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => authSessions.id, { onDelete: 'cascade' }),
    /** The serialised origin of the page that asked. */
    origin: text('origin').notNull(),
    expiresAt: moment('expires_at').notNull(),
    usedAt: moment('used_at'),
  },
  (table) => [index('session_tokens_expiry').on(table.expiresAt), index('session_tokens_session').on(table.sessionId)],
);

/** Links by which people who are not here yet make an account, see `Invitations`. */
export const invitations = pgTable(
  'invitations',
  {
    id: uuid('id').primaryKey(),
    /** SHA-256 of the link's token, base64url. */
    hash: text('hash').notNull().unique(),
    /** For whom, in the words of whoever invites. */
    name: text('name').notNull(),
    role: text('role', { enum: ['owner', 'member'] }).notNull(),
    invitedBy: uuid('invited_by')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
    acceptedBy: uuid('accepted_by').references(() => users.id, { onDelete: 'set null' }),
    acceptedAt: moment('accepted_at'),
    revokedAt: moment('revoked_at'),
  },
  (table) => [index('invitations_expiry').on(table.expiresAt), check('invitations_role', sql`${table.role} in ('owner', 'member')`)],
);

/** What a person's app makes codes from, see `SecondFactors`. Off until it is confirmed. */
export const secondFactors = pgTable('second_factors', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** Which of its person's secrets it is; the newest stands sealed in `secrets`. */
  secretId: uuid('secret_id').notNull(),
  /** The newest period whose code was taken: it and those before it are over. */
  lastPeriod: bigint('last_period', { mode: 'number' }).notNull().default(0),
  createdAt: moment('created_at').notNull(),
  confirmedAt: moment('confirmed_at'),
});

/** Codes for those who have lost their app, each good once. */
export const recoveryCodes = pgTable(
  'recovery_codes',
  {
    /** SHA-256 of the code, base64url. Codes are 120 random bits, so a fast hash is enough. */
    hash: text('hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => secondFactors.userId, { onDelete: 'cascade' }),
    usedAt: moment('used_at'),
  },
  (table) => [index('recovery_codes_user').on(table.userId)],
);

/** Browsers whose person has given the password and not yet the code, see `SecondSteps`. */
export const secondSteps = pgTable(
  'second_steps',
  {
    /** SHA-256 of the token that the browser holds, base64url. */
    hash: text('hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    attempts: integer('attempts').notNull().default(0),
    expiresAt: moment('expires_at').notNull(),
  },
  (table) => [index('second_steps_user').on(table.userId), index('second_steps_expiry').on(table.expiresAt)],
);

/** Who did what about identity and trust, see `AuditLog`. Rows are added and grow old; nothing changes them. */
export const auditEntries = pgTable(
  'audit_entries',
  {
    id: uuid('id').primaryKey(),
    at: moment('at').notNull(),
    /** Whose account did it. */
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    action: text('action').notNull(),
    /** Id of the key or browser session, never the credential. */
    credentialId: text('credential_id'),
    address: text('address').notNull(),
    /** Whose account it was done to, when that is another's. */
    aboutUserId: uuid('about_user_id').references(() => users.id, { onDelete: 'set null' }),
    /** The name of the thing it was done to: a key, a machine, a browser. */
    about: text('about'),
  },
  (table) => [index('audit_entries_user').on(table.userId, table.id), index('audit_entries_at').on(table.at)],
);

/** Machines and terminals that ask to be let in, see `Pairings`. */
export const pairings = pgTable(
  'pairings',
  {
    /** SHA-256 of the code that the machine holds, base64url. */
    deviceHash: text('device_hash').primaryKey(),
    /** What the person types; it opens nothing by itself. */
    userCode: text('user_code').notNull().unique(),
    /** Of a terminal: null. */
    gatewayId: uuid('gateway_id'),
    /** As it calls itself; anything may stand here. */
    name: text('name').notNull(),
    address: text('address').notNull(),
    /** It also shows the page to a browser on it, and wants a key for that. */
    relay: boolean('relay').notNull().default(false),
    state: text('state', { enum: ['pending', 'approved', 'denied', 'used'] })
      .notNull()
      .default('pending'),
    /** Who decided. */
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** With which credential: an approval ends with it. */
    decidedWith: text('decided_with'),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
    lastPolledAt: moment('last_polled_at'),
  },
  (table) => [
    index('pairings_expiry').on(table.expiresAt),
    check('pairings_state', sql`${table.state} in ('pending', 'approved', 'denied', 'used')`),
    check('pairings_decided', sql`(${table.state} = 'pending') = (${table.userId} is null)`),
  ],
);
