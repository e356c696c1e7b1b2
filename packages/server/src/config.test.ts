import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ConfigInput, type LoadedConfig, loadConfig, type VariableName } from './config.ts';

function load(env: Record<string, string>, more: Partial<ConfigInput> = {}): LoadedConfig {
  return loadConfig({ env, cwd: '/somewhere', ...more });
}

function faultsOf(loaded: LoadedConfig): readonly string[] {
  return loaded.ok ? [] : loaded.faults;
}

function configOf(loaded: LoadedConfig) {
  assert.ok(loaded.ok, faultsOf(loaded).join('\n'));
  return loaded.config;
}

test('O1: nothing given means the defaults of the table', () => {
  const loaded = load({});
  const config = configOf(loaded);
  assert.deepEqual(
    {
      home: config.home,
      workspace: config.workspace,
      host: config.host,
      port: config.port,
      relayPort: config.relayPort,
      auth: config.auth,
      desktop: config.desktop,
      logLevel: config.logLevel,
    },
    {
      home: join(homedir(), '.tendon'),
      workspace: '/somewhere',
      host: '127.0.0.1',
      port: 7420,
      relayPort: 7421,
      auth: 'required',
      desktop: false,
      logLevel: 'info',
    },
  );
  assert.ok(loaded.origins.every((origin) => origin.source === 'default'));
});

test('O1: flag before environment before config.json before default', () => {
  const homeFile = JSON.stringify({ TENDON_PORT: 1003, TENDON_HOST: 'localhost', TENDON_DESKTOP: true });
  const rows: [ConfigInput, number, string][] = [
    [{ flags: { TENDON_PORT: '1001' }, env: { TENDON_PORT: '1002' }, homeFile }, 1001, 'flag'],
    [{ env: { TENDON_PORT: '1002' }, homeFile }, 1002, 'environment'],
    [{ env: { TENDON_PORT: '' }, homeFile }, 1003, 'config.json'],
    [{ env: {} }, 7420, 'default'],
  ];
  for (const [input, port, source] of rows) {
    const loaded = loadConfig(input);
    assert.equal(configOf(loaded).port, port);
    assert.equal(loaded.origins.find((origin) => origin.name === 'TENDON_PORT')?.source, source);
  }
  assert.equal(configOf(loadConfig({ env: {}, homeFile })).desktop, true);
});

test('O1: unknown TENDON_ variables are told, for a misspelt one', () => {
  assert.deepEqual(load({ TENDON_PROT: '1', TENDON_BROWSER_PATH: '/usr/bin/chromium', PATH: '/bin' }).unknown, ['TENDON_PROT']);
});

test('O1: paths are absolute, from the current folder or the home of the user', () => {
  const config = configOf(load({ TENDON_HOME: '~/t', TENDON_WORKSPACE: 'code/../work' }));
  assert.equal(config.home, join(homedir(), 't'));
  assert.equal(config.workspace, '/somewhere/work');
});

