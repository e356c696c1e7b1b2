// npm run build:web: builds the page when packages/web/dist is missing or older than its sources; quick when there is nothing to do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'packages/web/dist');
const stamp = join(dist, '.sources');
const vite = join(dirname(createRequire(join(root, 'packages/web/package.json')).resolve('vite/package.json')), 'bin/vite.js');

/** Everything the page is made of. The hash is over contents: a fresh clone or a switched branch changes times without changing anything. */
const SOURCES = ['packages/{web,client,protocol}/src/**/*', 'packages/web/*.{html,ts,json}', 'packages/web/public/**/*', 'package-lock.json'];

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const path of globSync(SOURCES, { cwd: root }).sort()) {
    if (/\.test\.tsx?$/.test(path) || !statSync(join(root, path)).isFile()) continue;
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)))
      .update('\0');
  }
  return hash.digest('hex');
}

function builtFingerprint(): string | undefined {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return undefined;
  }
}

/** Builds beside the old page and swaps at the end, so that a build that fails or is killed leaves the old one whole. */
function build(wanted: string): number {
  const fresh = join(root, 'packages/web/node_modules', `.page-${process.pid}`);
  mkdirSync(fresh, { recursive: true });
  try {
    const { status } = spawnSync(process.execPath, [vite, 'build', '--outDir', fresh, '--emptyOutDir', '--logLevel', 'warn'], {
      cwd: join(root, 'packages/web'),
      stdio: 'inherit',
    });
    if (status !== 0) return status ?? 1;
    writeFileSync(join(fresh, '.sources'), wanted);
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
    return 0;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

const wanted = fingerprint();
if (builtFingerprint() !== wanted) {
  console.log('building the page ...');
  process.exitCode = build(wanted);
}
