import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Markdown's named characters (`&lt;`) from a table of 12 kB (gzip): the version for browsers asks `innerHTML`, which the page's policy forbids. */
const NAMED_CHARACTERS = fileURLToPath(import.meta.resolve('decode-named-character-reference'));
const WITHOUT_EVAL = fileURLToPath(new URL('src/without-eval.ts', import.meta.url));

/**
 * `import { z } from 'zod'` takes a namespace object that no bundler can shake: 65 kB (gzip) of unused locales and codecs.
 * A namespace import can be shaken, and means the same. And every module that makes schemas first imports what keeps them from
 * asking for eval: an import in main.tsx alone is too late for what the bundler puts into chunks of their own.
 */
function zodForPages(): Plugin {
  return {
    name: 'zod-for-pages',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/packages/protocol/src/') || !code.includes("from 'zod'")) return undefined;
      return { code: `import ${JSON.stringify(WITHOUT_EVAL)};\n${code.replace(/import \{ z \} from 'zod'/g, "import * as z from 'zod'")}`, map: null };
    },
  };
}

export default defineConfig({
  resolve: { alias: { 'decode-named-character-reference': NAMED_CHARACTERS } },
  plugins: [zodForPages(), react(), tailwindcss()],
  build: {
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
});
