/** A text, a mark, or a number or word; what is before it may be left out. */
const TOKEN =
  /[ \t\n\r]*(?:("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|([{}[\],:])|((?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])))/uy;
const SPACE = /[ \t\n\r]*/y;
const DEEPEST = 100;

/** Of a JSON text that a person wrote: in which line a field stands, and where it ceases to be JSON. */
export class JsonPlaces {
  readonly #text: string;
  readonly #places = new Map<string, number>();
  #at = 0;
  #brokenAt: number | undefined;

  constructor(text: string) {
    this.#text = text;
    try {
      this.#value([]);
      if (this.#text.slice(this.#at).trim() !== '') this.#brokenAt = this.#tokenAt();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
  }

  /** Line and column, from 1, of what cannot be read; undefined when all of it can. */
  get broken(): string | undefined {
    if (this.#brokenAt === undefined) return undefined;
    const before = this.#text.slice(0, this.#brokenAt);
    const isEnd = this.#text.slice(this.#brokenAt).trim() === '';
    return isEnd ? `it ends too early, in line ${lineOf(before.trimEnd())}` : `line ${lineOf(before)}, column ${before.length - before.lastIndexOf('\n')}`;
  }

  /** From 1; undefined when nothing stands there. */
  lineOf(path: readonly PropertyKey[]): number | undefined {
    const at = this.#places.get(keyOf(path));
    return at === undefined ? undefined : lineOf(this.#text.slice(0, at));
  }

  #value(path: readonly PropertyKey[]): void {
    if (path.length > DEEPEST) throw new Stopped();
    const start = this.#tokenAt();
    const token = this.#next();
    if (!this.#places.has(keyOf(path))) this.#places.set(keyOf(path), start);
    if (token === '{') this.#list('}', () => this.#field(path));
    else if (token === '[') this.#list(']', (index) => this.#value([...path, index]));
    else if (/^[\]},:]$/.test(token)) this.#stop(start);
  }

  #field(path: readonly PropertyKey[]): void {
    const start = this.#tokenAt();
    const name = this.#next();
    if (!name.startsWith('"')) this.#stop(start);
    const inner = [...path, JSON.parse(name) as string];
    this.#places.set(keyOf(inner), start);
    this.#expect(':');
    this.#value(inner);
  }

  #list(end: string, read: (index: number) => void): void {
    if (this.#text[this.#tokenAt()] === end) {
      this.#next();
      return;
    }
    for (let index = 0; ; index += 1) {
      read(index);
      const start = this.#tokenAt();
      const mark = this.#next();
      if (mark === end) return;
      if (mark !== ',') this.#stop(start);
    }
  }

  #expect(mark: string): void {
    const start = this.#tokenAt();
    if (this.#next() !== mark) this.#stop(start);
  }

  #tokenAt(): number {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    return SPACE.lastIndex;
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(this.#text);
    if (!found) return this.#stop(this.#tokenAt());
    this.#at = TOKEN.lastIndex;
    return found[1] ?? found[2] ?? found[3] ?? '';
  }

  #stop(at: number): never {
    this.#brokenAt = at;
    throw new Stopped();
  }
}

class Stopped extends Error {}

function keyOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

function lineOf(before: string): number {
  return before.split('\n').length;
}
