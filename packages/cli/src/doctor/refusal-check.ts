import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RefusedKinds } from '@tendon/gateway/refusals';
import type { Finding } from './finding.ts';

/** What no honest server of this version asks for. The others come upon the machine's own rules, or on what has changed since they asked. */
const ODD = new Set(['hash_mismatch', 'invalid_payload', 'too_large', 'unknown_event']);

/** What the gateways of this machine have refused of what their servers asked for: for whoever does not sit at the terminal that shows it. */
export async function checkRefusals(home: string): Promise<readonly Finding[]> {
  const { REFUSALS_FILE, readRefusals } = await import('@tendon/gateway/refusals');
  const folder = join(home, 'gateway');
  const machines = await readdir(folder).catch(() => []);
  const kept = machines.toSorted().map(async (name) => ({ name, kinds: await readRefusals(join(folder, name, REFUSALS_FILE)) }));
  return (await Promise.all(kept)).flatMap(({ name, kinds }) => findingOf(name, kinds) ?? []);
}

function findingOf(name: string, kinds: RefusedKinds): Finding | undefined {
  const refused = Object.entries(kinds).toSorted(([, one], [, other]) => other.lastAt.localeCompare(one.lastAt));
  if (refused.length === 0) return undefined;
  const odd = refused.filter(([code]) => ODD.has(code));
  const detail = `${machineName(name)} refused its server: ${refused.map(([code, { count }]) => `${code} ${count}`).join(', ')}`;
  const [newest] = odd;
  if (newest === undefined) return { subject: 'refusals', state: 'ok', detail };
  const [code, { lastAt, reason }] = newest;
  return {
    subject: 'refusals',
    state: 'missing',
    detail: `${detail}. The last that no honest server of this version asks for: ${code} at ${lastAt} (${reason})`,
    mend: 'The server is of another version, broken, or not honest; nothing of it was run. When you do not know which, stop the gateway and ask whoever runs the server.',
  };
}

/** Its folder is named after it, with %XX for what no folder should hold. */
function machineName(folder: string): string {
  try {
    return JSON.stringify(decodeURIComponent(folder));
  } catch {
    return JSON.stringify(folder);
  }
}
