import { isNearName } from '@tendon/protocol/plain-words';

/*
 * What is wrong with an mcp.json, in words for whoever wrote it. Names of fields are said, and never what they hold.
 */

/** As other programs, or other languages, name the two fields of which a server needs one. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  command: ['command', 'cmd', 'executable', 'program', 'exec'],
  url: ['url', 'uri', 'serverurl', 'httpurl', 'sseurl', 'baseurl', 'endpoint', 'address', 'href'],
};
const SERVERS_KEY = 'mcpServers';
const SERVERS_NAMES = ['mcpservers', 'mcpserver', 'mcp', 'servers', 'contextservers'];

/** What a file without `mcpServers` holds instead; undefined when nothing in it looks like servers. */
export function misplacedServers(file: Readonly<Record<string, unknown>>): { readonly place: string; readonly what: string } | undefined {
  for (const [key, held] of Object.entries(file)) {
    if (!isObject(held) || !SERVERS_NAMES.some((name) => isNearName(bare(key), name))) continue;
    if (looksLikeServer(held)) continue;
    return isObject(held['servers'])
      ? { place: `${key}.servers`, what: `is not read: put what stands in it into "${SERVERS_KEY}" at the top of the file, as most programs have it` }
      : { place: key, what: `is not read: name it "${SERVERS_KEY}", as most programs do` };
  }
  const names = Object.entries(file).flatMap(([key, held]) => (looksLikeServer(held) ? [key] : []));
  const [first] = names;
  if (first === undefined) return undefined;
  const others = names.length > 1 ? ` and ${names.length - 1} more` : '';
  return { place: '', what: `has its servers ("${first}"${others}) at the top: put them into { "${SERVERS_KEY}": { … } }` };
}

/** What an entry has instead of a field that it needs: the nearest field that it has, or that there is none. */
export function missingField(
  entry: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
): { readonly place: string | undefined; readonly what: string } {
  for (const field of wanted) {
    const given = Object.keys(entry).find((key) => key !== field && NEEDED[field]?.some((name) => isNearName(bare(key), name)));
    if (given !== undefined) return { place: given, what: `is not known: name it "${field}"` };
  }
  const needs = { command: '"command" (the program to start)', url: '"url" (the address of a server over HTTP)' };
  const named = wanted.map((field) => (field === 'url' ? needs.url : needs.command));
  return { place: undefined, what: named.length > 1 ? `has neither ${named.join(' nor ')}` : `has no ${named.join('')}` };
}

function looksLikeServer(held: unknown): boolean {
  return isObject(held) && ['command', 'url'].some((field) => typeof held[field] === 'string');
}

function isObject(held: unknown): held is Record<string, unknown> {
  return typeof held === 'object' && held !== null && !Array.isArray(held);
}

/** Whether case, hyphens and underscores alone tell them apart. */
function bare(key: string): string {
  return key.toLowerCase().replaceAll(/[^a-z]/g, '');
}
