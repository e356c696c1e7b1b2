import { spawnSync } from 'node:child_process';

interface Wanted {
  /** As Debian calls it. */
  readonly name: string;
  readonly isThere: () => boolean;
  /** What to do where it cannot be installed from here. */
  readonly byHand: string;
}

/** Installs a package of Debian's where that needs nobody's help (root with apt-get). Answers with what is missing, or undefined when it is there. */
export function ensurePackage({ name, isThere, byHand }: Wanted): string | undefined {
  if (isThere()) return undefined;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return byHand;
  console.log(`\ninstalling ${name} with apt-get ...`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', name]]) {
    const { status, stdout, stderr } = spawnSync('apt-get', args, { env: environment, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    if (status !== 0) return `${byHand}. apt-get ${args.join(' ')} said: ${`${stdout}\n${stderr}`.trim().slice(-1_000)}`;
  }
  return isThere() ? undefined : byHand;
}
