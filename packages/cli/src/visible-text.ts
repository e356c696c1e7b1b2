import { HIDDEN_CHARACTERS } from '@tendon/protocol';

/** Spaces of any width take their place in a terminal, and without the joiners some languages and pictures fall apart. */
const HARMLESS = /[\p{Zs}\u200c\u200d]/u;

/**
 * Text of servers, models and tools for a terminal: control characters, escape sequences, bidirectional overrides and what is not seen at all are shown
 * as `\u{..}` instead of acting (CWE-150, Trojan Source). Line breaks and tabs stay.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(HIDDEN_CHARACTERS, (character) => (HARMLESS.test(character) ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`));
}
