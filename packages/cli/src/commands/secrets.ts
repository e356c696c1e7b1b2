import { rotateSecretKey, StartError } from '@tendon/server/settings';
import { withOwnServer, withServer } from '../control-client.ts';
import { HomeLock } from '../home-lock.ts';
import { note, print } from '../output.ts';
import { readSealing, sealingLines, sealingMend } from '../sealing.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';

interface SecretsFlags extends SettingFlags {
  readonly server?: string;
}

/** `tendon secrets status`: how many secrets each key has sealed. */
export async function secretsStatus(flags: SecretsFlags): Promise<void> {
  const config = await requireSettings(flags);
  const sealing = await withServer(config, flags.server, readSealing);
  for (const line of sealingLines(sealing)) print(line);
  const mend = sealingMend(sealing);
  if (mend !== undefined) note(mend);
}

/** `tendon secrets rotate`: another secret key for this home, and everything sealed with it, while no server runs on the home. */
export async function rotateSecrets(flags: SettingFlags): Promise<void> {
  const config = await requireSettings(flags);
  if (config.secretKey !== undefined) throw new StartError(FROM_ENVIRONMENT);
  if (config.databaseUrl !== undefined) throw new StartError(SHARED);
  const taken = HomeLock.take(config.home);
  if (!taken.ok) throw new StartError(`Tendon runs on ${config.home} (process ${taken.owner.pid}): stop it, rotate, and start it again`);
  try {
    // First all is opened and sealed with the key of today: what another key has sealed must not be left two keys behind.
    await withOwnServer(config, readSealing);
    await rotateSecretKey(config.home);
    const sealing = await withOwnServer(config, readSealing);
    for (const line of sealingLines(sealing)) print(line);
    note('The secret key is replaced. Browsers have to sign in again; keys and machines stay good.');
    note(
      'The earlier key stands in secret.key.previous in the home. No secret needs it now: remove that file unless you keep copies of the database from before.',
    );
  } finally {
    taken.lock.release();
  }
}

/** Another server may live on that database, and would be left with a key that nobody else has. */
const SHARED = [
  'Several servers may share the database that TENDON_DATABASE_URL names, so its key is changed in their environment: make a new one (openssl rand -base64 32), and give it as TENDON_SECRET_KEY.',
  'The present one, in secret.key of this home, goes on opening here; give it to the other servers as TENDON_SECRET_KEY_PREVIOUS.',
].join(' ');

const FROM_ENVIRONMENT = [
  'TENDON_SECRET_KEY gives the key, so it is changed there: make a new one (openssl rand -base64 32), give it as TENDON_SECRET_KEY and the present one as TENDON_SECRET_KEY_PREVIOUS, and start again.',
  'With several servers give the new one to each as TENDON_SECRET_KEY_PREVIOUS first. "tendon secrets status" says when the earlier key is not needed any more.',
].join(' ');
