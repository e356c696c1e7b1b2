// Preloaded into the server and the gateway under test: makes every crash point a place where the process can be killed.
// Nothing happens until the file that TENDON_TEST_CRASH_AT names holds the name of a point.
import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CRASH_POINTS, type CrashPoint } from './crash-points.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const armed = process.env['TENDON_TEST_CRASH_AT'] ?? '';

Object.assign(globalThis, {
  tendonCrashPoint: (name: string): void => {
    if (read(armed) !== name) return;
    writeFileSync(`${armed}.reached`, name);
    process.kill(process.pid, 'SIGKILL');
  },
});

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const byFile = Map.groupBy(CRASH_POINTS, ({ file }) => pathToFileURL(join(ROOT, file)).href);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const points = byFile.get(url);
    return points ? { ...loaded, source: points.reduce(withPoint, String(loaded.source)) } : loaded;
  },
});

/** Several points may share a place: each goes in right before what stands there. */
function withPoint(source: string, { name, file, before, when }: CrashPoint): string {
  const pieces = source.split(before);
  if (pieces.length !== 2) throw new Error(`the place of "${name}" stands ${pieces.length - 1} times in ${file}: mend crash-points.ts`);
  return pieces.join(`if (${when ?? 'true'}) tendonCrashPoint(${JSON.stringify(name)});\n${before}`);
}
