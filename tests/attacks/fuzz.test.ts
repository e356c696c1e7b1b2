import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nodeRig } from '@tendon/testing';
import { type FuzzReport, fuzz } from './fuzz.ts';

/** The same every time; `npm run fuzz` sends others. */
const SEED = 20_261_127;
const PACKETS = 100_000;

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

describe(`${PACKETS} packets that nobody would send, seed ${SEED}`, () => {
  let report: FuzzReport;
  before(async () => {
    // Somebody else is there all the time.
    const other = await rig.open();
    report = await fuzz(rig, { packets: PACKETS, seed: SEED });
    assert.equal(other.events.length, 1);
    assert.ok((await other.socket.request('session:list', {})).ok, 'somebody else is still served');
  });

  test('I16: the process goes on, and serves', async () => {
    assert.equal(report.packets, PACKETS);
    assert.equal((await fetch(`${rig.url}/readyz`)).status, 200);
  });
  test('I17: every request is answered, or ends with its connection', () => assert.deepEqual(report.unanswered.slice(0, 3), []));
  test('T11: no answer tells of the inside', () => assert.deepEqual(report.leaks.slice(0, 3), []));
  test('T7: nothing breaks inside', () => assert.equal(report.answers['internal'] ?? 0, 0));
  test('T7: packets have reached every kind of answer', () => {
    const reached = ['ok', 'invalid_payload', 'not_found', 'conflict', 'too_large'].filter((code) => (report.answers[code] ?? 0) > 0);
    assert.deepEqual(reached, ['ok', 'invalid_payload', 'not_found', 'conflict', 'too_large']);
  });
});
