import { AttemptLimiter } from '../auth/attempt-limiter.ts';
import type { AuditAction, AuditLog } from '../auth/audit-log.ts';
import type { Auth } from '../auth/auth.ts';
import type { Asker, PeopleAnswer, PeopleFault } from '../auth/people-desk.ts';
import type { OpenSecrets } from './open-secrets.ts';
import type { KeyedProvider, ProviderKeyState, ProviderKeys, ProviderSecret } from './provider-keys.ts';
import type { SecretStore } from './secret-store.ts';

/** How the secrets of this database are sealed. */
export interface SealingState {
  /** The fingerprint of the key that seals now. */
  readonly current: string;
  readonly keys: readonly { readonly id: string; readonly rows: number; readonly isHere: boolean }[];
}

interface ProviderDeskParts {
  readonly keys: ProviderKeys;
  readonly store: SecretStore;
  readonly isOwner: (asker: Asker) => Promise<boolean>;
  readonly audit: AuditLog;
  /** Of changes, per person. */
  readonly limiter: AttemptLimiter;
  readonly now: () => Date;
}

/** 20 changes of a person at once, one more every 10 s. */
const CHANGES = { capacity: 20, refillMs: 10_000 };

export function openProviderDesk(auth: Pick<Auth, 'audit' | 'people'>, { store, providerKeys }: OpenSecrets, now: () => Date): ProviderDesk {
  return new ProviderDesk({
    ...{ keys: providerKeys, store, audit: auth.audit, now },
    isOwner: (asker) => auth.people.isOwner(asker),
    limiter: new AttemptLimiter({ ...CHANGES, now: () => performance.now() }),
  });
}

const OWNERS_ONLY = refuse({ code: 'forbidden', message: 'Only an owner can do that.' });

/** What owners do about the keys of model providers (rule A19). A key comes in here and never goes out again. */
export class ProviderDesk {
  readonly #parts: ProviderDeskParts;

  constructor(parts: ProviderDeskParts) {
    this.#parts = parts;
  }

  async list(asker: Asker): Promise<PeopleAnswer<readonly ProviderKeyState[]>> {
    if (!(await this.#parts.isOwner(asker))) return OWNERS_ONLY;
    return { ok: true, data: await this.#parts.keys.states() };
  }

  async set(asker: Asker, provider: KeyedProvider, secret: ProviderSecret): Promise<PeopleAnswer> {
    const { keys, limiter, now, isOwner } = this.#parts;
    if (!(await isOwner(asker))) return OWNERS_ONLY;
    const admission = limiter.take('provider key', asker.principal.userId);
    if (!admission.ok) return refuse({ code: 'rate_limited', message: 'Too many changes. Wait a moment.', retryAfterMs: admission.retryAfterMs });
    if (keys.isFromEnvironment(provider))
      return refuse({ code: 'conflict', message: 'This key is set by the environment of the server, and can be changed there alone.' });
    await keys.put(provider, secret, { by: asker.principal.userId, at: now() });
    await this.#note(asker, 'provider_key_set', provider);
    return { ok: true, data: undefined };
  }

  async remove(asker: Asker, provider: KeyedProvider): Promise<PeopleAnswer> {
    if (!(await this.#parts.isOwner(asker))) return OWNERS_ONLY;
    if (!(await this.#parts.keys.remove(provider))) return refuse({ code: 'not_found', message: 'No key of this provider is stored.' });
    await this.#note(asker, 'provider_key_removed', provider);
    return { ok: true, data: undefined };
  }

  async sealing(asker: Asker): Promise<PeopleAnswer<SealingState>> {
    if (!(await this.#parts.isOwner(asker))) return OWNERS_ONLY;
    const { keyring } = this.#parts.store;
    const use = await this.#parts.store.keyUse();
    return { ok: true, data: { current: keyring.currentId, keys: use.map(({ keyId, rows }) => ({ id: keyId, rows, isHere: keyring.ids.includes(keyId) })) } };
  }

  #note({ principal, address }: Asker, action: AuditAction, about: string): Promise<void> {
    return this.#parts.audit.note({ userId: principal.userId, credentialId: principal.credentialId, address, action, about });
  }
}

function refuse(error: PeopleFault): { ok: false; error: PeopleFault } {
  return { ok: false, error };
}
