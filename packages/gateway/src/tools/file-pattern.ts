import { posix } from 'node:path';

/** A last part of which ripgrep and `pathMatcher` think alike. Of a question mark they do not: to ripgrep it is one byte. */
const PLAIN_NAME = /^(?:[\w.\- *]|\{[\w.\-*]+(?:,[\w.\-*]+)+\})+$/;

/**
 * Lets ripgrep leave out the files whose names alone rule them out, which spares this process most of what it lists. As a type of file: unlike
 * `--glob`, that does not bring back what `.gitignore` names.
 */
export function nameFilter(pattern: string): string[] {
  const name = pattern.slice(pattern.lastIndexOf('/') + 1);
  return PLAIN_NAME.test(name) && !name.includes('**') ? [`--type-add=tendon:${name}`, '--type=tendon'] : [];
}

/** Told with every search that finds nothing. */
export const SCOPE_WORDS = 'What .gitignore names is not looked at (nor what .ignore or .rgignore name), and neither is .git.';

/** What every search leaves out: what those files name, with or without a repository, git's own folder and the gateway's. */
export function searchScope(folder: string, forbidden: string): string[] {
  const inside = posix.relative(folder, forbidden);
  const own = inside !== '' && !inside.startsWith('..') ? ['--glob', `!/${escapeGlob(inside)}`] : [];
  return ['--no-config', '--hidden', '--no-require-git', '--glob', '!.git', ...own];
}

function escapeGlob(path: string): string {
  return path.replaceAll(/[\\*?[\]{}!]/g, '\\$&');
}
