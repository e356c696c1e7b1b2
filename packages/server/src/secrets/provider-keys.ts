import { z } from 'zod';
import type { ProviderConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { SecretStore, StoredSecret } from './secret-store.ts';

export const KEYED_PROVIDERS = ['openai', 'anthropic', 'google', 'compatible'] as const;
export type KeyedProvider = (typeof KEYED_PROVIDERS)[number];

/** What is sealed as one: a key goes to no address but the one that it was entered with. */
export interface ProviderSecret {
  readonly key?: string | undefined;
  /** For `compatible` alone. */
  readonly url?: string | undefined;
}

/** What may be told of a provider's key: never the key. */
export interface ProviderKeyState {
  readonly provider: KeyedProvider;
  /** The variables that would set it from the outside; those decide when they are set. */
  readonly variables: readonly string[];
  readonly isFromEnvironment: boolean;
  readonly stored?: StoredKeyState | undefined;
}

export interface StoredKeyState {
  readonly setAt: Date;
  readonly setBy?: string | undefined;
  /** Undefined for an address without a key, and for one that does not open. Empty for a key that is too short to show a part of. */
  readonly lastCharacters?: string | undefined;
  readonly url?: string | undefined;
  /** Why it cannot be used, and what to do. */
  readonly fault?: string | undefined;
}

export interface ProviderKeysOptions {
  readonly store: SecretStore;
  /** What the environment says. It decides, provider by provider: nothing that is stored is mixed into it. */
  readonly environment: ProviderConfig;
  /** Told what holds now, at the start and after each change. */
  readonly onChanged: (providers: ProviderConfig) => void;
  readonly log: Log;
}

const SCOPE = 'server';
const LOOK_MS = 2_000;
const SHOWN_CHARACTERS = 4;
/** Of a shorter key the last four would be too large a part. */
const SHORTEST_SHOWN = 16;

const secretSchema = z.object({ key: z.string().optional(), url: z.string().optional() });

/**
 * The keys of model providers, from the environment and from the database. What was changed at another node is found by looking every two
 * seconds; a key that does not open costs its provider alone.
 *
 *   (new) ── load ──► current ── put, remove, a look that finds a change ──► current, and who uses the keys is told
 */
export class ProviderKeys {
  readonly #options: ProviderKeysOptions;
  #rows: readonly StoredSecret[] = [];
  #told: string | undefined;
  #loading: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isLookFailing = false;

  constructor(options: ProviderKeysOptions) {
    this.#options = options;
  }

  /** Reads them for the first time. */
  async load(): Promise<void> {
    await this.#load();
    for (const { name, keyId, opened } of this.#rows)
      if (!opened.ok) this.#options.log.warn({ component: 'secrets', name }, `a stored secret cannot be used: ${faultText(opened.fault, keyId)}`);
  }

  /** Looks again and again. Only where another node can be on the database. */
  watch(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Looks once more, after whatever look is under way. Never rejects: a later one finds the same. */
  look(): Promise<void> {
    this.#loading = this.#loading
      .then(() => this.#load())
      .then(
        () => {
          this.#isLookFailing = false;
        },
        (error: unknown) => {
          if (!this.#isLookFailing)
            this.#options.log.warn({ component: 'secrets', err: error }, 'whether keys of providers have changed could not be looked up');
          this.#isLookFailing = true;
        },
      );
    return this.#loading;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#loading;
  }

  async states(): Promise<readonly ProviderKeyState[]> {
    await this.look();
    return KEYED_PROVIDERS.map((provider) => {
      const row = this.#rows.find(({ name }) => name === nameOf(provider));
      return {
        provider,
        variables: VARIABLES[provider],
        isFromEnvironment: this.isFromEnvironment(provider),
        ...(row === undefined ? {} : { stored: stateOf(row) }),
      };
    });
  }

  isFromEnvironment(provider: KeyedProvider): boolean {
    return FIELDS[provider].some((field) => this.#options.environment[field] !== undefined);
  }

  async put(provider: KeyedProvider, secret: ProviderSecret, note: { readonly by: string; readonly at: Date }): Promise<void> {
    await this.#options.store.put({ scope: SCOPE, name: nameOf(provider) }, JSON.stringify(secret), note);
    await this.look();
  }

  /** False when none was stored. */
  async remove(provider: KeyedProvider): Promise<boolean> {
    const isRemoved = await this.#options.store.remove({ scope: SCOPE, name: nameOf(provider) });
    await this.look();
    return isRemoved;
  }

  async #load(): Promise<void> {
    this.#rows = await this.#options.store.list(SCOPE);
    const providers = this.#providers();
    const told = JSON.stringify(providers);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onChanged(providers);
  }

  #providers(): ProviderConfig {
    let providers = this.#options.environment;
    for (const provider of KEYED_PROVIDERS) {
      const row = this.#rows.find(({ name }) => name === nameOf(provider));
      const secret = row && secretOf(row);
      if (secret && !this.isFromEnvironment(provider)) providers = { ...providers, ...IN_CONFIG[provider](secret) };
    }
    return providers;
  }
}

const IN_CONFIG: Readonly<Record<KeyedProvider, (secret: ProviderSecret) => Partial<ProviderConfig>>> = {
  openai: ({ key }) => ({ openaiKey: key }),
  anthropic: ({ key }) => ({ anthropicKey: key }),
  google: ({ key }) => ({ googleKey: key }),
  compatible: ({ key, url }) => ({ compatibleUrl: url, compatibleKey: key }),
};

const FIELDS: Readonly<Record<KeyedProvider, readonly (keyof ProviderConfig)[]>> = {
  openai: ['openaiKey'],
  anthropic: ['anthropicKey'],
  google: ['googleKey'],
  compatible: ['compatibleUrl', 'compatibleKey'],
};

const VARIABLES: Readonly<Record<KeyedProvider, readonly string[]>> = {
  openai: ['OPENAI_API_KEY'],
  anthropic: ['ANTHROPIC_API_KEY'],
  google: ['GOOGLE_GENERATIVE_AI_API_KEY'],
  compatible: ['TENDON_COMPATIBLE_URL', 'TENDON_COMPATIBLE_KEY'],
};

function nameOf(provider: KeyedProvider): string {
  return `provider/${provider}`;
}

function secretOf({ opened }: StoredSecret): ProviderSecret | undefined {
  if (!opened.ok) return undefined;
  try {
    return secretSchema.safeParse(JSON.parse(opened.text)).data;
  } catch {
    return undefined;
  }
}

function stateOf(row: StoredSecret): StoredKeyState {
  const { setAt, setBy, keyId, opened } = row;
  const secret = secretOf(row);
  if (!secret) return { setAt, setBy, fault: faultText(opened.ok ? 'damaged' : opened.fault, keyId) };
  const { key, url } = secret;
  return { setAt, setBy, url, lastCharacters: key === undefined ? undefined : key.length < SHORTEST_SHOWN ? '' : key.slice(-SHOWN_CHARACTERS) };
}

/** For the page and the log. */
function faultText(fault: 'missing_key' | 'damaged', keyId: string): string {
  return fault === 'missing_key'
    ? `it was sealed with the secret key ${keyId}, which this server does not have. Give that key as TENDON_SECRET_KEY_PREVIOUS and start again, or enter the secret anew.`
    : 'it was changed in the database by something else than Tendon. Enter it anew.';
}
