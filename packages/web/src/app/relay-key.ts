/** What a page needs; replaceable in tests. */
export interface RelayKeyParts {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search' | 'origin'>;
  readonly history: Pick<History, 'replaceState'>;
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly fetch: typeof fetch;
}

const STORED_AS = 'tendon-relay-key';
const IN_THE_ADDRESS = /^#relay=(tdr_[\w-]{43})$/;

/**
 * The key with which the page of a machine's relay connects (SPEC L2): it comes once, in the fragment of the address to which a sign-in link
 * leads, and is kept where this origin alone can read it. A cookie goes to every port of this machine; this does not.
 * Undefined where there is none: the page comes from a server, or this browser has not signed in at the relay.
 */
export function takeRelayKey({ location, history, storage }: Omit<RelayKeyParts, 'fetch'>): string | undefined {
  const [, fresh] = IN_THE_ADDRESS.exec(location.hash) ?? [];
  try {
    if (fresh === undefined) return storage.getItem(STORED_AS) ?? undefined;
    history.replaceState(null, '', `${location.pathname}${location.search}`);
    storage.setItem(STORED_AS, fresh);
  } catch {
    // A browser that keeps nothing: the key then lasts as long as this page.
  }
  return fresh;
}

/** The `token` of a relay's page. Nothing is handed to a server that listens now where a relay once did. Rejects when that could not be asked. */
export function relayTokenSource(key: string, { location, fetch }: Pick<RelayKeyParts, 'location' | 'fetch'>): () => Promise<string | undefined> {
  return async () => {
    const response = await fetch(`${location.origin}/api/auth/ways`, { cache: 'no-store', headers: { 'X-Requested-With': 'tendon' } });
    if (!response.ok) throw new Error(`The ways to sign in could not be asked for: status ${response.status}.`);
    const { relay } = (await response.json()) as { relay?: unknown };
    return relay === true ? key : undefined;
  };
}
