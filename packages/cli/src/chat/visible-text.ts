/**
 * Text of models and tools for a terminal: control characters, escape sequences and bidirectional overrides are shown as `\u{..}` instead
 * of acting (CWE-150, Trojan Source). Line breaks and tabs stay.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, (character) =>
      character === '\n' || character === '\t' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
    );
}
