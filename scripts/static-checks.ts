import { spawn } from 'node:child_process';
import type { Tally } from './run-tests.ts';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'format, lint, sizes, import borders', command: ['biome', 'check', '--error-on-warnings', '--max-diagnostics=50'] },
  { name: 'unused code and dependencies', command: ['knip', '--no-progress'] },
  { name: 'SPEC rules and their tests', command: ['node', 'scripts/check-spec.ts'] },
  { name: 'words that do not belong in the tree', command: ['node', 'scripts/check-words.ts'] },
  { name: 'SPEC.md is up to date', command: ['node', 'scripts/generate-spec.ts', '--check'] },
  { name: 'asyncapi.json is up to date', command: ['node', 'scripts/generate-asyncapi.ts', '--check'] },
  { name: 'migrations match the schema', command: ['npm', 'run', '--silent', 'migrations:check', '--workspace', '@tendon/server', '--if-present'] },
];

/** Everything that needs no test run, two at once. Each counts as one test. */
export async function runStaticChecks(): Promise<Tally> {
  console.log(`static checks: ${CHECKS.length}`);
  const waiting = [...CHECKS];
  const failures: string[] = [];
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const startedAt = performance.now();
      const { code, output } = await run(check.command);
      console.log(`  ${code === 0 ? 'ok    ' : 'FAILED'} ${check.name}  (${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`);
      if (code === 0) continue;
      failures.push(`check: ${check.name}`);
      console.log(output.trimEnd().replace(/^/gm, '    | '));
    }
  };
  await Promise.all([work(), work()]);
  return { passed: CHECKS.length - failures.length, failures };
}

function run([command, ...args]: readonly [string, ...string[]]): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, output: `${command}: ${error.message}. Run npm ci --ignore-scripts first.` }));
    child.once('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}
