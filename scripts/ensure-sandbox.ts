import { spawnSync } from 'node:child_process';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when commands can be put into a sandbox. */
export function ensureSandbox(): string | undefined {
  const isThere = () => spawnSync('bwrap', ['--ro-bind', '/', '/', '--dev', '/dev', 'true']).status === 0;
  return ensurePackage({ name: 'bubblewrap', isThere, byHand: 'no bubblewrap that may make namespaces. Install it (Debian: apt-get install bubblewrap)' });
}
