import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecretName, NOTHING_HIDDEN, secretFilter } from './mcp-secrets.ts';

const HIDDEN = '[hidden: a secret of mcp.json]';
const stdio = (env: Record<string, string>, args: string[] = []) => secretFilter({ kind: 'stdio', name: 's', command: 'c', cwd: undefined, args, env });
const http = (headers: Record<string, string>, url = 'https://example.org/mcp') => secretFilter({ kind: 'http', name: 's', url, headers });

test('E28: what sounds like a secret is taken out of texts and of whole answers, keys included; folders and switches stay', () => {
  const filter = stdio({ GITHUB_TOKEN: 'ghp_0123456789', ROOT: '/srv/data', MODE: 'production', DATABASE_URL: 'postgres://a:b@c/d' }, [
    '--api-key=abc-def-ghi',
    '--port=8080',
  ]);
  assert.equal(filter.text('ghp_0123456789 in /srv/data, production, port 8080'), `${HIDDEN} in /srv/data, production, port 8080`);
  assert.equal(filter.text('postgres://a:b@c/d abc-def-ghi'), `${HIDDEN} ${HIDDEN}`);
  assert.deepEqual(filter.value({ content: [{ type: 'text', text: 'x ghp_0123456789' }], 'key ghp_0123456789': [1, null, true] }), {
    content: [{ type: 'text', text: `x ${HIDDEN}` }],
    [`key ${HIDDEN}`]: [1, null, true],
  });
});

test('E28: a header is hidden whole and without its scheme, a client secret and a key of the address too', () => {
  const filter = http({ Authorization: 'Bearer abc.def.ghi', Accept: 'application/json' }, 'https://example.org/mcp?api_key=qwertyuiop&page=first-page');
  assert.equal(filter.text('Bearer abc.def.ghi'), HIDDEN);
  assert.equal(filter.text('abc.def.ghi'), HIDDEN);
  assert.equal(filter.text('application/json qwertyuiop first-page'), `application/json ${HIDDEN} first-page`);
  const signedIn = secretFilter({
    kind: 'http',
    name: 's',
    url: 'https://example.org/',
    headers: {},
    oauth: { clientId: 'public-id', clientSecret: 'private-one' },
  });
  assert.equal(signedIn.text('public-id private-one'), `public-id ${HIDDEN}`);
});

test('E28: of two secrets the longer one is looked for first, and what is too short to be told apart is let be', () => {
  assert.equal(stdio({ A_KEY: 'secret', B_KEY: 'secret-longer' }).text('secret-longer'), HIDDEN);
  assert.equal(stdio({ A_KEY: 'short' }), NOTHING_HIDDEN);
});

test('E28: an argument that stands after its name is hidden, and every secret also as an address and a JSON text spell it', () => {
  const filter = stdio({ PRIVATE_KEY: 'line one\nline "two"' }, ['serve', '--api-key', 'abc-def-ghi', '--verbose', '--token', '--port', '8080-8090']);
  assert.equal(filter.text('abc-def-ghi serve 8080-8090'), `${HIDDEN} serve 8080-8090`);
  assert.equal(filter.text(JSON.stringify({ key: 'line one\nline "two"' })), `{"key":"${HIDDEN}"}`);
  assert.equal(http({}, 'https://example.org/mcp?api_key=qwe%2Frty%2Buiop').text('?api_key=qwe%2Frty%2Buiop'), `?api_key=${HIDDEN}`);
});

