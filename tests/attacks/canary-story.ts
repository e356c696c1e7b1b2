import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentSocket, calls, isRunning, type RelayBrowser, type Reply, relayTokenHeaders, SessionView, says, until } from '@tendon/testing';
import { type Answer, ask, type CanaryRig, CONFIGURED, cookieOf, fromElsewhere, MACHINE_NAME, ownKeys, pairedKeys, passphrase, secret } from './canary-rig.ts';
import { type GuardedMcp, guardedMcp, issuerTokens, providerKeys, secondFactor, serverMcp } from './canary-sign-ins.ts';

/*
 * What a person and a stranger do with every kind of credential that there is, right and wrong. Nothing is judged here: whatever is a
 * credential goes to `hide`, and the hunt afterwards says where it has turned up.
 */

/** Marks that must be found, each somewhere else: a hunt that finds nothing proves nothing. */
export const MARKS = { file: secret(), client: `client-${secret()}`, machine: MACHINE_NAME };

interface Person {
  /** Headers of a page of ours. */
  readonly headers: Readonly<Record<string, string>>;
}

const json = <T>(text: string): T => JSON.parse(text) as T;

export async function goThrough(rig: CanaryRig): Promise<void> {
  await using servers = await guardedMcp(rig, "the server's MCP server");
  await using machines = await guardedMcp(rig, "the machine's MCP server");
  const owner = await signInByLink(rig);
  const own = ownKeys(rig.homes.server);
  rig.hide('the key of the own gateway', own.gatewayKey);
  rig.hide('the control key', own.controlKey);
  await passwords(rig, owner);
  await identityProvider(rig, owner);
  const key = await keys(rig, owner);
  await sessionToken(rig, owner);
  await wrongCredentials(rig);
  await providerKeys(rig, owner.headers);
  await issuerTokens(rig);
  await serverMcp(rig, servers);
  const page = await machineWithPage(rig, owner, machines);
  await work(rig, page);
  await modelRefuses(rig);
  await brokenDatabase(rig, owner, key);
  await killedGateway(rig);
  await commands(rig);
  await ask(`${rig.front.url}/api/auth/sign-out`, { method: 'POST', headers: owner.headers });
}

function pageHeaders(rig: CanaryRig, cookie?: string): Record<string, string> {
  return { Origin: rig.front.url, 'X-Requested-With': 'tendon', ...(cookie === undefined ? {} : { Cookie: cookie }) };
}

/** A cookie is the token that the library stores, and its signature, without which it opens nothing. */
function hideCookie(rig: CanaryRig, name: string, value: string): void {
  rig.hide(`${name}: the cookie`, decodeURIComponent(value));
  const [token, signature] = decodeURIComponent(value).split('.');
  rig.hide(`${name}: what the cookie is looked up by`, token);
  rig.hide(`${name}: the signature of the cookie`, signature);
}

async function signInByLink(rig: CanaryRig): Promise<Person> {
  const link = await until({ what: 'the link', pollMs: 20, check: () => /Sign in: (http\S+)/.exec(rig.product.output())?.[1] });
  rig.hide('the link', new URL(link).searchParams.get('token') ?? '');
  const answer = await ask(link, { headers: { 'Sec-Fetch-Site': 'none' } });
  const { pair, value } = cookieOf(answer, 'session_token=');
  hideCookie(rig, 'the owner', value);
  await ask(link, { headers: { 'Sec-Fetch-Site': 'none' } });
  return { headers: pageHeaders(rig, pair) };
}

async function invitation(rig: CanaryRig, owner: Person, name: string): Promise<string> {
  const { text } = await ask(`${rig.front.url}/api/invitations`, { headers: owner.headers, body: { name, role: 'member' } });
  return rig.hide(`the invitation of ${name}`, new URL(json<{ url: string }>(text).url).hash.slice(1));
}

