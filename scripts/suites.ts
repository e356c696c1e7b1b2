import { ensureBrowser } from './ensure-browser.ts';
import { ensureBus } from './ensure-bus.ts';
import { ensureFirefox } from './ensure-firefox.ts';
import { ensureNginx } from './ensure-nginx.ts';
import { ensureSandbox } from './ensure-sandbox.ts';
import { runSuite, type Suite, type Tally, testFiles } from './run-tests.ts';

/** Two cores are what the budgets are made for. */
const CONCURRENCY = 2;

/** Tests beside the code that start PostgreSQL or the product: too slow for a check that is run all day. */
const HEAVY = [
  'packages/cli/src/**/*.test.ts',
  'packages/gateway/src/{gateway,journal/crash}.test.ts',
  'packages/server/src/housekeeper.test.ts',
  'packages/server/src/{auth,http,store}/**/*.test.ts',
  'packages/server/src/runner/{faults,machine-returns,odd-input,session-actor}.test.ts',
];
/** Needs bubblewrap, which `npm test` installs where it may. */
const SANDBOX = [
  'packages/gateway/src/sandbox/*.test.ts',
  'packages/gateway/src/tools/{end-folder,hundred-stops,terminal}.test.ts',
  'packages/gateway/src/mcp-surroundings/{filtered-server,server-seats}.test.ts',
];
/** Needs a Chromium. */
const BROWSER = 'packages/gateway/src/browser/chromium-*.test.ts';
/** Needs a D-Bus daemon. */
const TRAY = 'packages/cli/src/tray/*.test.ts';
const ALL = ['packages/*/src/**/*.test.ts', 'testing/src/**/*.test.ts', 'scripts/**/*.test.ts'];

/** `quick` leaves the heavy ones to `npm test`. The heavy ones start first and the quick ones fill the gaps. */
export function runUnitTests(which: 'all' | 'quick'): Promise<Tally> {
  const special = testFiles(...SANDBOX, BROWSER, TRAY);
  const heavy = testFiles(...HEAVY).filter((file) => !special.includes(file));
  const elsewhere = [...heavy, ...special];
  const quick = testFiles(...ALL).filter((file) => !elsewhere.includes(file));
  const files = which === 'all' ? [...heavy, ...quick] : quick;
  const name = which === 'all' ? 'unit tests' : `unit tests (without ${heavy.length} files that start PostgreSQL or the product: npm test runs those)`;
  // The heavy ones wait for processes and disks more than they work: one more than there are cores keeps both busy.
  return runSuite({ name, files, testTimeoutMs: 60_000, fileTimeoutMs: 150_000, concurrency: which === 'all' ? CONCURRENCY + 1 : CONCURRENCY });
}

/** Its time is simulated, so it runs beside everything else and keeps both cores busy while the others wait. */
export const SIMULATION: Suite = {
  ...{ name: 'tests/simulation, beside the others', files: testFiles('tests/simulation/**/*.test.ts'), concurrency: 1, isPatient: true },
  ...{ testTimeoutMs: 2_400_000, fileTimeoutMs: 2_460_000 },
};

/** What crosses packages, slowest last. Most of what is killed or shown in a browser waits most of the time: two at once. */
export const CROSSING_SUITES: readonly (Suite & { readonly ensure?: () => string | undefined })[] = [
  {
    ...{ name: 'sandbox', files: testFiles(...SANDBOX), ensure: ensureSandbox },
    testTimeoutMs: 60_000,
    fileTimeoutMs: 300_000,
    concurrency: CONCURRENCY,
  },
  {
    ...{ name: 'browser', files: testFiles(BROWSER), ensure: ensureBrowser },
    testTimeoutMs: 120_000,
    fileTimeoutMs: 300_000,
    concurrency: CONCURRENCY,
  },
  { ...{ name: 'tray', files: testFiles(TRAY), ensure: ensureBus }, testTimeoutMs: 60_000, fileTimeoutMs: 120_000, concurrency: CONCURRENCY },
  { name: 'tests/integration', files: testFiles('tests/integration/**/*.test.ts'), testTimeoutMs: 60_000, fileTimeoutMs: 180_000, concurrency: CONCURRENCY },
  { name: 'tests/conformance', files: testFiles('tests/conformance/**/*.test.ts'), testTimeoutMs: 100_000, fileTimeoutMs: 240_000, concurrency: 1 },
  {
    ...{ name: 'tests/reverse-proxy', files: testFiles('tests/reverse-proxy/**/*.test.ts'), ensure: ensureNginx },
    testTimeoutMs: 60_000,
    fileTimeoutMs: 180_000,
    concurrency: 1,
  },
  {
    ...{ name: 'tests/firefox', files: testFiles('tests/firefox/**/*.test.ts'), ensure: ensureFirefox },
    testTimeoutMs: 60_000,
    fileTimeoutMs: 180_000,
    concurrency: 1,
  },
  {
    // The longest first, so that the others run beside it.
    ...{ name: 'tests/chaos and tests/attacks', files: [...testFiles('tests/chaos/**/*.test.ts'), ...testFiles('tests/attacks/**/*.test.ts')] },
    testTimeoutMs: 600_000,
    fileTimeoutMs: 660_000,
    concurrency: CONCURRENCY,
  },
  {
    name: 'tests/e2e',
    files: testFiles('tests/e2e/**/*.test.ts'),
    testTimeoutMs: 120_000,
    fileTimeoutMs: 300_000,
    concurrency: CONCURRENCY,
    ensure: ensureBrowser,
  },
];
