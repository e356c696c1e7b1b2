#!/usr/bin/env node
import { installQuickImports } from './quick-imports.ts';

installQuickImports();
const { run } = await import('./program.ts');
await run(process.argv);
