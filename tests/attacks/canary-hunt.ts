/** A credential, or what else must not turn up, with a name that a person knows it by. */
export interface Canary {
  readonly name: string;
  readonly value: string | Buffer;
}

/** Where something could have come to. */
export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Shorter ones would be found by chance. */
const SHORTEST = 8;

/** Every find as `canary in place as form`, each once, sorted. */
export function hunt(canaries: readonly Canary[], places: readonly Place[]): string[] {
  const finds = canaries.flatMap((canary) =>
    formsOf(canary.value).flatMap(({ form, bytes }) => places.filter((place) => place.bytes.includes(bytes)).map((place) => sentence(canary, place, form))),
  );
  return [...new Set(finds)].toSorted();
}

/** How often its own spelling stands there. */
export function countOf({ value }: Canary, { bytes }: Place): number {
  const wanted = Buffer.from(value as string);
  let count = 0;
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + wanted.length)) count += 1;
  return count;
}

function sentence(canary: Canary, place: Place, form: string): string {
  return `${canary.name} in ${place.name}${form === 'as it is' ? '' : ` ${form}`}`;
}

/** The spellings under which a value could hide. Forms that are spelled alike are one. */
export function formsOf(value: string | Buffer): { readonly form: string; readonly bytes: Buffer }[] {
  const bytes = Buffer.from(value as string);
  if (bytes.length < SHORTEST) throw new Error('a canary this short would be found by chance');
  const text = typeof value === 'string' ? value : undefined;
  const hex = bytes.toString('hex');
  const spelled: [string, string | undefined][] = [
    ['as it is', text],
    ['in hex', hex],
    ['in upper case hex', hex.toUpperCase()],
    ['URL-encoded', text && encodeURIComponent(text)],
    ['as a form field', text && new URLSearchParams({ x: text }).toString().slice(2)],
    ['JSON-escaped', text && JSON.stringify(text).slice(1, -1)],
    ['JSON-escaped twice', text && JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1)],
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      ['in base64', insideBase64(bytes, offset, 'base64')],
      ['in base64url', insideBase64(bytes, offset, 'base64url')],
    ]),
  ];
  const known = new Set<string>();
  const forms = spelled.flatMap(([form, spelling]) => {
    if (spelling === undefined || known.has(spelling)) return [];
    known.add(spelling);
    return [{ form, bytes: Buffer.from(spelling) }];
  });
  return text === undefined ? [{ form: 'as bytes', bytes }, ...forms] : forms;
}

/** What of the base64 depends on these bytes alone, when `offset` others stand before them (RFC 4648: three bytes make four letters). */
function insideBase64(bytes: Buffer, offset: number, alphabet: 'base64' | 'base64url'): string {
  const letters = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString(alphabet)
    .replaceAll('=', '');
  const last = Math.floor(((offset + bytes.length) * 8) / 6);
  return letters.slice(Math.ceil((offset * 8) / 6), last);
}
