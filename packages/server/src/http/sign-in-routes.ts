import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { pageOrigin } from '../auth/authenticate.ts';
import type { Errand } from '../auth/oidc.ts';
import { readCookie } from '../auth/people.ts';
import type { Joining, Knocker, ProviderReturn } from '../auth/sign-in-desk.ts';
import { aboutField, bodyOf, type DoorAndAuth, emailSchema, fault, type HttpEnv, identify, nameSchema, nothingHere, refused, tooMany } from './answers.ts';
import { PROVIDER_RETURN_PATH } from './door.ts';
import { plainPage } from './plain-page.ts';
import { codeSchema } from './second-factor-routes.ts';

const SECOND_STEP_PATH = '/api/auth/second-step';

/** Long enough for every password, short enough to be hashed. */
const passwordSchema = z.string().min(1).max(1_000);
const tokenSchema = z.string().min(1).max(200);
const signInSchema = z.object({ email: emailSchema, password: passwordSchema });
const joinSchema = z.object({ token: tokenSchema, name: nameSchema, email: emailSchema, password: passwordSchema });
const errandSchema = z.discriminatedUnion('errand', [
  z.object({ errand: z.literal('sign_in') }),
  z.object({ errand: z.literal('join'), token: tokenSchema }),
  z.object({ errand: z.literal('connect') }),
]);

const INVITATION_OVER = 'This invitation has been used or taken back, or it is older than seven days. Ask for a new one.';
const AGAIN = 'Open Tendon: if you are not signed in there yet, start again.';
const WRONG_CODE = 'The code is wrong or was used already, or it took more than five minutes. Try the next code, or start again with your password.';
const WRONG = 'The address or the password is wrong.';

/** `/api/auth/*`: how a person comes in with a browser. Only our own pages may ask, so that nobody is signed in as somebody else unawares. */
export function addSignInRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth, door } = parts;
  app.get('/api/auth/ways', async (context) => context.json(await auth.waysIn()));
  addPasswordRoutes(app, parts);

  app.post('/api/auth/invitation', async (context) => {
    const body = await bodyOf(context, z.object({ token: tokenSchema }));
    if (body instanceof Response) return body;
    const look = await auth.signIn.look(body.token, knocker(context, parts));
    if (look.ok) {
      const { name, role, invitedBy, expiresAt } = look.invitation;
      return context.json({ invitation: { name, role, invitedBy, expiresAt }, provider: auth.provider?.name });
    }
    return refuseJoining(context, look);
  });

  app.post('/api/auth/join', async (context) => {
    if (!isOurPage(context, parts)) return refused(context, 'forbidden_origin');
    const body = await bodyOf(context, joinSchema);
    if (body instanceof Response) return body;
    const answer = await auth.signIn.join(body, knocker(context, parts));
    return answer.ok ? signedIn(context, answer.setCookies) : refuseJoining(context, answer);
  });

  app.post('/api/auth/provider', async (context) => {
    if (!isOurPage(context, parts)) return refused(context, 'forbidden_origin');
    const body = await bodyOf(context, errandSchema);
    if (body instanceof Response) return body;
    const errand = await errandOf(context, parts, body);
    return errand instanceof Response ? errand : depart(context, parts, errand);
  });

  app.get(PROVIDER_RETURN_PATH, async (context) => {
    const { incoming } = context.env;
    const { pathname, search } = new URL(context.req.url);
    const answer = await auth.signIn.byProvider(
      new URL(`${door.publicOrigin()}${pathname}${search}`),
      readCookie(incoming.headers, auth.providerCookieName()),
      knocker(context, parts),
    );
    context.header('Set-Cookie', `${auth.providerCookieName()}=; Path=${PROVIDER_RETURN_PATH}; Max-Age=0`, { append: true });
    if (!answer.ok) {
      const [title, paragraphs] = RETURN_WORDS[answer.code];
      const named = (text: string) => text.replaceAll('{provider}', () => auth.provider?.name ?? 'The identity provider');
      return context.html(plainPage(named(title), paragraphs.map(named), { link: OPEN }), answer.code === 'unreachable' ? 503 : 400);
    }
    for (const line of answer.setCookies) context.header('Set-Cookie', line, { append: true });
    // Not a redirect: it would still count as coming from the provider's site, and a strict cookie stays at home then.
    return context.html(plainPage('You are in', ['One moment.'], { goOnTo: answer.setCookies.length > 0 ? '/' : '/account' }));
  });
}

/** The password, and after it the code of those who have a second factor. */
function addPasswordRoutes(app: Hono<HttpEnv>, parts: DoorAndAuth): void {
  const { auth } = parts;
  app.post('/api/auth/sign-in', async (context) => {
    if (!isOurPage(context, parts)) return refused(context, 'forbidden_origin');
    const body = await bodyOf(context, signInSchema);
    if (body instanceof Response) return body;
    const answer = await auth.signIn.byPassword(body, knocker(context, parts));
    if (answer.ok) return signedIn(context, answer.setCookies);
    if (answer.code === 'second_step') {
      context.header('Set-Cookie', secondStepCookie(parts, answer.token, answer.maxAgeS), { append: true });
      return context.json({ secondStep: true });
    }
    return answer.code === 'rate_limited' ? tooMany(context, answer.retryAfterMs) : fault(context, 401, { code: 'unauthorized', message: WRONG });
  });

  app.post(SECOND_STEP_PATH, async (context) => {
    if (!isOurPage(context, parts)) return refused(context, 'forbidden_origin');
    const body = await bodyOf(context, z.object({ code: codeSchema }));
    if (body instanceof Response) return body;
    const answer = await auth.signIn.bySecondStep(readCookie(context.env.incoming.headers, auth.secondStepCookieName()), body.code, knocker(context, parts));
    if (answer.ok) return signedIn(context, [secondStepCookie(parts, '', 0), ...answer.setCookies]);
    return answer.code === 'rate_limited' ? tooMany(context, answer.retryAfterMs) : fault(context, 401, { code: 'unauthorized', message: WRONG_CODE });
  });
}

