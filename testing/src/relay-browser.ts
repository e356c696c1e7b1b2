/** What a browser has that is signed in at a relay. */
export interface RelayBrowser {
  /** As it stands in a header. */
  readonly cookie: string;
  /** What its page asks for tokens with. */
  readonly pageKey: string;
}

/** Opens a link of a relay's terminal, as a browser does. */
export async function signInAtRelay(link: string): Promise<RelayBrowser> {
  const { headers } = await fetch(link, { redirect: 'manual' });
  return { cookie: headers.get('set-cookie')?.split(';')[0] ?? '', pageKey: headers.get('location')?.split('#relay=')[1] ?? '' };
}

/** The headers with which the page of a relay at `origin` asks for the token of its next socket. */
export function relayTokenHeaders(origin: string, { cookie, pageKey }: RelayBrowser): Record<string, string> {
  return {
    ...{ Cookie: cookie, Origin: origin, 'Sec-Fetch-Site': 'same-origin' },
    ...{ 'Content-Type': 'application/json', 'X-Requested-With': 'tendon', 'X-CSRF-Token': pageKey },
  };
}

/** A token for one socket, as the page asks for it. Undefined when the relay knows no such browser or page. Throws when it has another answer. */
export async function relayToken(origin: string, browser: RelayBrowser): Promise<string | undefined> {
  const answer = await fetch(new URL('/api/auth/session-token', origin), { method: 'POST', headers: relayTokenHeaders(origin, browser), body: '{}' });
  const body = (await answer.json()) as { token?: string };
  if (![201, 401, 403].includes(answer.status)) throw new Error(`the relay answers ${answer.status}: ${JSON.stringify(body)}`);
  return body.token;
}
