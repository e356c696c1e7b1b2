import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/**
 * `import { z } from 'zod'` takes a namespace object that no bundler can shake: 65 kB (gzip) of unused locales and codecs.
 * A namespace import can be shaken, and means the same.
 */
function shakeableZod(): Plugin {
  return {
    name: 'shakeable-zod',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/packages/protocol/src/') || !code.includes("from 'zod'")) return undefined;
      return { code: code.replace(/import \{ z \} from 'zod'/g, "import * as z from 'zod'"), map: null };
    },
  };
}

export default defineConfig({
  plugins: [shakeableZod(), react(), tailwindcss()],
  build: {
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
});
