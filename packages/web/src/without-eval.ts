import { config } from 'zod';

// Compiled validators need eval, which the page's policy does not allow: asking for it would be reported as a violation.
// It is asked for when the first schema is made; vite.config.ts therefore imports this into every module that makes one.
config({ jitless: true });
