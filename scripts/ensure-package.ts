import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Wanted {
  /** As Debian calls it. */
  readonly name: string;
  readonly isThere: () => boolean;
  /** What to do where it cannot be installed from here. */
  readonly byHand: string;
}

/** Installs a package of Debian's where that needs nobody's help (root with apt-get). Answers with what is missing, or undefined when it is there. */
export async function ensurePackage({ name, isThere, byHand }: Wanted): Promise<string | undefined> {
  if (isThere()) return undefined;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return byHand;
  console.log(`  installing ${name} with apt-get ...`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', name]]) {
    const fault = await run('apt-get', args, { env: environment, maxBuffer: 64 * 1024 * 1024 }).then(() => undefined, wordsOf);
    if (fault !== undefined) return `${byHand}. apt-get ${args.join(' ')} said: ${fault}`;
  }
  return isThere() ? undefined : byHand;
}

/** The last of what a program has said. */
function wordsOf(error: Error & { readonly stdout?: string; readonly stderr?: string }): string {
  return `${error.stdout ?? error.message}\n${error.stderr ?? ''}`.trim().slice(-1_000);
}
