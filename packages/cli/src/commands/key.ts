import { SCOPES, type Scope } from '@tendon/protocol';
import { StartError } from '@tendon/server/settings';
import { z } from 'zod';
import { withServer } from '../control-client.ts';
import { note, oneLine, print, table } from '../output.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';

interface KeyFlags extends SettingFlags {
  readonly server?: string;
}

const keySchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  kind: z.string(),
  prefix: z.string(),
  scopes: z.array(z.string()).optional(),
  createdAt: z.string(),
  lastUsedAt: z.string().optional(),
  expiresAt: z.string().optional(),
  revokedAt: z.string().optional(),
});

interface NewKeyFlags extends KeyFlags {
  readonly gatewayId?: string;
  readonly scope?: readonly string[];
  readonly expiresInDays?: string;
}

/** `tendon key create NAME`: the key alone on standard output, so that scripts can take it. */
export async function createKey(name: string, flags: NewKeyFlags): Promise<void> {
  const days = flags.expiresInDays;
  if (days !== undefined && !(/^[1-9]\d{0,3}$/.test(days) && Number(days) <= 3_650))
    throw new StartError(`--expires-in-days is "${days.slice(0, 20)}": give a number of days from 1 to 3650`);
  const wrong = flags.scope?.find((scope) => !SCOPES.includes(scope as Scope));
  if (wrong !== undefined) throw new StartError(`--scope is "${wrong.slice(0, 20)}": give ${SCOPES.join(', ')}`);
  if (flags.gatewayId !== undefined && !z.uuid().safeParse(flags.gatewayId).success)
    throw new StartError(`--gateway-id is "${flags.gatewayId.slice(0, 60)}": give the id of a gateway, a UUID`);
  if (name.trim() === '') throw new StartError('the name is empty: say what the key is for');
  const config = await requireSettings(flags);
  const body = {
    name,
    ...(flags.scope === undefined ? {} : { scopes: flags.scope }),
    ...(flags.gatewayId === undefined ? {} : { gatewayId: flags.gatewayId }),
    ...(days === undefined ? {} : { expiresInDays: Number(days) }),
  };
  const made = await withServer(config, flags.server, (server) => server.call('POST', '/api/keys', body));
  const { key, id } = z.object({ key: z.string(), id: z.string() }).parse(made);
  print(key);
  note(`Keep it safe: it is shown only now. Revoke it with: tendon key revoke ${id}`);
}

/** `tendon key list` */
export async function listKeys(flags: KeyFlags): Promise<void> {
  const config = await requireSettings(flags);
  const answer = await withServer(config, flags.server, (server) => server.call('GET', '/api/keys'));
  const { keys } = z.object({ keys: z.array(keySchema) }).parse(answer);
  if (keys.length === 0) return note('There are no keys. Make one with: tendon key create NAME');
  const rows = keys.map((key) => [
    key.id,
    `${key.prefix}...`,
    key.scopes?.join('+') ?? key.kind,
    stateOf(key),
    day(key.createdAt),
    key.lastUsedAt === undefined ? 'never' : day(key.lastUsedAt),
    oneLine(key.name),
  ]);
  print(table([['ID', 'KEY', 'KIND', 'STATE', 'CREATED', 'LAST USED', 'NAME'], ...rows]));
}

/** `tendon key revoke ID` */
export async function revokeKey(id: string, flags: KeyFlags): Promise<void> {
  if (!z.uuid().safeParse(id).success) throw new StartError(`"${id.slice(0, 60)}" is no key's id: see tendon key list`);
  const config = await requireSettings(flags);
  await withServer(config, flags.server, (server) => server.call('DELETE', `/api/keys/${id}`));
  note('Revoked. Connections that used it are cut.');
}

function stateOf(key: z.infer<typeof keySchema>): string {
  if (key.revokedAt !== undefined) return 'revoked';
  return key.expiresAt !== undefined && Date.parse(key.expiresAt) <= Date.now() ? 'expired' : 'live';
}

function day(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
