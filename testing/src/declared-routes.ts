import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const HTTP = join(import.meta.dirname, '../../packages/server/src/http');
const DECLARATION = /\bapp\s*\.(get|post|put|patch|delete|all|on)\(\s*([^,\s]+)/g;

/**
 * Every route that the server's code declares, such as `DELETE /api/keys/:id`, read from its sources: so that a table of routes in a test
 * cannot forget one. What answers all that is left (`*`) is none.
 */
export async function declaredRoutes(): Promise<readonly string[]> {
  const names = (await readdir(HTTP)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const source = (await Promise.all(names.map((name) => readFile(join(HTTP, name), 'utf8')))).join('\n');
  const found = [...source.matchAll(DECLARATION)].map(([, method = '', path = '']) => `${method.toUpperCase()} ${pathOf(path, source)}`);
  if (found.length < 40) throw new Error(`only ${found.length} routes were found: are they declared in another way now?`);
  return found.filter((route) => !route.includes('*')).toSorted();
}

/** A path stands in the call, or in a constant. */
function pathOf(argument: string, source: string): string {
  const path = /^['"`](.+)['"`]$/.exec(argument)?.[1] ?? new RegExp(`\\bconst ${argument} = '([^']+)'`).exec(source)?.[1];
  if (path === undefined) throw new Error(`where does the route of ${argument} lead?`);
  return path;
}
