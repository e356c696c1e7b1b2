import { registerHooks } from 'node:module';

/**
 * Spares Node a lot of work at start.
 *
 * For every module it loads, Node 24 reads the nearest package.json again, and that of drizzle-orm lists more than a thousand entries. Measured
 * with drizzle-orm/node-postgres: 700 ms and 298 MB without this, 90 ms and 61 MB with it. A relative import inside that package is always an
 * ES module, so there is nothing to look up.
 *
 * zod loads its messages in fifty languages, for `z.locales`, which nothing here uses: 50 modules and 2 MB.
 */
export function installQuickImports(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const parent = context.parentURL;
      if (parent === undefined || !specifier.startsWith('.') || !specifier.endsWith('.js')) return next(specifier, context);
      if (specifier === '../locales/index.js' && parent.includes('/node_modules/zod/')) return { url: NOTHING, format: 'module', shortCircuit: true };
      if (!parent.includes('/node_modules/drizzle-orm/')) return next(specifier, context);
      return { url: new URL(specifier, parent).href, format: 'module', shortCircuit: true };
    },
  });
}

const NOTHING = 'data:text/javascript,export {};';
