import { ensureBrowser } from './ensure-browser.ts';
import { ensureBus } from './ensure-bus.ts';
import { ensureDisplay } from './ensure-display.ts';
import { ensureFirefox } from './ensure-firefox.ts';
import { ensureNginx } from './ensure-nginx.ts';
import { ensureSandbox } from './ensure-sandbox.ts';
import { type Suite, testFiles } from './run-tests.ts';

/** Tests beside the code that start PostgreSQL, the product or a crowd: too slow for a check that is run all day. */
const HEAVY = [
  'packages/cli/src/**/*.test.ts',
  'packages/gateway/src/{gateway,journal/crash,link/crowd-returns}.test.ts',
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

const SPECIAL = testFiles(...SANDBOX, BROWSER, TRAY);
const HEAVY_FILES = testFiles(...HEAVY).filter((file) => !SPECIAL.includes(file));
const QUICK_FILES = testFiles(...ALL).filter((file) => !HEAVY_FILES.includes(file) && !SPECIAL.includes(file));

/** Limits are for what hangs. What only waits for a busy machine must not meet them. */
const LIMITS = { testTimeoutMs: 120_000, fileTimeoutMs: 300_000 };
const LONG_LIMITS = { testTimeoutMs: 600_000, fileTimeoutMs: 660_000 };

/** What `npm run check` runs. */
export const QUICK_UNITS: Suite = {
  ...{ name: `unit tests (without ${HEAVY_FILES.length} files that start PostgreSQL or the product: npm test runs those)`, files: QUICK_FILES },
  ...LIMITS,
};

/** Its time is simulated, so it runs beside everything else and keeps both cores busy while the others wait. */
export const SIMULATION: Suite = {
  ...{ name: 'tests/simulation, beside the others', files: testFiles('tests/simulation/**/*.test.ts'), isPatient: true },
  ...{ testTimeoutMs: 2_400_000, fileTimeoutMs: 2_460_000 },
};

/** In the order in which they run: the longest first, and the many small ones last, which fill what gaps are left. */
export const ALL_SUITES: readonly Suite[] = [
  { name: 'tests/chaos', files: testFiles('tests/chaos/**/*.test.ts'), ...LONG_LIMITS },
  { name: 'sandbox', files: testFiles(...SANDBOX), ensure: ensureSandbox, ...LIMITS },
  { name: 'unit tests that start PostgreSQL or the product', files: HEAVY_FILES, ...LIMITS },
  { name: 'browser', files: testFiles(BROWSER), ensure: ensureBrowser, ...LIMITS },
  { name: 'tests/e2e', files: testFiles('tests/e2e/**/*.test.ts'), ensure: ensureBrowser, ...LIMITS },
  { name: 'tests/attacks', files: testFiles('tests/attacks/**/*.test.ts'), ...LONG_LIMITS },
  { name: 'tests/integration', files: testFiles('tests/integration/**/*.test.ts'), ...LIMITS },
  { name: 'tests/conformance', files: testFiles('tests/conformance/**/*.test.ts'), ...LIMITS },
  { name: 'tests/reverse-proxy', files: testFiles('tests/reverse-proxy/**/*.test.ts'), ensure: ensureNginx, ...LIMITS },
  { name: 'tests/firefox', files: testFiles('tests/firefox/**/*.test.ts'), ensure: ensureFirefox, ...LIMITS },
  { name: 'tests/desktop', files: testFiles('tests/desktop/**/*.test.ts'), ensure: ensureDisplay, ...LIMITS },
  { name: 'tray', files: testFiles(TRAY), ensure: ensureBus, ...LIMITS },
  { name: 'unit tests', files: QUICK_FILES, ...LIMITS },
];