async function passwords(rig: CanaryRig, owner: Person): Promise<void> {
  const at = (path: string): string => `${rig.front.url}/api/${path}`;
  const [first, second, wrong] = [passphrase(), passphrase(), passphrase()];
  for (const [name, value] of Object.entries({ 'the first password': first, 'the second password': second, 'a wrong password': wrong })) rig.hide(name, value);
  const token = await invitation(rig, owner, 'Ada');
  const email = 'ada@example.org';
  await ask(at('auth/join'), { headers: pageHeaders(rig), body: { token, name: 'Ada', email, password: 'short' } });
  const joined = cookieOf(await ask(at('auth/join'), { headers: pageHeaders(rig), body: { token, name: 'Ada', email, password: first } }), 'session_token=');
  hideCookie(rig, 'Ada', joined.value);
  await ask(at('auth/join'), { headers: pageHeaders(rig), body: { token, name: 'Ada', email, password: first } });
  const ada = pageHeaders(rig, joined.pair);
  await ask(at('account/password'), { headers: ada, body: { current: wrong, password: second } });
  await ask(at('account/password'), { headers: ada, body: { current: first, password: second } });
  for (const password of [wrong, first, second]) {
    const answer = await ask(at('auth/sign-in'), { headers: pageHeaders(rig), body: { email, password } });
    if (answer.status === 200) hideCookie(rig, 'Ada again', cookieOf(answer, 'session_token=').value);
  }
  await secondFactor(rig, { email, password: second, page: pageHeaders(rig), signedIn: ada });
  // In fields where they do not belong, in a body that is no JSON, and in a form.
  await ask(at('auth/sign-in'), { headers: pageHeaders(rig), body: { email: wrong, password: { text: wrong } } });
  await ask(at('auth/sign-in'), { headers: { ...pageHeaders(rig), 'Content-Type': 'text/plain' }, body: `password=${wrong}` });
}

async function identityProvider(rig: CanaryRig, owner: Person): Promise<void> {
  const token = await invitation(rig, owner, 'Bob');
  const start = `${rig.front.url}/api/auth/provider`;
  const departed = await ask(start, { headers: pageHeaders(rig), body: { errand: 'join', token } });
  const luggage = cookieOf(departed, '.provider=');
  rig.hide('what a browser carries to the provider', luggage.value);
  const back = await rig.provider.walk(json<{ url: string }>(departed.text).url, 'bob');
  rig.hide("the provider's code", back.searchParams.get('code') ?? '');
  const arrived = await ask(back.href, {
    headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Cookie: luggage.pair },
  });
  hideCookie(rig, 'Bob', cookieOf(arrived, 'session_token=').value);
  for (const answer of rig.provider.tokenAnswers)
    for (const [name, value] of Object.entries(json<Record<string, unknown>>(answer)))
      if (/token$/.test(name)) rig.hide(`the provider's ${name}`, String(value));
  // The code again, and one that nobody gave: the provider refuses both, in its own words.
  const invented = new URL(back);
  invented.searchParams.set('code', rig.hide('an invented code', secret()));
  for (const address of [back, invented])
    await ask(address.href, { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Cookie: luggage.pair } });
}

async function keys(rig: CanaryRig, owner: Person): Promise<string> {
  const make = async (name: string, body: object): Promise<string> => {
    const { text } = await ask(`${rig.front.url}/api/keys`, { headers: owner.headers, body: { name, ...body } });
    return rig.hide(name, json<{ key: string }>(text).key);
  };
  const full = await make('a key', {});
  const scoped = await make('a key with a scope', { scopes: ['read'] });
  for (const key of [full, scoped]) {
    await ask(`${rig.front.url}/api/me`, { headers: { Authorization: `Bearer ${key}` } });
    await ask(`${rig.front.url}/api/people`, { headers: { Authorization: `Bearer ${key}` } });
  }
  const socket = await AgentSocket.connect({ url: rig.front.url, key: scoped, name: 'scoped' });
  await socket.request('session:create', {});
  socket.close();
  return full;
}

