import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint, Keyring, type Sealed, type SecretIdentity } from './keyring.ts';

const [OLD, NEW] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const identity: SecretIdentity = { scope: 'server', name: 'provider/openai' };
const SECRET = 'sk-canary-canary-canary ü😀';

const flipped = (sealed: Buffer, at: number) => Buffer.from(sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)));

test('A14: what is sealed opens again, is new each time, and shows nothing', () => {
  const keyring = new Keyring(OLD);
  const [one, two] = [keyring.seal(identity, SECRET), keyring.seal(identity, SECRET)];
  for (const sealed of [one, two]) assert.deepEqual(keyring.open(identity, sealed), { ok: true, text: SECRET });
  assert.notDeepEqual(one.sealed, two.sealed);
  assert.ok(!one.sealed.toString('latin1').includes('canary'));
  for (const text of ['', 'x'.repeat(100_000)]) assert.deepEqual(keyring.open(identity, keyring.seal(identity, text)), { ok: true, text });
});

test('A14: one changed bit, anywhere, and it does not open: version, nonce, text, tag', () => {
  const keyring = new Keyring(OLD);
  const sealed = keyring.seal(identity, SECRET);
  for (let at = 0; at < sealed.sealed.length; at += 1)
    assert.deepEqual(keyring.open(identity, { ...sealed, sealed: flipped(sealed.sealed, at) }), { ok: false, fault: 'damaged' }, `byte ${at}`);
});

test('A14: cut, lengthened, empty and foreign bytes are damage, never an exception', () => {
  const keyring = new Keyring(OLD);
  const { keyId, sealed } = keyring.seal(identity, SECRET);
  for (let length = 0; length < sealed.length; length += 1)
    assert.deepEqual(keyring.open(identity, { keyId, sealed: sealed.subarray(0, length) }), { ok: false, fault: 'damaged' }, `${length} bytes`);
  for (const bytes of [Buffer.concat([sealed, Buffer.of(0)]), Buffer.alloc(64), Buffer.from('plain text that somebody put into the table')])
    assert.deepEqual(keyring.open(identity, { keyId, sealed: bytes }), { ok: false, fault: 'damaged' });
});

const others: readonly SecretIdentity[] = [
  { scope: 'server', name: 'provider/anthropic' },
  { scope: 'user', name: 'provider/openai' },
  { scope: 'server","provider', name: 'openai' },
  { scope: '', name: 'server/provider/openai' },
  { scope: 'server', name: 'provider/openai\0' },
];
for (const other of others) {
  test(`A14: a row that was moved to ${JSON.stringify(other)} does not open`, () => {
    const keyring = new Keyring(OLD);
    assert.deepEqual(keyring.open(other, keyring.seal(identity, SECRET)), { ok: false, fault: 'damaged' });
  });
}

test('A14: another key’s name on a row does not open it, whether that key is here or not', () => {
  const both = new Keyring(NEW, [OLD]);
  const sealed: Sealed = both.seal(identity, SECRET);
  assert.deepEqual(both.open(identity, { ...sealed, keyId: fingerprint(OLD) }), { ok: false, fault: 'damaged' });
  assert.deepEqual(both.open(identity, { ...sealed, keyId: 'ffffffffffffffff' }), { ok: false, fault: 'missing_key' });
  for (const keyId of ['', '__proto__', 'constructor']) assert.deepEqual(both.open(identity, { ...sealed, keyId }), { ok: false, fault: 'missing_key' });
});

test('A16: an earlier key opens and does not seal; without it the row is of a missing key', () => {
  const before = new Keyring(OLD).seal(identity, SECRET);
  const rotated = new Keyring(NEW, [OLD, OLD]);
  assert.deepEqual(rotated.open(identity, before), { ok: true, text: SECRET });
  assert.equal(rotated.seal(identity, SECRET).keyId, fingerprint(NEW));
  assert.deepEqual(rotated.ids, [fingerprint(NEW), fingerprint(OLD)]);
  assert.deepEqual(new Keyring(NEW).open(identity, before), { ok: false, fault: 'missing_key' });
});

test('A14: a fingerprint is short, the same every time, and nothing of the key', () => {
  assert.equal(fingerprint(OLD), fingerprint(Buffer.from(OLD)));
  assert.match(fingerprint(OLD), /^[0-9a-f]{16}$/);
  assert.notEqual(fingerprint(OLD), fingerprint(NEW));
  assert.ok(!OLD.toString('hex').includes(fingerprint(OLD)));
});