const SECRET_NAMES = [
  ...['GITHUB_PAT', 'GH_PAT', 'AZURE_DEVOPS_EXT_PAT', 'GITHUB_PAT2', 'PAT', 'githubPat', 'pat', 'GITHUB_TOKEN', 'GH_TOKEN', 'MAX_TOKEN'],
  ...['MYSQL_PWD', 'MYSQLPWD', 'DB_PW', 'PGPASSWORD', 'SSHPASS', 'GPG_PASSPHRASE', 'pwd', '--pw'],
  ...['SENTRY_DSN', 'DATABASE_URL', 'SQL_CONN', 'ConnectionString', 'GOOGLE_CREDS', 'AWS_SHARED_CREDENTIALS_FILE'],
  ...['OPENAI_APIKEY', 'apiKey', 'x-api-key', 'AWS_ACCESS_KEY_ID', 'STRIPE_SECRET', 'HASH_SALT', 'SESSION_COOKIE', 'WIFI_PSK'],
  ...['SERVICE_JWT', 'serviceJwt', 'TOTP_SEED', 'BEARER', 'SLACK_WEBHOOK_URL', 'NODE_AUTH_TOKEN', 'npm_config__authToken', 'AUTHORIZATION', 'BASIC_AUTH'],
];
const ORDINARY_NAMES = [
  ...['PATH', 'PWD', 'OLDPWD', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TERM', 'TZ', 'TMPDIR', 'EDITOR', 'DISPLAY', 'HOSTNAME'],
  ...['XDG_RUNTIME_DIR', 'XDG_SESSION_TYPE', 'XDG_CONFIG_HOME', 'DBUS_SESSION_BUS_ADDRESS', 'HTTP_PROXY', 'NO_PROXY', 'SSL_CERT_FILE'],
  ...['NODE_ENV', 'NODE_PATH', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'npm_config_cache', 'npm_config_registry', 'npm_config_user_agent', 'GOPATH'],
  ...['GIT_AUTHOR_NAME', 'GIT_AUTHOR_EMAIL', 'AUTHORS', 'PATTERN', 'PATCH_FILE', 'COMPATIBLE', 'DISPATCH', 'PWM_RATE', 'CONNECT_TIMEOUT', 'BASALT'],
];

test('E28: names that sound like a secret, and those of a normal environment, which do not', () => {
  for (const name of SECRET_NAMES) assert.equal(isSecretName(name), true, name);
  for (const name of ORDINARY_NAMES) assert.equal(isSecretName(name), false, name);
});

test('E28: an address with a password is hidden under any name and as an argument, and so is the password alone, but not a word that it shares', () => {
  const filter = stdio({ REDIS: 'redis://:s3cr3t%21pw@cache:6379/0', ROOT: 'https://docs.example/a:b' }, [
    'postgres://reader:hunter-22@db.example/sales',
    '--verbose',
  ]);
  assert.equal(filter.text('cannot reach redis://:s3cr3t%21pw@cache:6379/0'), `cannot reach ${HIDDEN}`);
  assert.equal(filter.text('AUTH s3cr3t!pw, or s3cr3t%21pw'), `AUTH ${HIDDEN}, or ${HIDDEN}`);
  assert.equal(filter.text('postgres://reader:hunter-22@db.example/other'), `postgres://${HIDDEN}db.example/other`);
  assert.equal(
    filter.text('password hunter-22 of reader at db.example, https://docs.example/a:b'),
    `password ${HIDDEN} of reader at db.example, https://docs.example/a:b`,
  );
  const common = stdio({ URL: 'postgres://postgres:postgres@localhost:5432/postgres' });
  assert.equal(common.text('postgres says: postgres://postgres:postgres@localhost:5432/postgres, role postgres'), `postgres says: ${HIDDEN}, role postgres`);
});

test('E28: long runs of letters hold nobody up, and an address behind one is hidden all the same', () => {
  // Read anew from each of its letters, the run alone would take many minutes.
  const run = 'a'.repeat(3_000_000);
  const filter = stdio({ NOTE: run, LAST: `${run}://reader:hunter-22@db.example/sales`, MARKED: '--postgres://writer:hunter-33@db.example/sales' }, [run]);
  assert.equal(filter.text('aaaa hunter-22 hunter-33'), `aaaa ${HIDDEN} ${HIDDEN}`);
  assert.equal(filter.text('a://reader:hunter-22@db.example/sales'), `a://${HIDDEN}db.example/sales`);
});
