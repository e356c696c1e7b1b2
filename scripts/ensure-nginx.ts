import { spawnSync } from 'node:child_process';
import { ensurePackage } from './ensure-package.ts';

/** Answers with what is missing, or undefined when nginx and openssl are there. */
export async function ensureNginx(): Promise<string | undefined> {
  const isThere = (program: string, flag: string) => spawnSync(program, [flag]).status === 0;
  const nginx = { name: 'nginx-light', isThere: () => isThere('nginx', '-v') || isThere('/usr/sbin/nginx', '-v') };
  const openssl = { name: 'openssl', isThere: () => isThere('openssl', 'version') };
  for (const wanted of [nginx, openssl]) {
    const missing = await ensurePackage({ ...wanted, byHand: `no ${wanted.name} found. Install it (Debian: apt-get install ${wanted.name})` });
    if (missing !== undefined) return missing;
  }
  return undefined;
}
