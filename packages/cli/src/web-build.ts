import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { note } from './output.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Where the built page stands. */
export const WEB_ROOT = join(ROOT, 'packages', 'web', 'dist');

/** Builds the web page when it is not there yet (a fresh clone). Says how to do it by hand when that fails; the server runs without it. */
export async function ensureWebBuilt(): Promise<void> {
  if (existsSync(join(WEB_ROOT, 'index.html'))) return;
  note('Building the web page (only at the first start) ...');
  const output: Buffer[] = [];
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'build-web.ts')], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  if (code === 0) return;
  const last = Buffer.concat(output).toString('utf8').trim().split('\n').slice(-5).join('\n');
  note(`The web page could not be built; run "npm ci" and "npm run build" to see why. The last lines:\n${last}`);
}