async function sessionToken(rig: CanaryRig, owner: Person): Promise<void> {
  const desktop = { ...owner.headers, 'User-Agent': 'TendonDesktop/1.0', 'Sec-Fetch-Site': 'same-origin' };
  const csrf = cookieOf(await ask(`${rig.front.url}/api/me`, { headers: desktop }), '.csrf=');
  const headers = { ...desktop, Cookie: `${owner.headers['Cookie']}; ${csrf.pair}`, 'X-CSRF-Token': csrf.value };
  const { text } = await ask(`${rig.front.url}/api/auth/session-token`, { headers, body: {} });
  const key = rig.hide('a session token', json<{ token: string }>(text).token);
  for (let times = 2; times > 0; times -= 1)
    await AgentSocket.connect({ url: rig.front.url, key, headers: { Origin: rig.front.url }, name: 'desktop' }).then(
      (socket) => socket.close(),
      () => undefined,
    );
}

/** Tokens that are none, wherever one could stand. */
async function wrongCredentials(rig: CanaryRig): Promise<void> {
  const of = (name: string, shape: (text: string) => string): string => rig.hide(name, shape(secret()));
  const wrong = [
    of('a key that is none', (text) => `tnd_${text}`),
    of('a session token that is none', (text) => `tns_${text}`),
    of('a JWT that is none', (text) => `eyJhbGciOiJub25lIn0.${text}.${text}`),
    of('a token of another kind', (text) => text),
    of('a long token', (text) => text.repeat(200)),
    of('a token with odd signs', (text) => `"${text}'\\`),
  ];
  for (const token of wrong) {
    await ask(`${rig.front.url}/api/me`, { headers: { Authorization: `Bearer ${token}` } });
    await ask(`${rig.front.url}/api/me`, { headers: { Authorization: `Basic ${Buffer.from(`ada:${token}`).toString('base64')}` } });
    await ask(`${rig.front.url}/api/me`, {
      headers: { Cookie: `tendon-${new URL(rig.front.url).port}.session_token=${encodeURIComponent(token)}`, 'Sec-Fetch-Site': 'same-origin' },
    });
    for (const name of ['token', 'key', 'access_token', 'x']) await ask(`${rig.front.url}/sign-in?${name}=${encodeURIComponent(token)}`);
    await ask(`${rig.front.url}/api/keys/${encodeURIComponent(token.slice(0, 200))}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${CONFIGURED.ownerKey}` },
    });
    await ask(`${rig.front.url}/api/pair/key`, { body: { deviceCode: token } });
    await AgentSocket.connect({ url: rig.front.url, key: token, headers: fromElsewhere(), name: 'wrong' }).then(
      (socket) => socket.close(),
      () => undefined,
    );
  }
  // With a right key: as an id, as a field that nobody knows, as the name of an event.
  const socket = await AgentSocket.connect({ url: rig.front.url, key: CONFIGURED.ownerKey, name: MARKS.client });
  for (const token of wrong) {
    await socket.request('session:attach', { sessionId: token });
    await socket.request('session:create', { token, password: token } as object);
    await socket.request(token as 'session:list', {});
  }
  socket.close();
}

