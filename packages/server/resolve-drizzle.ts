import { registerHooks } from 'node:module';

/** npm may place drizzle-kit at the root and drizzle-orm here, where drizzle-kit does not look. `migrations.ts` loads this into it. */
registerHooks({
  resolve: (specifier, context, next) => {
    const isMoved = context.conditions.includes('import') && (specifier === 'drizzle-orm' || specifier.startsWith('drizzle-orm/'));
    return next(specifier, isMoved ? { ...context, parentURL: import.meta.url } : context);
  },
});
