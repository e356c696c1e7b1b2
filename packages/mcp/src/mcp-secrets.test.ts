import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_HIDDEN, secretFilter } from './mcp-secrets.ts';

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
