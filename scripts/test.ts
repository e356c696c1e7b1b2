// npm test: the check, then what crosses packages: integration, attacks, chaos, and the product in a real browser.
import { spawnSync } from 'node:child_process';
import { closingLine } from './closing-line.ts';
import { runSuite, sum, type Tally } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { CROSSING_SUITES, runUnitTests, SIMULATION } from './suites.ts';

process.chdir(`${import.meta.dirname}/..`);
const tallies: Tally[] = [await runStaticChecks()];
const simulation = runSuite(SIMULATION);
tallies.push(await runUnitTests('all'), buildPage());
for (const suite of CROSSING_SUITES) {
  if (suite.files.length === 0) continue;
  const missing = suite.ensure?.();
  if (missing === undefined) tallies.push(await runSuite(suite));
  else tallies.push({ passed: 0, failures: [`NOT RUN: ${suite.name} (${suite.files.length} files): ${missing}`] });
}
tallies.push(await simulation);
process.exitCode = closingLine(sum(tallies));

function buildPage(): Tally {
  const built = spawnSync('node', ['scripts/build-web.ts'], { stdio: 'inherit' });
  return built.status === 0 ? { passed: 1, failures: [] } : { passed: 0, failures: ['build of packages/web'] };
}
