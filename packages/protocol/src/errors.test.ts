import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES, type ErrorCode, HANDSHAKE_CODES, refusal, success } from './errors.ts';

test('P6: the codes are those of the protocol, each with retry, fault and a text', () => {
  assert.deepEqual(Object.keys(ERROR_CODES).sort(), [
    'conflict',
    'forbidden',
    'internal',
    'invalid_payload',
    'not_found',
    'rate_limited',
    'too_large',
    'unavailable',
  ]);
  assert.deepEqual(Object.keys(HANDSHAKE_CODES).sort(), ['forbidden_origin', 'rate_limited', 'shutting_down', 'unauthorized', 'unsupported_protocol']);
  for (const row of [...Object.values(ERROR_CODES), ...Object.values(HANDSHAKE_CODES)]) {
    assert.equal(typeof row.retry, 'boolean');
    assert.ok(row.fault === 'caller' || row.fault === 'server');
    assert.match(row.text, /^[A-Z].*\.$/);
  }
});

test('P6: what the caller must change first is not worth a retry, what the server mends is', () => {
  for (const row of Object.values({ ...ERROR_CODES, ...HANDSHAKE_CODES })) if (row.fault === 'server') assert.equal(row.retry, true);
  for (const code of ['invalid_payload', 'forbidden', 'not_found', 'conflict', 'too_large'] as const) assert.equal(ERROR_CODES[code].retry, false);
  for (const code of ['unauthorized', 'forbidden_origin', 'unsupported_protocol'] as const) assert.equal(HANDSHAKE_CODES[code].retry, false);
});

test('P6: a refusal carries code, message and details, and nothing that is absent', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) assert.deepEqual(refusal(code), { ok: false, error: { code, message: ERROR_CODES[code].text } });
  assert.deepEqual(refusal('rate_limited', 'slow down', { retryAfterMs: 20 }), {
    ok: false,
    error: { code: 'rate_limited', message: 'slow down', details: { retryAfterMs: 20 } },
  });
  assert.deepEqual(success({ a: 1 }), { ok: true, data: { a: 1 } });
});
