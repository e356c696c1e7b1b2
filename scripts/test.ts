// npm test: the check, then what crosses packages: integration, attacks, chaos, and the product in a real browser.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { closingLine } from './closing-line.ts';
import { runSuites, sum, type Tally } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { ALL_SUITES, SIMULATION } from './suites.ts';

/** Most tests wait for processes, disks and browsers for a third of their time: one more than there are cores keeps all of these busy. */
const CONCURRENCY = availableParallelism() + 1;

process.chdir(`${import.meta.dirname}/..`);
const statics = await runStaticChecks();
const page = buildPage();
const suites = await Promise.all([runSuites([SIMULATION], 1), runSuites(ALL_SUITES, CONCURRENCY)]);
process.exitCode = closingLine(sum([statics, page, ...suites]));

function buildPage(): Tally {
  const built = spawnSync('node', ['scripts/build-web.ts'], { stdio: 'inherit' });
  return built.status === 0 ? { passed: 1, failures: [] } : { passed: 0, failures: ['build of packages/web'] };
}
