import { HIDDEN_CHARACTERS } from '@tendon/protocol';
import type { FieldWords } from './text-fields.ts';

/** So many payloads stand in a row of a list: each list shows all of them, and none is so long that it costs the page its time. */
const PER_ROW = 5;
/** Fields that take fewer characters than a payload may have. A page shows no answer in which one is longer. */
const SHORT_FIELDS: Readonly<Record<string, number>> = { 'sandbox.kind': 50 };

/**
 * Payloads, each followed by a mark that says which it is and which field it was put into. So a page that shows many fields at once tells of
 * each field which payloads it shows, and whether letter by letter.
 */
export class HostileWords implements FieldWords {
  readonly #payloads: readonly string[];
  readonly #fields: readonly string[];

  constructor(payloads: readonly string[], fields: readonly string[]) {
    this.#payloads = payloads;
    this.#fields = fields;
  }

  get count(): number {
    return this.#payloads.length;
  }

  /** All of them, in one text. */
  all = (field: string): string => this.#marked(field).join('\n');

  /** Each a paragraph of its own. */
  paragraphs = (field: string): string => this.#marked(field).join('\n\n');

  /** All of them, a few to a row, each row one line. */
  rows = (field: string): readonly string[] => this.rowsOf(field, PER_ROW);

  rowsOf(field: string, perRow: number): readonly string[] {
    const marked = this.#marked(field).map((text) => text.replaceAll(/[\t\n]/g, ' '));
    return Array.from({ length: Math.ceil(marked.length / perRow) }, (_, row) => marked.slice(row * perRow, (row + 1) * perRow).join(' '));
  }

  /** For a place that shows a text line by line: none of them goes over the end of a line. */
  inLines = (field: string): string => this.rows(field).join('\n');

  /** Those that are short enough for a field that takes no more than so many characters, each alone. */
  shortOf(field: string, most: number): readonly string[] {
    return this.rowsOf(field, 1).filter((text) => text.length <= most);
  }

  /** In rows that have at most so many characters. */
  rowsUpTo(field: string, most: number): readonly string[] {
    const rows: string[] = [];
    for (const text of this.rowsOf(field, 1)) {
      const last = rows.at(-1);
      if (last !== undefined && last.length + text.length < most) rows[rows.length - 1] = `${last} ${text}`;
      else rows.push(text);
    }
    return rows;
  }

  #marked(field: string): string[] {
    const number = this.#fields.indexOf(field);
    if (number < 0 && field !== '') throw new Error(`${field} has no row in the table of text fields`);
    return this.#payloads.map((payload, index) => `${payload} (${number}.${index})`);
  }

  /** By field: which of the payloads stand in the text as they were put there. `shownAs` says what else a payload may look like in a field. */
  shownIn(text: string, shownAs: (field: string, payload: string) => string = (_field, payload) => payload): ReadonlyMap<string, ReadonlySet<number>> {
    const found = new Map<string, Set<number>>();
    const bare = bareText(text);
    const expected = new Map<string, string>();
    for (const { 0: mark, 1: number, 2: index, index: at } of bare.matchAll(/\((\d+)\.(\d+)\)/g)) {
      const field = this.#fields[Number(number)];
      const payload = this.#payloads[Number(index)];
      if (field === undefined || payload === undefined) continue;
      const wanted = expected.get(mark) ?? bareText(shownAs(field, payload));
      expected.set(mark, wanted);
      if (!bare.endsWith(wanted, at)) continue;
      const shown = found.get(field) ?? new Set();
      found.set(field, shown.add(Number(index)));
    }
    return found;
  }

  /** Those that are not in there, of all that a field can take. */
  missing(field: string, shown: ReadonlySet<number> | undefined): string[] {
    const most = SHORT_FIELDS[field] ?? Number.POSITIVE_INFINITY;
    const texts = this.rowsOf(field, 1);
    return this.#payloads.filter((_, index) => !shown?.has(index) && (texts[index]?.length ?? 0) <= most);
  }
}

/** Without what no place shows as it is: white space, and characters that are not seen or stand as a mark with their code point. */
function bareText(text: string): string {
  return text.replaceAll(/⟨?U\+(?:0000|200B|FFFD)⟩?|[\uFFFD\u2400]|\s/g, '').replaceAll(HIDDEN_CHARACTERS, '');
}
