import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';

/** What this machine's gateways are allowed, as its owner wrote it: nothing is said of a file that is not there. */
export async function checkPolicy(home: string): Promise<readonly Finding[]> {
  const subject = 'policy';
  const path = join(home, 'gateway-policy.json');
  if (!existsSync(path)) return [];
  const { readPolicyFile, strangeTools } = await import('@tendon/gateway/policy');
  const read = await readPolicyFile(path);
  if (!read.ok) {
    const mend = 'Until then this machine refuses every call, and no gateway of it starts. Without the file it runs what the people of its server approve.';
    return [{ subject, state: 'broken', detail: `${path} ${read.fault}`, mend }];
  }
  const strangers = strangeTools(read.policy);
  if (strangers.length === 0) return [{ subject, state: 'ok', detail: `${path} has ${read.policy.rules.length} rules` }];
  return strangers.map((stranger) => ({
    subject,
    state: 'missing',
    detail: `${path}: ${stranger}`,
    mend: 'The rule decides nothing: mend the name, or take it out.',
  }));
}
