import { posix } from 'node:path';
import { ToolFault } from './faults.ts';

/**
 * A test for paths relative to the folder that is searched. A pattern without a slash is about names at any depth, as in .gitignore.
 * Hidden files match only patterns that name the dot, as in a shell.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  if (pattern.includes('\0')) throw new ToolFault('invalid_input', 'The pattern contains a NUL character. Leave it out.');
  const whole = pattern.replace(/^\.\//, '');
  if (posix.isAbsolute(whole))
    throw new ToolFault('invalid_input', `The pattern ${JSON.stringify(pattern)} begins with a slash. Give it relative to the folder, and the folder as path.`);
  const deep = whole.includes('/') ? whole : `**/${whole}`;
  return (path) => posix.matchesGlob(path, deep);
}

/** A last part of which ripgrep and `pathMatcher` think alike, but that ripgrep's stars also match a dot at the beginning. */
const PLAIN_NAME = /^(?:[\w.\- *?]|\{[\w.\-*?]+(?:,[\w.\-*?]+)+\})+$/;

/**
 * Lets ripgrep leave out the files whose names alone rule them out, which spares this process most of what it lists. As a type of file: unlike
 * `--glob`, that does not bring back what `.gitignore` names.
 */
export function nameFilter(pattern: string): string[] {
  const name = pattern.slice(pattern.lastIndexOf('/') + 1);
  return PLAIN_NAME.test(name) && !name.includes('**') ? [`--type-add=tendon:${name}`, '--type=tendon'] : [];
}

/** What every search leaves out: what .gitignore names, with or without a repository, git's own folder and the gateway's. */
export function searchScope(folder: string, forbidden: string): string[] {
  const inside = posix.relative(folder, forbidden);
  const own = inside !== '' && !inside.startsWith('..') ? ['--glob', `!/${escapeGlob(inside)}`] : [];
  return ['--no-config', '--hidden', '--no-require-git', '--glob', '!.git', ...own];
}

function escapeGlob(path: string): string {
  return path.replaceAll(/[\\*?[\]{}!]/g, '\\$&');
}
