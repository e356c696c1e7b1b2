import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { idSchema } from '@tendon/protocol';
import { z } from 'zod';
import { GatewayStartError } from './start-error.ts';
import { errorCode } from './tools/faults.ts';

const identitySchema = z.object({ gatewayId: idSchema });

/** The id by which servers know this machine, made at the first start. The caller holds the folder's lock. Errors: `GatewayStartError`. */
export async function loadGatewayId(path: string, newId: () => string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  });
  if (text === undefined) return makeIdentity(path, newId());
  try {
    return identitySchema.parse(JSON.parse(text)).gatewayId;
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function makeIdentity(path: string, gatewayId: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(draft, `${JSON.stringify({ gatewayId })}\n`, { mode: 0o600, flush: true });
  await rename(draft, path);
  return gatewayId;
}

function unreadable(path: string, cause: unknown): GatewayStartError {
  return new GatewayStartError('identity_unreadable', `The identity file ${path} cannot be read. Restore it, or remove it to make this a new machine.`, {
    cause,
  });
}
