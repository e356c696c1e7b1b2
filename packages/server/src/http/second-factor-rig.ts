import assert from 'node:assert/strict';
import { base32 } from '@better-auth/utils/base32';
import { codeAt } from '../auth/one-time-code.ts';
import { type Browser, json, PASSWORD, type PeopleRig, signIn } from './people-rig.ts';

export type Member = Awaited<ReturnType<PeopleRig['member']>>;

export const SECOND_STEP = '/api/auth/second-step';
export const FACTOR = '/api/account/second-factor';
export const give = (browser: Browser, code: string) => browser.post(SECOND_STEP, { code });
export const WRONG_CODE = {
  status: 401,
  code: 'unauthorized',
  message: 'The code is wrong or was used already, or it took more than five minutes. Try the next code, or start again with your password.',
};

/** An app on a telephone, whose clock is the server's. */
export class App {
  readonly secret: Uint8Array;
  readonly #rig: PeopleRig;

  constructor(rig: PeopleRig, secret: string) {
    this.secret = base32.decode(secret);
    this.#rig = rig;
  }

  /** The code that it shows now, or so many periods later. */
  shows(later = 0): Promise<string> {
    return codeAt(this.secret, new Date(this.#rig.auth.clock.now.getTime() + later * 30_000));
  }

  /** Some code that is none of those that count. */
  async wrong(): Promise<string> {
    const right = new Set(await Promise.all([-1, 0, 1].map((later) => this.shows(later))));
    return ['000000', '111111', '222222', '333333'].find((code) => !right.has(code)) ?? '';
  }
}

export const wait = (rig: PeopleRig, milliseconds: number) => {
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + milliseconds);
};

/** Sets it up, as the page does. The next period has begun by the end, so that the app shows a code that is new. */
export async function setUp(rig: PeopleRig, person: Browser): Promise<{ app: App; recoveryCodes: readonly string[]; secret: string }> {
  const begun = await person.post(FACTOR, { password: PASSWORD });
  assert.equal(begun.status, 201, begun.body.toString());
  const { secret } = json(begun) as unknown as { secret: string };
  const app = new App(rig, secret);
  const confirmed = await person.post(`${FACTOR}/confirm`, { code: await app.shows() });
  assert.equal(confirmed.status, 200, confirmed.body.toString());
  wait(rig, 60_000);
  return { app, secret, ...(json(confirmed) as unknown as { recoveryCodes: readonly string[] }) };
}

/** A browser whose person has given the password. */
export async function halfIn(rig: PeopleRig, { email }: Member): Promise<Browser> {
  const browser = rig.stranger();
  const answer = await signIn(browser, email);
  assert.deepEqual([answer.status, json(answer)], [200, { secondStep: true }]);
  return browser;
}

export async function actions(browser: Browser): Promise<string[]> {
  const { entries } = json(await browser.get('/api/audit')) as unknown as { entries: { action: string; about?: string }[] };
  return entries.map(({ action, about }) => (action === 'signed_in' ? `${action}: ${about}` : action)).toReversed();
}
