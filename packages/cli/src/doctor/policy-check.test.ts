import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPolicy } from './policy-check.ts';

test('G13, O12: doctor says whether the policy file can be read, what is wrong with it in which line, and which rules are about nothing', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'tendon doctor '));
  t.after(() => rm(home, { recursive: true }));
  const path = join(home, 'gateway-policy.json');
  const check = async (text: string) => {
    await writeFile(path, text);
    return checkPolicy(home);
  };
  assert.deepEqual(await checkPolicy(home), []);
  assert.deepEqual(await check('{"version":1,"rules":[{"action":"deny","tool":"bash"}]}'), [{ subject: 'policy', state: 'ok', detail: `${path} has 1 rules` }]);
  const [broken, ...others] = await check('{\n  "version": 1,\n  "rules": [{ "action": "deny", "subjct": "secret words" }]\n}');
  assert.deepEqual(others, []);
  assert.equal(broken?.state, 'broken');
  assert.equal(broken?.detail, `${path} is wrong at rules.0.subjct (line 3): nothing of that name is known there`);
  assert.match(broken?.mend ?? '', /refuses every call/);
  const [stranger, ...more] = await check('{"version":1,"rules":[{"action":"deny","tool":"bsh"},{"action":"ask","tool":"bash"}]}');
  assert.deepEqual([stranger?.state, more], ['missing', []]);
  assert.match(stranger?.detail ?? '', /rules\.0 \(deny\) is about the tool "bsh", and this machine has none of that name, perhaps "bash" is meant/);
});
