import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PlantedFault } from './planted-faults.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Puts the fault into its file when that is loaded: to be called before anything imports it. Throws there when the place is not found. */
export function plant({ name, file, find, replace }: PlantedFault): void {
  const target = pathToFileURL(join(ROOT, file)).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const source = String(loaded.source);
      const pieces = source.split(find);
      if (pieces.length !== 2) throw new Error(`the place for "${name}" stands ${pieces.length - 1} times in ${file}: mend planted-faults.ts`);
      return { ...loaded, source: pieces.join(replace) };
    },
  });
}