async function machineWithPage(rig: CanaryRig, owner: Person, guarded: GuardedMcp): Promise<AgentSocket> {
  const servers = {
    guarded: guarded.entry,
    away: { url: 'http://127.0.0.1:1/mcp', headers: { Authorization: `Bearer ${rig.hide('a header of mcp.json', secret())}` } },
    ends: { command: 'node', args: ['-e', 'process.stderr.write("not today"); process.exit(3)'], env: { TOKEN: rig.hide('a variable of mcp.json', secret()) } },
  };
  await writeFile(join(rig.homes.machine, 'mcp.json'), JSON.stringify({ mcpServers: servers }), { mode: 0o600 });
  const starting = rig.startMachine();
  const started = await until({
    what: 'a machine that asks to be paired',
    pollMs: 50,
    check: () => /\{"deviceCode":"([^"]+)","userCode":"([^"]+)"/.exec(rig.front.heard.toString('latin1')) ?? undefined,
  });
  rig.hide("the machine's device code", started[1]);
  await ask(`${rig.front.url}/api/pair/${started[2]}`, { headers: owner.headers, body: { decision: 'approve' } });
  const machine = await starting;
  await guarded.signIn(() => machine.output(), join(rig.homes.machine, 'gateway', MACHINE_NAME, 'mcp-credentials.json'));
  const made = pairedKeys(rig.homes.machine);
  rig.hide("the machine's key", made.key);
  rig.hide("the key of the machine's page", made.relayKey);
  const link = await until({
    what: "the page's link",
    pollMs: 20,
    check: () => /The page for a browser on this machine: (http\S+)/.exec(machine.output())?.[1],
  });
  rig.hide("the page's link", new URL(link).searchParams.get('token') ?? '');
  const opened = await ask(link, { headers: { 'Sec-Fetch-Site': 'none' } });
  const cookie = cookieOf(opened, '=');
  rig.hide("the page's cookie", cookie.value);
  const pageKey = rig.hide("the page's own key", /#relay=(\S+)/.exec(opened.headers.location ?? '')?.[1]);
  const { origin } = new URL(link);
  rig.keep('what the relay answers', (await ask(`${origin}/api/me`, { headers: { Cookie: cookie.pair, Origin: origin } })).text);
  const refusedKeys = [rig.hide('a wrong key for the page', secret()), rig.hide('a token that the relay has not made', `trs_${secret()}`), pageKey];
  for (const key of refusedKeys)
    await AgentSocket.connect({ url: origin, key, headers: { Cookie: cookie.pair, Origin: origin } }).catch((error: Error) =>
      rig.keep('what the relay answers', JSON.stringify([error.message, error.cause])),
    );
  for (const wrong of [rig.hide('a wrong key of the page', `tdr_${secret()}`), '']) await askToken(rig, origin, { cookie: cookie.pair, pageKey: wrong });
  const { text } = await askToken(rig, origin, { cookie: cookie.pair, pageKey });
  const token = rig.hide("the token of the page's socket", json<{ token: string }>(text).token);
  return AgentSocket.connect({ url: origin, key: token, headers: { Cookie: cookie.pair, Origin: origin }, name: 'page' });
}

async function askToken(rig: CanaryRig, origin: string, browser: RelayBrowser): Promise<Answer> {
  const answer = await ask(`${origin}/api/auth/session-token`, { headers: relayTokenHeaders(origin, browser), body: {} });
  rig.keep('what the relay answers', JSON.stringify([answer.headers, answer.text]));
  return answer;
}

/** A command that shows its environment and a file, approved in the page of the machine. */
async function work(rig: CanaryRig, page: AgentSocket): Promise<void> {
  await writeFile(join(rig.workspace, 'notes.txt'), `PASSWORD=${MARKS.file}\n`);
  await writeFile(join(rig.workspace, 'unread.txt'), `PASSWORD=${rig.hide('a file that nobody reads', secret())}\n`);
  const { gateways } = await page.ask('gateway:list', {});
  const gateway = gateways.find(({ online, name }) => online && name === MARKS.machine);
  if (!gateway) throw new Error('the machine is not online');
  const session = await SessionView.create(page, { gatewayId: gateway.id, workspace: rig.workspace });
  rig.model.script([calls({ name: 'bash', input: { command: 'env; cat /proc/$PPID/environ; cat notes.txt; ls; ps aux' } })], says('Seen.'));
  await session.say('look around');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilStatus('idle');
  rig.model.script([calls({ name: 'bash', input: { command: 'true' } })], says('As you say.'));
  await session.say('once more');
  await session.decide(await session.untilCall('awaiting_approval'), 'deny', { reason: 'no' });
  await session.untilStatus('idle');
  rig.keep('what the relay answers', JSON.stringify([page.received, session.attached]));
  page.close();
}

/** Providers that say the key which they refuse, in every way in which they can refuse. */
async function modelRefuses(rig: CanaryRig): Promise<void> {
  const socket = await AgentSocket.connect({ url: rig.front.url, key: CONFIGURED.ownerKey, name: 'refusals' });
  const providers = {
    'compatible/scripted': CONFIGURED.compatibleKey,
    'openai/scripted': CONFIGURED.openaiKey,
    'anthropic/claude-scripted': CONFIGURED.anthropicKey,
  };
  for (const [model, key] of Object.entries(providers)) {
    const message = `Incorrect API key provided: ${key}. Authorization: Bearer ${key}; x-api-key: ${Buffer.from(key).toString('base64')} ${encodeURIComponent(`"${key}"`)}`;
    const replies: Reply[] = [
      ...[400, 401, 402, 403, 404, 422].map((status) => ({ status, message })),
      { status: 429, message: `insufficient_quota ${message}` },
      { steps: [...says('Well'), { do: 'error', message: `invalid_request ${message}` }] },
      { status: 400, message: `${'x'.repeat(1_980)} ${message}` },
      { status: 400, message: `${'x'.repeat(270)} ${message}` },
    ];
    for (const reply of replies) {
      rig.model.script(reply);
      const session = await SessionView.create(socket, { model });
      await session.say('hello');
      await socket.until('the end of the turn', () => session.failures.length > 0 || session.session.status === 'idle');
    }
  }
  socket.close();
}

/** Tables that are not there while credentials are looked up in them. */
async function brokenDatabase(rig: CanaryRig, owner: Person, key: string): Promise<void> {
  for (const table of ['api_keys', 'auth_sessions', 'users', 'invitations', 'sign_in_links', 'session_tokens', 'pairings', 'accounts']) {
    await rig.sql(`alter table ${table} rename to away`);
    const password = rig.hide(`a password while ${table} is away`, passphrase());
    await ask(`${rig.front.url}/api/me`, { headers: { Authorization: `Bearer ${key}` } });
    await ask(`${rig.front.url}/api/me`, { headers: owner.headers });
    await ask(`${rig.front.url}/api/keys`, { headers: owner.headers, body: { name: 'never' } });
    await ask(`${rig.front.url}/api/auth/sign-in`, { headers: pageHeaders(rig), body: { email: 'ada@example.org', password } });
    await ask(`${rig.front.url}/api/auth/join`, {
      headers: pageHeaders(rig),
      body: { token: rig.hide(`an invitation while ${table} is away`, secret()), name: 'Eve', email: 'eve@example.org', password },
    });
    await ask(`${rig.front.url}/sign-in?token=${rig.hide(`a link while ${table} is away`, secret())}`);
    await ask(`${rig.front.url}/api/pair/key`, { body: { deviceCode: rig.hide(`a device code while ${table} is away`, secret()) } });
    await AgentSocket.connect({
      url: rig.front.url,
      key: rig.hide(`a session token while ${table} is away`, `tns_${secret()}`),
      headers: fromElsewhere(),
      name: 'broken',
    }).catch(() => undefined);
    await rig.sql(`alter table away rename to ${table}`);
  }
}

async function killedGateway(rig: CanaryRig): Promise<void> {
  const pid = rig.noteChild();
  process.kill(pid, 'SIGKILL');
  await until({ what: 'another gateway', pollMs: 50, check: () => !isRunning(pid) && /starting it again/.test(rig.product.output()) });
}

/** Commands that are given what is wrong, and what says how it is configured. */
async function commands(rig: CanaryRig): Promise<void> {
  const home = { TENDON_HOME: join(rig.homes.machine, 'elsewhere') };
  const away = rig.hide('the password of a database that is away', passphrase());
  const short = rig.hide('an owner key that is too short', secret().slice(0, 24));
  await rig.run(['doctor']);
  await rig.run(['key', 'list']);
  await rig.run(['server'], { ...home, TENDON_DATABASE_URL: `postgres://tendon:${encodeURIComponent(away)}@127.0.0.1:1/tendon` });
  await rig.run(['server'], { ...home, TENDON_DATABASE_URL: `postgres//tendon:${encodeURIComponent(away)}@127.0.0.1` });
  await rig.run(['server'], { ...home, TENDON_OWNER_KEY: short, TENDON_SECRET_KEY: rig.hide('a secret key that is none', secret()) });
  await rig.run(['doctor'], { ...home, TENDON_OWNER_KEY: short });
  const key = rig.hide('a wrong key of a command', `tnd_${randomUUID()}${secret()}`);
  await rig.run(['key', 'list', '--server', rig.front.url], { ...home, TENDON_API_KEY: key });
  await rig.run(['gateway', '--server', rig.front.url], { ...home, TENDON_API_KEY: key });
  await rig.run(['chat', '--server', rig.front.url], { ...home, TENDON_API_KEY: key });
}
