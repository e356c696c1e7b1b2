import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * `npm run dev`: the whole product without an account, on a home of its own in `.dev/`. Server and gateway start again when their
 * sources change; the page is built again, so a reload shows it. Ctrl+C ends both.
 */
const root = join(import.meta.dirname, '..');
const watched = ['protocol', 'system', 'network', 'mcp', 'server', 'gateway', 'cli'].map((name) => `--watch-path=packages/${name}/src`);
const env = { TENDON_HOME: join(root, '.dev'), TENDON_AUTH: 'disabled', ...process.env };

const web = join(root, 'packages/web');
const vite = join(dirname(createRequire(join(web, 'package.json')).resolve('vite/package.json')), 'bin/vite.js');

const page = spawn(process.execPath, [vite, 'build', '--watch', '--mode', 'development'], { cwd: web, stdio: 'inherit' });
const product = spawn(process.execPath, [...watched, '--watch-preserve-output', 'packages/cli/src/main.js', 'start', '--no-open'], {
  cwd: root,
  env,
  stdio: 'inherit',
});

for (const [one, other] of [
  [page, product],
  [product, page],
] as const) {
  one.once('exit', (code) => {
    process.exitCode ??= code ?? 0;
    other.kill('SIGTERM');
  });
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of [page, product]) child.kill('SIGTERM');
  });
}