const WRONG: readonly [VariableName, string, RegExp][] = [
  ['TENDON_PORT', 'abc', /whole number from 0 to 65535/],
  ['TENDON_PORT', '65536', /whole number from 0 to 65535/],
  ['TENDON_PORT', '-1', /whole number/],
  ['TENDON_PORT', '80.5', /whole number/],
  ['TENDON_PORT', '0x50', /whole number/],
  ['TENDON_RELAY_PORT', 'x', /whole number/],
  ['TENDON_HOST', 'http://localhost', /without scheme/],
  ['TENDON_HOST', 'a b', /host name or an IP address/],
  ['TENDON_PUBLIC_URL', 'tendon.example', /https:\/\/tendon\.example/],
  ['TENDON_PUBLIC_URL', 'https://tendon.example/path', /without path/],
  ['TENDON_PUBLIC_URL', 'https://me:pw@tendon.example', /password/],
  ['TENDON_PUBLIC_URL', 'ftp://tendon.example', /bare address/],
  ['TENDON_ALLOWED_ORIGINS', 'https://a.example, nonsense', /"nonsense" is not an origin/],
  ['TENDON_ALLOWED_ORIGINS', '*', /not an origin/],
  ['TENDON_TRUSTED_PROXIES', '127.0.0.1, anyone', /"anyone" is no proxy/],
  ['TENDON_TRUSTED_PROXIES', '0.0.0.0/0', /"0\.0\.0\.0\/0" is no proxy/],
  ['TENDON_TRUSTED_PROXIES', '10.0.0.0/33', /is no proxy/],
  ['TENDON_DATABASE_URL', 'mysql://x', /postgres:\/\//],
  ['TENDON_REDIS_URL', 'http://x', /redis:\/\//],
  ['TENDON_AUTH', 'off', /required or disabled/],
  ['TENDON_OWNER_KEY', 'short', /at least 32 characters/],
  ['TENDON_OWNER_KEY', `${'x'.repeat(40)} y`, /without spaces/],
  ['TENDON_SECRET_KEY', 'AAAA', /32 bytes as base64/],
  ['TENDON_SECRET_KEY_PREVIOUS', 'AAAA', /32 bytes as base64/],
  ['TENDON_SECRET_KEY_PREVIOUS', `${Buffer.alloc(32).toString('base64')},AAAA`, /32 bytes as base64/],
  ['TENDON_SECRET_KEY_PREVIOUS', Array(6).fill(Buffer.alloc(32).toString('base64')).join(','), /at most 5 keys/],
  ['TENDON_JWT_JWKS_URL', 'file:///etc/passwd', /https:\/\//],
  ['TENDON_DESKTOP', 'maybe', /on or off/],
  ['TENDON_MODEL', 'claude', /provider\/model/],
  ['TENDON_COMPATIBLE_URL', 'localhost:8000', /http:\/\/127/],
  ['TENDON_LOG_LEVEL', 'loud', /info/],
  ['OPENAI_BASE_URL', 'nope', /https:\/\//],
  ['ANTHROPIC_BASE_URL', 'javascript:alert(1)', /https:\/\//],
];

for (const [name, value, allowed] of WRONG) {
  test(`O2: ${name}=${JSON.stringify(value)} is one line with name, value and what is allowed`, () => {
    const faults = faultsOf(load({ [name]: value }));
    const isSecret = ['TENDON_DATABASE_URL', 'TENDON_REDIS_URL', 'TENDON_OWNER_KEY', 'TENDON_SECRET_KEY', 'TENDON_SECRET_KEY_PREVIOUS'].includes(name);
    assert.equal(faults.length, 1);
    const line = String(faults[0]);
    assert.match(line, new RegExp(`^${name} is "`));
    assert.match(line, allowed);
    assert.equal(line.includes(value), !isSecret);
    assert.ok(!line.includes('\n'));
  });
}

test('O2: a value with control characters does not reach the terminal', () => {
  const [line = ''] = faultsOf(load({ TENDON_PORT: '\u001b[2J\n80' }));
  assert.doesNotMatch(line, /[\u0000-\u001f]/);
});

test('O2: a broken config.json, an unknown name in it and TENDON_HOME in it are named', () => {
  assert.match(String(faultsOf(load({}, { homeFile: '{' }))), /config\.json in TENDON_HOME is not JSON/);
  assert.match(String(faultsOf(load({}, { homeFile: '[1]' }))), /one object/);
  assert.match(String(faultsOf(load({}, { homeFile: '{"TENDON_PROT":1}' }))), /"TENDON_PROT"/);
  assert.match(String(faultsOf(load({}, { homeFile: '{"TENDON_HOME":"/x"}' }))), /"TENDON_HOME"/);
  assert.equal(configOf(load({}, { homeFile: '{"__proto__":{"TENDON_PORT":"1"}}' })).port, 7420);
});

test('O2: an incomplete JWT issuer names what is missing', () => {
  assert.match(String(faultsOf(load({ TENDON_JWT_ISSUER: 'https://i.example' }))), /TENDON_JWT_AUDIENCE and TENDON_JWT_JWKS_URL missing/);
  const jwt = { TENDON_JWT_ISSUER: 'https://i.example', TENDON_JWT_AUDIENCE: 'tendon', TENDON_JWT_JWKS_URL: 'https://i.example/jwks' };
  assert.deepEqual(configOf(load(jwt)).jwt, { issuer: 'https://i.example', audience: 'tendon', jwksUrl: 'https://i.example/jwks', signUp: false });
});

const LISTENING: readonly [string, string | undefined, boolean][] = [
  ['127.0.0.1', undefined, true],
  ['127.1.2.3', undefined, true],
  ['localhost', undefined, true],
  ['::1', undefined, true],
  ['[::1]', undefined, true],
  ['0.0.0.0', undefined, false],
  ['::', undefined, false],
  ['192.168.1.2', undefined, false],
  ['127.0.0.1.evil.com', undefined, false],
  ['localhost.evil.com', undefined, false],
  ['127.0.0.1', 'https://tendon.example', false],
  ['127.0.0.1', 'http://localhost:9000', true],
];

for (const [host, publicUrl, isAllowed] of LISTENING) {
  test(`O3: sign-in may ${isAllowed ? '' : 'not '}be disabled on ${host}${publicUrl === undefined ? '' : ` behind ${publicUrl}`}`, () => {
    const loaded = load({ TENDON_AUTH: 'disabled', TENDON_HOST: host, ...(publicUrl === undefined ? {} : { TENDON_PUBLIC_URL: publicUrl }) });
    assert.equal(loaded.ok, isAllowed);
    if (!isAllowed) assert.match(String(faultsOf(loaded)), /TENDON_AUTH is "disabled"/);
  });
}

test('A16, O1: earlier secret keys are a list, and none when nothing is given', () => {
  const [one, two] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')];
  assert.deepEqual(configOf(load({})).previousSecretKeys, []);
  const loaded = load({ TENDON_SECRET_KEY_PREVIOUS: ` ${one}, ${two},` });
  assert.deepEqual(configOf(loaded).previousSecretKeys, [one, two]);
  assert.ok(!JSON.stringify(loaded.ok && loaded.origins).includes(one));
});

test('O12: secrets are hidden in what doctor shows', () => {
  const secret = 'very-secret-value-very-secret-value-1';
  const loaded = load({
    TENDON_OWNER_KEY: secret,
    OPENAI_API_KEY: secret,
    TENDON_API_KEY: secret,
    TENDON_DATABASE_URL: `postgres://me:${secret}@db/x`,
    TENDON_COMPATIBLE_KEY: secret,
    ANTHROPIC_API_KEY: secret,
  });
  assert.ok(!JSON.stringify(loaded.origins).includes(secret));
  assert.match(String(loaded.origins.find((origin) => origin.name === 'TENDON_OWNER_KEY')?.shown), /hidden, 37 characters/);
});

test('O2, A7: an identity provider needs issuer and client, speaks https unless it is on this machine, and is called after its host', () => {
  const given = { TENDON_OIDC_ISSUER: 'https://login.example/realm/', TENDON_OIDC_CLIENT_ID: 'tendon' };
  assert.match(String(faultsOf(load({ TENDON_OIDC_ISSUER: given.TENDON_OIDC_ISSUER }))), /TENDON_OIDC_CLIENT_ID missing/);
  assert.match(String(faultsOf(load({ TENDON_OIDC_CLIENT_ID: 'tendon' }))), /TENDON_OIDC_ISSUER missing/);
  for (const issuer of ['http://login.example', 'http://127.0.0.1.evil.example'])
    assert.match(String(faultsOf(load({ ...given, TENDON_OIDC_ISSUER: issuer }))), /https/, issuer);
  const loaded = load(given);
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.config.oidc, {
    issuer: 'https://login.example/realm/',
    clientId: 'tendon',
    clientSecret: undefined,
    name: 'login.example',
    signUp: false,
  });
  const local = load({ ...given, TENDON_OIDC_ISSUER: 'http://127.0.0.1:9000', TENDON_OIDC_NAME: 'Office', TENDON_OIDC_SIGN_UP: 'on' });
  const jwt = { TENDON_JWT_ISSUER: 'https://login.example', TENDON_JWT_AUDIENCE: 'tendon', TENDON_JWT_JWKS_URL: 'https://login.example/jwks' };
  const [closed, open] = [load(jwt), load({ ...jwt, TENDON_JWT_SIGN_UP: 'on' })];
  assert.deepEqual([closed.ok && closed.config.jwt?.signUp, open.ok && open.config.jwt?.signUp], [false, true]);
  assert.ok(local.ok && local.config.oidc?.name === 'Office' && local.config.oidc.signUp);
});
