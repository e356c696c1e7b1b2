import { HIDDEN_CHARACTERS } from '@tendon/protocol';

/** A run of text as it is, or one character that must be named because it would not be seen or would move what is seen. */
export type VisibleSegment = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'mark'; readonly label: string; readonly name: string };

const NAMES: Record<number, string> = {
  0x00: 'null',
  0x07: 'bell',
  0x08: 'backspace',
  0x0d: 'carriage return',
  0x1b: 'escape',
  0x7f: 'delete',
  0xa0: 'no-break space',
  0xad: 'soft hyphen',
  0x200b: 'zero width space',
  0x200c: 'zero width non-joiner',
  0x200d: 'zero width joiner',
  0x200e: 'left-to-right mark',
  0x200f: 'right-to-left mark',
  0x202a: 'left-to-right embedding',
  0x202b: 'right-to-left embedding',
  0x202c: 'end of direction',
  0x202d: 'left-to-right override',
  0x202e: 'right-to-left override',
  0x2066: 'left-to-right isolate',
  0x2067: 'right-to-left isolate',
  0x2068: 'first strong isolate',
  0x2069: 'end of isolate',
  0xfeff: 'byte order mark',
};

/** Cuts `text` so that every hidden character can be drawn as a mark with its code point. Joining the texts and marks loses nothing. */
export function visibleSegments(text: string): VisibleSegment[] {
  const segments: VisibleSegment[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN_CHARACTERS)) {
    if (match.index > from) segments.push({ kind: 'text', text: text.slice(from, match.index) });
    segments.push(markOf(match[0]));
    from = match.index + match[0].length;
  }
  if (from < text.length) segments.push({ kind: 'text', text: text.slice(from) });
  return segments;
}

export function countHidden(text: string): number {
  return [...text.matchAll(HIDDEN_CHARACTERS)].length;
}

/** For places that take plain text only: titles, labels, announcements. */
export function visibleText(text: string): string {
  return visibleSegments(text)
    .map((segment) => (segment.kind === 'text' ? segment.text : `⟨${segment.label}⟩`))
    .join('');
}

function markOf(character: string): VisibleSegment {
  const code = character.codePointAt(0) ?? 0;
  const label = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  return { kind: 'mark', label, name: NAMES[code] ?? 'hidden character' };
}
