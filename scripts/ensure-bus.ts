import { spawnSync } from 'node:child_process';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when there is a D-Bus daemon. */
export async function ensureBus(): Promise<string | undefined> {
  const isThere = () => spawnSync('dbus-daemon', ['--version']).status === 0;
  return ensurePackage({ name: 'dbus-daemon', isThere, byHand: 'no D-Bus daemon. Install it (Debian: apt-get install dbus-daemon)' });
}
