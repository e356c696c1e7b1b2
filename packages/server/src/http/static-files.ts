import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/**
 * The built web UI. Paths come from a list made by reading the folder, so a request can name a file of it or nothing:
 *
 *   (no list) ── first request ──► list ── index.html changed ──► new list
 *
 * Contents are read and compressed once, at their first use, and kept: the whole UI is a few megabytes.
 */
export interface StaticAnswer {
  readonly status: 200 | 304;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

interface StoredFile {
  readonly path: string;
  readonly etag: string;
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly packed: Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>;
}

type Encoding = 'br' | 'gzip';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

const INDEX = '/index.html';
const brotli = promisify(brotliCompress);
const deflate = promisify(gzip);

export class StaticFiles {
  readonly #root: string;
  #list: { readonly stamp: number; readonly files: Map<string, string>; readonly contents: Map<string, Promise<StoredFile>> } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** The file of this URL path, `index.html` for the page's own paths, or why there is none. */
  async answer(
    pathname: string,
    headers: { readonly accepts: string; readonly ifNoneMatch: string | undefined },
  ): Promise<StaticAnswer | 'not_built' | 'not_found'> {
    const list = await this.#current();
    if (!list) return 'not_built';
    const name = list.files.has(pathname) ? pathname : isPagePath(pathname) ? INDEX : undefined;
    const path = name === undefined ? undefined : list.files.get(name);
    if (name === undefined || path === undefined) return 'not_found';
    let content = list.contents.get(name);
    if (!content) {
      content = load(path);
      list.contents.set(name, content);
      content.catch(() => list.contents.delete(name));
    }
    return respond(name, await content, headers);
  }

  async #current() {
    const stamp = await stat(join(this.#root, 'index.html')).then(
      (found) => found.mtimeMs,
      () => undefined,
    );
    if (stamp === undefined) {
      this.#list = undefined;
      return undefined;
    }
    if (this.#list?.stamp !== stamp) this.#list = { stamp, files: await scan(this.#root), contents: new Map() };
    return this.#list;
  }
}

async function scan(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(`/${relative(root, path).split(sep).map(encodeURIComponent).join('/')}`, path);
  }
  return files;
}

/** A path of the page's router has no file ending; a missing asset must stay missing, or a browser would run HTML as a script. */
function isPagePath(pathname: string): boolean {
  return !pathname.startsWith('/assets/') && !pathname.startsWith('/api/') && extname(pathname) === '';
}

async function load(path: string): Promise<StoredFile> {
  const plain = new Uint8Array(await readFile(path));
  return {
    path,
    plain,
    etag: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    packed: new Map(),
  };
}

async function respond(name: string, file: StoredFile, request: { readonly accepts: string; readonly ifNoneMatch: string | undefined }): Promise<StaticAnswer> {
  const encoding = file.plain.length < 1_024 || !isText(file.type) ? undefined : choose(request.accepts);
  const etag = `"${file.etag}${encoding === undefined ? '' : `-${encoding}`}"`;
  const headers: Record<string, string> = {
    'Content-Type': file.type,
    'Cache-Control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: etag,
    Vary: 'Accept-Encoding',
    ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }),
  };
  if (request.ifNoneMatch?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)) return { status: 304, headers, body: undefined };
  return { status: 200, headers, body: encoding === undefined ? file.plain : await pack(file, encoding) };
}

function pack(file: StoredFile, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  let packed = file.packed.get(encoding);
  if (!packed) {
    packed = (encoding === 'br' ? brotli(file.plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }) : deflate(file.plain)).then(
      (bytes) => new Uint8Array(bytes),
    );
    file.packed.set(encoding, packed);
    packed.catch(() => file.packed.delete(encoding));
  }
  return packed;
}

function isText(type: string): boolean {
  return type.includes('charset') || type === 'application/wasm';
}

/** RFC 9110 12.5.3, as far as two encodings need it: an encoding with `q=0` is not wanted. */
function choose(accepts: string): Encoding | undefined {
  const wanted = new Set(
    accepts
      .split(',')
      .map((part) => part.trim().toLowerCase())
      .filter((part) => !/;\s*q=0(?:\.0+)?$/.test(part))
      .map((part) => part.split(';')[0]),
  );
  return wanted.has('br') ? 'br' : wanted.has('gzip') ? 'gzip' : undefined;
}
