import { spawnSync } from 'node:child_process';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when commands can be put into a sandbox, and can try to leave it. */
export async function ensureSandbox(): Promise<string | undefined> {
  const isThere = () => spawnSync('bwrap', ['--ro-bind', '/', '/', '--dev', '/dev', 'true']).status === 0;
  const isCurlThere = () => spawnSync('curl', ['--version']).status === 0;
  const curl = await ensurePackage({ name: 'curl', isThere: isCurlThere, byHand: 'no curl. Install it (Debian: apt-get install curl)' });
  if (curl !== undefined) return curl;
  return ensurePackage({ name: 'bubblewrap', isThere, byHand: 'no bubblewrap that may make namespaces. Install it (Debian: apt-get install bubblewrap)' });
}
