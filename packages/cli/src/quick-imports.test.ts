import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

test('O13: with the hook the database library loads whole, in a fraction of the memory', async () => {
  const measure = async (hook: string) => {
    const script = `${hook}; const { drizzle } = await import('drizzle-orm/node-postgres'); const { pgTable } = await import('drizzle-orm/pg-core');
      console.log(JSON.stringify({ whole: typeof drizzle === 'function' && typeof pgTable === 'function', heap: process.memoryUsage().heapUsed }));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: join(import.meta.dirname, '..', '..', 'server') });
    return JSON.parse(stdout) as { whole: boolean; heap: number };
  };
  const hooked = await measure(`(await import(${JSON.stringify(join(import.meta.dirname, 'quick-imports.ts'))})).installQuickImports()`);
  assert.equal(hooked.whole, true);
  assert.ok(hooked.heap < 40e6, `${hooked.heap} bytes`);
});
