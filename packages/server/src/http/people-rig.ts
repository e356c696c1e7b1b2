import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, type HttpRig, httpRig } from './http-rig.ts';

/** A browser at the HTTP server: it keeps its cookie and sends what a page of ours would send. For tests. */
export class Browser {
  cookie: string | undefined;
  /** Of one who has given the password and owes a code; sent along where a browser would. */
  step: string | undefined;
  /** By which it is known to the account that it was signed in to last; it goes to the route of sign-in. */
  known: string | undefined;
  readonly #rig: HttpRig;

  constructor(rig: HttpRig, cookie?: string) {
    this.#rig = rig;
    this.cookie = cookie;
  }

  get(path: string): Promise<Answer> {
    return this.#rig.ask('GET', path, this.#headers({ 'Sec-Fetch-Site': 'same-origin' }));
  }

  delete(path: string): Promise<Answer> {
    return this.#rig.ask('DELETE', path, this.#headers({ Origin: this.#rig.origin }));
  }

  async post(path: string, body: object = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await this.#rig.post(path, { ...this.#headers({ Origin: this.#rig.origin }, path), ...headers }, JSON.stringify(body));
    const session = answer.headers['set-cookie']?.find((line) => line.includes('session_token='));
    if (session !== undefined) this.cookie = cookiePair(session);
    const step = answer.headers['set-cookie']?.find((line) => line.includes('.second_step='));
    if (step !== undefined) this.step = cookiePair(step);
    const known = answer.headers['set-cookie']?.find((line) => line.includes('.known='));
    if (known !== undefined) this.known = cookiePair(known);
    return answer;
  }

  #headers(headers: Record<string, string>, path = ''): Record<string, string> {
    const more = { '/api/auth/second-step': this.step, '/api/auth/sign-in': this.known }[path];
    const cookies = [this.cookie, more].filter((cookie) => cookie !== undefined);
    return { ...headers, ...(cookies.length === 0 ? {} : { Cookie: cookies.join('; ') }) };
  }
}

export const json = (answer: Answer) => JSON.parse(answer.body.toString('utf8')) as Record<string, never>;

/** The code and the words of a refusal. */
export const refusal = (answer: Answer) => ({ status: answer.status, ...(json(answer)['error'] as unknown as { code: string; message: string }) });

export const PASSWORD = 'correct horse battery';

export interface PeopleRig extends HttpRig {
  /** Signed in by a link, as the first owner. */
  readonly owner: Browser;
  stranger(): Browser;
  /** A new member with a password, signed in. */
  member(name: string): Promise<Browser & { readonly email: string; readonly id: string }>;
}

/** The HTTP server with a signed-in owner. For tests. */
export async function peopleRig(...options: Parameters<typeof httpRig>): Promise<PeopleRig> {
  const rig = await httpRig(...options);
  const link = new URL(await rig.auth.auth.signInLink());
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`);
  const owner = new Browser(rig, cookiePair(String(answer.headers['set-cookie']?.[0])));
  return Object.assign(rig, {
    owner,
    stranger: () => new Browser(rig),
    async member(name: string) {
      const token = await invite(owner, name);
      const browser = new Browser(rig);
      const email = `${name.toLowerCase()}@example.org`;
      await browser.post('/api/auth/join', { token, name, email, password: PASSWORD });
      const { account } = json(await browser.get('/api/account')) as unknown as { account: { id: string } };
      return Object.assign(browser, { email, id: account.id });
    },
  });
}

/** The token of a new invitation. */
export async function invite(owner: Browser, name: string, role: 'owner' | 'member' = 'member'): Promise<string> {
  const { url } = json(await owner.post('/api/invitations', { name, role })) as unknown as { url: string };
  return new URL(url).hash.slice(1);
}

export const signIn = (browser: Browser, email: string, password: string = PASSWORD) => browser.post('/api/auth/sign-in', { email, password });

export async function isIn(browser: Browser): Promise<boolean> {
  return (await browser.get('/api/me')).status === 200;
}
