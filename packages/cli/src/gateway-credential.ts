import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '@tendon/server/settings';
import { z } from 'zod';
import type { ControlClient } from './control-client.ts';

const credentialSchema = z.object({ gatewayId: z.uuid(), keyId: z.uuid(), key: z.string().min(32) });
const keyListSchema = z.object({ keys: z.array(z.looseObject({ id: z.string(), revokedAt: z.string().optional(), expiresAt: z.string().optional() })) });

/** What a machine shows to its server; `$TENDON_HOME/gateway/credential.json`, 0600. */
export type GatewayCredential = z.infer<typeof credentialSchema>;

/** The credential of this machine, or undefined when it has none. Throws StartError when the file is damaged. */
export async function readGatewayCredential(home: string): Promise<GatewayCredential | undefined> {
  const path = credentialPath(home);
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new StartError(`${path} cannot be read (${error.code}): mend its permissions`, { cause: error });
  });
  if (content === undefined) return undefined;
  try {
    return credentialSchema.parse(JSON.parse(content));
  } catch (cause) {
    throw new StartError(`${path} is damaged: remove it, and "tendon start" makes a new one`, { cause });
  }
}

/** A credential that this server knows: the kept one, or a new one when it is missing, revoked, or of another database. */
export async function ensureGatewayCredential(home: string, server: ControlClient): Promise<GatewayCredential> {
  const kept = await readGatewayCredential(home).catch(() => undefined);
  if (kept && (await isLive(kept.keyId, server))) return kept;
  const gatewayId = kept?.gatewayId ?? randomUUID();
  const made = z.object({ id: z.string(), key: z.string() }).parse(await server.call('POST', '/api/keys', { name: 'this machine (tendon start)', gatewayId }));
  const credential: GatewayCredential = { gatewayId, keyId: made.id, key: made.key };
  const path = credentialPath(home);
  await mkdir(join(home, 'gateway'), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(credential)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(draft, path);
  return credential;
}

async function isLive(keyId: string, server: ControlClient): Promise<boolean> {
  const { keys } = keyListSchema.parse(await server.call('GET', '/api/keys'));
  return keys.some((key) => key.id === keyId && key.revokedAt === undefined);
}

function credentialPath(home: string): string {
  return join(home, 'gateway', 'credential.json');
}