/** Strict cookies do not come along from the provider's site: whether its person is signed in already, only the next page knows. */
const OPEN = { path: '/', text: 'Open Tendon' } as const;

const RETURN_WORDS: Readonly<Record<Extract<ProviderReturn, { ok: false }>['code'], readonly [string, readonly string[]]>> = {
  refused: ['That sign-in did not work', ['It has been used already, or the answer of {provider} was not the one that was asked for.', AGAIN]],
  declined: ['You did not sign in', ['The sign-in was called off at {provider}. Nothing has changed here.', AGAIN]],
  late: ['That sign-in did not work', ['It took more than ten minutes, was finished already, or was begun in another browser.', AGAIN]],
  unknown: [
    'You have no account here yet',
    [
      '{provider} knows you, but nobody has invited you here. Ask an owner for an invitation and open its link.',
      'If you have an account here, sign in to it another way and connect {provider} on the page Account.',
      'If you meant to come in as somebody else, sign out at {provider} first.',
    ],
  ],
  other: [
    'That identity belongs to another account here',
    ['An identity can be connected with one account only. Sign in with it, or sign out at {provider} and use another one.'],
  ],
  over: ['This invitation no longer works', [INVITATION_OVER]],
  unreachable: ['{provider} cannot be reached', ['Wait a moment, then start again. The server’s log has the details.']],
};

/** It goes to this one route and opens nothing there by itself. */
function secondStepCookie({ auth, door }: DoorAndAuth, token: string, maxAgeS: number): string {
  const secure = door.publicOrigin().startsWith('https:') ? '; Secure' : '';
  return `${auth.secondStepCookieName()}=${token}; Path=${SECOND_STEP_PATH}; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secure}`;
}

function isOurPage(context: Context<HttpEnv>, { door }: DoorAndAuth): boolean {
  return pageOrigin(door, context.env.incoming.headers) !== undefined;
}

function knocker(context: Context<HttpEnv>, { door }: DoorAndAuth): Knocker {
  const { incoming } = context.env;
  return { headers: incoming.headers, address: door.addressOf(incoming) };
}

function signedIn(context: Context<HttpEnv>, setCookies: readonly string[]): Response {
  for (const line of setCookies) context.header('Set-Cookie', line, { append: true });
  return context.json({ ok: true });
}

function refuseJoining(context: Context<HttpEnv>, answer: Extract<Joining, { ok: false }>): Response {
  if (answer.code === 'rate_limited') return tooMany(context, answer.retryAfterMs);
  if (answer.code === 'weak') return fault(context, 400, aboutField('password', answer.message));
  if (answer.code === 'email_taken') return fault(context, 409, { code: 'conflict', message: 'Somebody here has this address already. Take another.' });
  return fault(context, 404, { code: 'not_found', message: INVITATION_OVER });
}

async function errandOf(context: Context<HttpEnv>, parts: DoorAndAuth, body: z.infer<typeof errandSchema>): Promise<Errand | Response> {
  if (body.errand === 'sign_in') return { kind: 'sign_in' };
  if (body.errand === 'join') return { kind: 'join', invitation: body.token };
  const principal = await identify(context, parts, 'manage');
  if (principal instanceof Response) return principal;
  if (principal.path !== 'cookie') return refused(context, 'unauthorized');
  return { kind: 'connect', userId: principal.userId, sessionId: principal.credentialId };
}

/** Answers with where to go. What the browser carries travels as a cookie that comes along from another site, for the way back only. */
async function depart(context: Context<HttpEnv>, parts: DoorAndAuth, errand: Errand): Promise<Response> {
  const { auth, door } = parts;
  if (!auth.provider) return nothingHere(context);
  const home = door.publicOrigin();
  if (pageOrigin(door, context.env.incoming.headers) !== home)
    return fault(context, 409, { code: 'conflict', message: `The provider sends you back to ${home}. Open Tendon there and start again.` });
  try {
    const departure = await auth.signIn.depart(errand, `${home}${PROVIDER_RETURN_PATH}`);
    if (!departure) return nothingHere(context);
    const attributes = `Path=${PROVIDER_RETURN_PATH}; HttpOnly; SameSite=Lax; Max-Age=${departure.maxAgeS}${home.startsWith('https:') ? '; Secure' : ''}`;
    context.header('Set-Cookie', `${auth.providerCookieName()}=${departure.luggage}; ${attributes}`, { append: true });
    return context.json({ url: departure.url });
  } catch (error) {
    parts.log.error({ component: 'auth', err: error }, 'the identity provider cannot be asked');
    return fault(context, 503, { code: 'unavailable', message: `${auth.provider.name} cannot be reached. Try again in a moment.` });
  }
}
