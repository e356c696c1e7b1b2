import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ControlClient } from './control-client.ts';

const credentialSchema = z.object({ gatewayId: z.uuid(), keyId: z.uuid(), key: z.string().min(32) });
const keyListSchema = z.object({ keys: z.array(z.looseObject({ id: z.string(), revokedAt: z.string().optional(), expiresAt: z.string().optional() })) });

/** What this machine shows to the server of `tendon start`; `$TENDON_HOME/gateway/credential.json`, 0600. */
export type GatewayCredential = z.infer<typeof credentialSchema>;

/** A credential that this server knows: the kept one, or a new one when it is missing, revoked, or of another database. */
export async function ensureGatewayCredential(home: string, gatewayId: string, server: ControlClient): Promise<GatewayCredential> {
  const path = credentialPath(home);
  const kept = await readKept(path);
  if (kept?.gatewayId === gatewayId && (await isLive(kept.keyId, server))) return kept;
  const made = z.object({ id: z.string(), key: z.string() }).parse(await server.call('POST', '/api/keys', { name: 'this machine (tendon start)', gatewayId }));
  const credential: GatewayCredential = { gatewayId, keyId: made.id, key: made.key };
  await mkdir(join(home, 'gateway'), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(credential)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(draft, path);
  return credential;
}

/** Undefined when there is none, or when it is damaged: a new one is then made. */
async function readKept(path: string): Promise<GatewayCredential | undefined> {
  try {
    return credentialSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function isLive(keyId: string, server: ControlClient): Promise<boolean> {
  const { keys } = keyListSchema.parse(await server.call('GET', '/api/keys'));
  return keys.some((key) => key.id === keyId && key.revokedAt === undefined);
}

function credentialPath(home: string): string {
  return join(home, 'gateway', 'credential.json');
}
