/**
 * Text of models and tools for a terminal: control characters, escape sequences, bidirectional overrides and what is not seen at all (tags,
 * fillers, half characters) are shown as `\u{..}` instead of acting (CWE-150, Trojan Source). Line breaks and tabs stay, and so do the
 * joiners U+200C and U+200D, without which some languages and pictures fall apart.
 */
export function visibleText(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(
      /[\p{Cc}\p{Cs}\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]|\u034f|[\u{e0100}-\u{e01ef}]/gu,
      (character) => (character === '\n' || character === '\t' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`),
    );
}
