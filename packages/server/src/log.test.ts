import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import type { LogFields } from '@tendon/protocol';
import { createLog, scrub } from './log.ts';

function capture(pretty: boolean) {
  const lines: string[] = [];
  return { lines, log: createLog({ level: 'info', pretty, destination: { write: (line: string) => void lines.push(line) } }) };
}

test('O5: listed fields stand in the line, others are only named', () => {
  const { lines, log } = capture(false);
  const fields: LogFields & { readonly password: string } = { sessionId: 's1', password: 'hunter22' };
  log.info(fields, 'hello');
  const entry = JSON.parse(String(lines[0])) as Record<string, unknown>;
  assert.equal(entry['sessionId'], 's1');
  assert.equal(entry['password'], '[unlisted]');
  assert.equal(entry['msg'], 'hello');
  assert.equal(entry['level'], 'info');
});

const SECRETS: readonly [string, string][] = [
  ['an API key', `tnd_${'a'.repeat(43)}`],
  ['a session token', `tns_${'a'.repeat(43)}`],
  ["the key of a relay's page", `tdr_${'a'.repeat(43)}`],
  ['the token of a relay for a socket', `trs_${'a'.repeat(43)}`],
  ['a provider key', 'sk-ant-REDACTED'],
  ['a password in an address', 'postgres://me:hunter22@db:5432/x'],
  ['a token in a query', 'GET /sign-in?token=hunter22hunter22'],
  ['a bearer header', 'Authorization: Bearer hunter22.hunter22'],
  ['a cookie', 'cookie: tendon-7420.session_token=hunter22'],
  ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyMiJ9.c2lnbmF0dXJlaHVudGVyMjI'],
];

for (const [title, text] of SECRETS) {
  test(`O5: ${title} is cut out of a message and of an error`, () => {
    const secret = String(/(?:tn[ds]|tdr|trs)_a+|abcdefghij\w+|hunter22\S*|eyJzdWIi\w+/.exec(text)?.[0]).replace(/@.*$/, '');
    for (const pretty of [false, true]) {
      const { lines, log } = capture(pretty);
      log.error({ err: new Error(`failed with ${text}`) }, `about ${text}`);
      assert.ok(!lines.join('').includes(secret), lines.join(''));
    }
    assert.ok(!scrub(text).includes(secret));
  });
}

test('O5: a long text without a secret is looked through once, and an address with a long scheme loses its password', () => {
  // Looked through from each of its letters, it takes minutes, and the test's own limit ends it.
  const long = 'a.'.repeat(1_000_000);
  assert.equal(scrub(long).length, long.length);
  assert.equal(scrub(`${'x'.repeat(60)}://me:hunter22@db`), `${'x'.repeat(60)}://me:[hidden]@db`);
});

test('O5: of an error only its words, its place and its code are logged, not what a library has hung onto it', () => {
  for (const pretty of [false, true]) {
    const { lines, log } = capture(pretty);
    const error = Object.assign(new Error('it broke', { cause: Object.assign(new Error('deeper'), { secretKey: 'hunter22' }) }), {
      ...{ code: '57P01', client: { password: 'hunter22' }, requestBodyValues: { messages: ['hunter22'] }, secretKey: 282_015_602 },
    });
    log.error({ err: error }, 'failed');
    log.error({ err: { password: 'hunter22' } }, 'failed');
    const text = lines.join('');
    for (const said of ['it broke', 'deeper', 'log.test.ts']) assert.ok(text.includes(said), text);
    if (!pretty) assert.ok(text.includes('57P01'));
    for (const hidden of ['hunter22', '282015602', 'requestBodyValues']) assert.ok(!text.includes(hidden), text);
  }
});

test('O5: a query that failed is logged without the values that it was asked with', () => {
  const query = 'select "id" from "auth_sessions" where "token" = $1';
  const failed = Object.assign(new Error(`Failed query: ${query}\nparams: hunter22\nsecond line $& hunter22`, { cause: new Error('no such relation') }), {
    ...{ query, params: ['hunter22\nsecond line $& hunter22'] },
  });
  for (const pretty of [false, true]) {
    const { lines, log } = capture(pretty);
    log.error({ err: failed }, 'failed');
    log.error({ err: new Error('no session', { cause: failed }) }, 'failed');
    const text = lines.join('');
    for (const said of ['auth_sessions', 'no such relation', 'no session']) assert.ok(text.includes(said), text);
    for (const hidden of ['hunter22', 'second line']) assert.ok(!text.includes(hidden), text);
  }
});

test('O5: a JSON line stays JSON after cutting', () => {
  const { lines, log } = capture(false);
  log.error({ err: new Error('set-cookie: a=b; password=x "quoted" postgres://u:p@h') }, 'Bearer abc"def');
  assert.doesNotThrow(() => JSON.parse(String(lines[0])));
});

test('O5: control characters do not reach the terminal, and one entry is one line', () => {
  const { lines, log } = capture(true);
  log.info({ client: 'evil\u001b[2J\nname' }, 'hi\u001b]0;x\u0007');
  assert.equal(lines.join('').split('\n').length, 2);
  assert.doesNotMatch(lines.join(''), /[\u001b\u0007]/);
  log.error({ err: new SyntaxError('Unexpected \u001b]0;owned\u0007') }, 'failed');
  assert.doesNotMatch(lines.join(''), /[\u001b\u0007]/);
  assert.match(lines.join(''), /log\.test\.ts/);
});

test('O5: the id under which a client is told to look stands in the line', () => {
  const { lines, log } = capture(false);
  log.error({ event: 'handler_failed', logId: 'the-id' }, 'failed');
  assert.match(lines.join(''), /the-id/);
});

test('O23: to log to a disk that is full ends nothing', { skip: process.platform !== 'linux' && 'there is a full disk at /dev/full' }, async () => {
  const full = await open('/dev/full', 'w');
  const words = `import { createLog } from ${JSON.stringify(import.meta.resolve('./log.ts'))};
    const log = createLog({ level: 'info', pretty: false });
    const held = () => (globalThis.gc(), process.memoryUsage().heapUsed);
    const before = held();
    for (let line = 0; line < 400; line += 1) log.info('x'.repeat(20_000) + line);
    console.log('still here, with', held() - before < 3 * 2 ** 20 ? 'little' : 'much');`;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', words], { stdio: ['ignore', 'pipe', full.fd] });
  await full.close();
  const said: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const [code] = await once(child, 'close');
  assert.deepEqual([code, said.join('')], [0, 'still here, with little\n']);
});
