/** What a page has; replaceable in tests. */
export interface PageParts {
  /** The page's own origin, which is the server's. */
  readonly origin: string;
  readonly fetch: typeof fetch;
  /** `document.cookie`. */
  readonly cookies: () => string;
}

const TOKEN_PATH = '/api/auth/session-token';

/**
 * The `token` of a desktop page's client (SPEC H20): asks the server for a credential for one connection. Answers undefined where there is
 * none to be had, because the server hands none out or nobody is signed in: the cookie decides then. Rejects when it could not be asked,
 * or asked too often; the client tries again later. It is called at each reconnect: a token opens one connection (K26).
 */
export function sessionTokenSource(parts: PageParts = browserParts()): () => Promise<string | undefined> {
  return async () => {
    const known = csrfToken(parts) ?? (await freshCsrfToken(parts));
    if (known === undefined) return undefined;
    const first = await requestSessionToken(parts, known);
    // The page's CSRF token may be that of an earlier sign-in: once more with the one of this session.
    const again = first.status === 403 ? await freshCsrfToken(parts) : undefined;
    return (again === undefined ? first : await requestSessionToken(parts, again)).token;
  };
}

export interface SessionTokenAnswer {
  readonly status: number;
  /** Undefined where there is none to be had: 401, 403, 404. */
  readonly token: string | undefined;
}

/** Asks once, with this CSRF token. Rejects when the server could not be asked, or has another answer than yes and no. */
export async function requestSessionToken({ origin, fetch }: Pick<PageParts, 'origin' | 'fetch'>, csrf: string): Promise<SessionTokenAnswer> {
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'tendon', 'X-CSRF-Token': csrf };
  const response = await fetch(`${origin}${TOKEN_PATH}`, { method: 'POST', headers, body: '{}', cache: 'no-store' });
  const { status } = response;
  if ([401, 403, 404].includes(status)) return { status, token: undefined };
  if (!response.ok) throw new Error(`The server answered ${status} to the request for a session token.`);
  const { token } = (await response.json()) as { token?: unknown };
  return { status, token: typeof token === 'string' ? token : undefined };
}

function browserParts(): PageParts {
  return { origin: location.origin, fetch: (...args) => fetch(...args), cookies: () => document.cookie };
}

/** Asking who we are puts the token into the page's cookies. */
async function freshCsrfToken(parts: PageParts): Promise<string | undefined> {
  await parts.fetch(`${parts.origin}/api/me`, { cache: 'no-store', headers: { 'X-Requested-With': 'tendon' } });
  return csrfToken(parts);
}

/** Cookies do not know ports, so the port is in the name. */
function csrfToken({ origin, cookies }: PageParts): string | undefined {
  const { port, protocol } = new URL(origin);
  const name = `tendon-${port === '' ? (protocol === 'https:' ? '443' : '80') : port}.csrf=`;
  return cookies()
    .split(/;\s*/)
    .find((pair) => pair.startsWith(name))
    ?.slice(name.length);
}
