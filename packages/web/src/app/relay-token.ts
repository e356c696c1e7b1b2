import { requestSessionToken } from '@tendon/client';

/** What a page has; replaceable in tests. */
export interface RelayPageParts {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search' | 'origin'>;
  readonly history: Pick<History, 'replaceState'>;
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly fetch: typeof fetch;
}

const STORED_AS = 'tendon-relay-key';
const IN_THE_ADDRESS = /^#relay=(tdr_[\w-]{43})$/;

/**
 * The `token` of the client in the page of a machine's relay (SPEC L2, L9): asks the relay for a credential for one connection, with the page's
 * key. The key comes once, in the fragment of the address to which a sign-in link leads, and is kept where pages of this origin alone read
 * it: a cookie goes to every port of this machine, this does not. It is in no handshake.
 *
 *   in the address ──the relay gives a token for it──► stored, for every tab
 *         └── refused: forgotten, since anybody can write an address
 *
 * Takes the key out of the address at once. What it answers with is undefined where there is no key, none that is taken, or no relay, and
 * rejects when the relay could not be asked, or asked too often; the client tries again later.
 */
export function relayTokenSource(parts: RelayPageParts): () => Promise<string | undefined> {
  let fresh = takeFromAddress(parts);
  return async () => {
    const keys = [fresh, storedKey(parts)].filter((key) => key !== undefined);
    if (keys.length === 0 || !(await isRelay(parts))) return undefined;
    for (const key of new Set(keys)) {
      const { token } = await requestSessionToken({ origin: parts.location.origin, fetch: parts.fetch }, key);
      if (key === fresh && (token === undefined || store(parts, key))) fresh = undefined;
      if (token !== undefined) return token;
    }
    return undefined;
  };
}

function takeFromAddress({ location, history }: RelayPageParts): string | undefined {
  const [, key] = IN_THE_ADDRESS.exec(location.hash) ?? [];
  if (key !== undefined) history.replaceState(null, '', `${location.pathname}${location.search}`);
  return key;
}

function storedKey({ storage }: RelayPageParts): string | undefined {
  try {
    return storage.getItem(STORED_AS) ?? undefined;
  } catch {
    return undefined;
  }
}

/** False in a browser that keeps nothing: the key then lasts as long as this page. */
function store({ storage }: RelayPageParts, key: string): boolean {
  try {
    storage.setItem(STORED_AS, key);
    return true;
  } catch {
    return false;
  }
}

/** A server may listen now where a relay once did. */
async function isRelay({ location, fetch }: RelayPageParts): Promise<boolean> {
  const response = await fetch(`${location.origin}/api/auth/ways`, { cache: 'no-store', headers: { 'X-Requested-With': 'tendon' } });
  if (!response.ok) throw new Error(`The ways to sign in could not be asked for: status ${response.status}.`);
  const { relay } = (await response.json()) as { relay?: unknown };
  return relay === true;
}
