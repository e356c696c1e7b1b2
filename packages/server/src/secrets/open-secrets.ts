import type { Pool } from 'pg';
import type { ProviderConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { KeyAgreement } from './key-agreement.ts';
import type { Keyring } from './keyring.ts';
import { ProviderKeys } from './provider-keys.ts';
import { SecretStore } from './secret-store.ts';

export interface SecretsParts {
  readonly pool: Pick<Pool, 'query'>;
  readonly keyring: Keyring;
  /** The address of a database that other nodes may share; undefined for one of our own. */
  readonly sharedUrl: string | undefined;
  readonly environment: ProviderConfig;
  readonly onProvidersChanged: (providers: ProviderConfig) => void;
  readonly log: Log;
}

export interface OpenSecrets {
  readonly store: SecretStore;
  readonly providerKeys: ProviderKeys;
  close(): Promise<void>;
}

/**
 * Makes sure that all nodes here open what each other seals, seals anew what an earlier key has sealed, and reads the keys of providers.
 * Throws StartError when a living node has other keys; a secret that does not open is told and costs itself alone.
 */
export async function openSecrets(parts: SecretsParts): Promise<OpenSecrets> {
  const { pool, keyring, sharedUrl, log } = parts;
  const store = new SecretStore(pool, keyring);
  const agreement = sharedUrl === undefined ? undefined : new KeyAgreement({ url: sharedUrl, keyring, log });
  const providerKeys = new ProviderKeys({ store, environment: parts.environment, onChanged: parts.onProvidersChanged, log });
  await agreement?.join();
  try {
    const { resealed, unopened } = await store.reseal();
    if (resealed > 0) log.info({ component: 'secrets', count: resealed }, 'secrets of an earlier secret key are sealed with the current one now');
    if (unopened.length > 0) log.warn({ component: 'secrets', count: unopened.length }, 'secrets of other keys could not be opened and stay as they are');
    await providerKeys.load();
  } catch (error) {
    await agreement?.close();
    throw error;
  }
  if (sharedUrl !== undefined) providerKeys.watch();
  return {
    store,
    providerKeys,
    close: async () => {
      await providerKeys.close();
      await agreement?.close();
    },
  };
}
