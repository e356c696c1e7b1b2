import { type NodeRig, nodeRig } from '@tendon/testing';

type Rows = readonly Record<string, unknown>[];

/** A server with somebody else on it, who tries what is not theirs. */
export interface IsolationRig extends AsyncDisposable {
  readonly rig: NodeRig;
  readonly stranger: { readonly userId: string; readonly key: string };
  /** Everything that is not the stranger's, as the database has it; without what moves by itself. */
  everythingElse(ownSessionId?: string): Promise<Readonly<Record<string, Rows>>>;
}

const TABLES = [
  ...['secrets', 'sessions', 'messages', 'calls', 'session_events', 'permission_rules', 'gateways', 'api_keys', 'users', 'accounts', 'invitations'],
  ...['auth_sessions', 'sign_in_links', 'second_factors', 'recovery_codes', 'pairings'],
];
/** One statement: one connection and one moment, however many tables there are. */
const READ_ALL = TABLES.map((name) => `select '${name}' as name, to_jsonb(t) as row from ${name} t`).join(' union all ');

export async function isolationRig(): Promise<IsolationRig> {
  const rig = await nodeRig();
  const stranger = await rig.addUser();
  const everythingElse: IsolationRig['everythingElse'] = async (ownSessionId) => {
    const others = (await allRows(rig)).filter(
      (row) => row['owner_id'] !== stranger.userId && row['user_id'] !== stranger.userId && (!ownSessionId || row['session_id'] !== ownSessionId),
    );
    return Object.groupBy(others, ({ table }) => table) as Record<string, Rows>;
  };
  return { rig, stranger, everythingElse, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

/** Everything that the database has of people and their sessions, without what moves by itself. */
export async function allRows(rig: Pick<NodeRig, 'sql'>): Promise<readonly ({ readonly table: string } & Record<string, unknown>)[]> {
  return (await rig.sql<{ name: string; row: Record<string, unknown> }>(`${READ_ALL} order by 1, 2`)).map(still);
}

function still({ name, row }: { name: string; row: Record<string, unknown> }): { table: string } & Record<string, unknown> {
  const { last_used_at, last_seen_at, lease_expires_at, lease_epoch, lease_node, version, ...rest } = row;
  return { table: name, ...rest };
}
