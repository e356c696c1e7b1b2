import { runSuite, type Suite, type Tally, testFiles } from './run-tests.ts';

/** Two cores are what the budgets are made for. */
const CONCURRENCY = 2;

export function runUnitTests(): Promise<Tally> {
  // first what starts databases: it takes longest, and the quick ones fill the gaps
  const slow = testFiles('packages/server/src/{store,auth}/**/*.test.ts');
  const files = testFiles('packages/*/src/**/*.test.ts', 'packages/protocol/fixtures/*.test.ts', 'testing/src/**/*.test.ts', 'scripts/**/*.test.ts');
  return runSuite({ name: 'unit tests', files: [...new Set([...slow, ...files])], testTimeoutMs: 60_000, fileTimeoutMs: 150_000, concurrency: CONCURRENCY });
}

/** What crosses packages, slowest last. Browsers and killed processes get the machine to themselves. */
export const CROSSING_SUITES: readonly (Suite & { readonly needsBrowser?: boolean })[] = [
  { name: 'tests/integration', files: testFiles('tests/integration/**/*.test.ts'), testTimeoutMs: 60_000, fileTimeoutMs: 180_000, concurrency: CONCURRENCY },
  { name: 'tests/attacks', files: testFiles('tests/attacks/**/*.test.ts'), testTimeoutMs: 60_000, fileTimeoutMs: 180_000, concurrency: CONCURRENCY },
  { name: 'tests/chaos', files: testFiles('tests/chaos/**/*.test.ts'), testTimeoutMs: 120_000, fileTimeoutMs: 300_000, concurrency: 1 },
  { name: 'tests/e2e', files: testFiles('tests/e2e/**/*.test.ts'), testTimeoutMs: 120_000, fileTimeoutMs: 300_000, concurrency: 1, needsBrowser: true },
];
