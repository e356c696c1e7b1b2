/** How most lines of a text end. */
export function dominantEnd(text: string): '\n' | '\r\n' {
  return placesOf(text, '\r\n').length * 2 > placesOf(text, '\n').length ? '\r\n' : '\n';
}

export function hasOnlyCrlf(text: string): boolean {
  return text.includes('\r\n') && !/(?<!\r)\n/.test(text);
}

export function withLf(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

export function withCrlf(text: string): string {
  return text.replaceAll(/\r?\n/g, '\r\n');
}

/** A piece of a text, from `from` to before `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Where a piece stands. Who reads a file by its lines does not see how they end, so each end of a line in the piece stands for both; one that is
 * written with its carriage return is first looked for as it is.
 */
export function spansOf(text: string, piece: string): Span[] {
  const exact = (): Span[] => placesOf(text, piece).map((from) => ({ from, to: from + piece.length }));
  if (!text.includes('\r\n') || !piece.includes('\n')) return exact();
  const asWritten = piece.includes('\r\n') ? exact() : [];
  // None of them begins between the two characters of an end: what is put there would leave half an end before it.
  if (asWritten.length > 0 && !asWritten.some(({ from }) => from > 0 && text.startsWith('\r\n', from - 1))) return asWritten;
  const wanted = withLf(piece);
  // Of each end of a line that is two characters.
  const returns = placesOf(text, '\r\n');
  let passed = 0;
  const toText = (place: number): number => {
    while ((returns[passed] ?? Number.POSITIVE_INFINITY) - passed < place) passed += 1;
    return place + passed;
  };
  return placesOf(withLf(text), wanted).map((place) => ({ from: toText(place), to: toText(place + wanted.length) }));
}

function placesOf(text: string, piece: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(piece); at !== -1; at = text.indexOf(piece, at + piece.length)) places.push(at);
  return places;
}

/**
 * How what takes the place of a piece ends its lines: those that stay keep their own ends, so do as many that take their place, and other
 * new ones end as most do. Carriage returns that the edit itself names are meant, but not against a file that has them throughout.
 */
export function endsKeeper(text: string, edit: { readonly oldText: string; readonly newText: string }): (former: string) => string {
  const { oldText, newText } = edit;
  if (hasOnlyCrlf(text)) return () => withCrlf(newText);
  if (!text.includes('\r\n') || `${oldText}${newText}`.includes('\r\n')) return () => newText;
  const end = dominantEnd(text);
  const before = withLf(oldText).split('\n');
  const after = newText.split('\n');
  const head = sameAtStart(before, after);
  const tail = Math.min(sameAtStart(before.toReversed(), after.toReversed()), before.length - head, after.length - head);
  const isOneForOne = before.length === after.length;
  return (former) => {
    const ends = former.match(/\r?\n/g) ?? [];
    const endOf = (line: number): string => {
      const isInTail = line >= after.length - tail;
      const own = isInTail ? line - after.length + before.length : line;
      return (isOneForOne || isInTail || line < head ? ends[own] : undefined) ?? end;
    };
    return after.map((line, index) => (index === after.length - 1 ? line : line + endOf(index))).join('');
  };
}

function sameAtStart(one: readonly string[], other: readonly string[]): number {
  let same = 0;
  while (same < one.length && same < other.length && one[same] === other[same]) same += 1;
  return same;
}
