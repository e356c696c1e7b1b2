import type { IncomingMessage } from 'node:http';
import { type Config, isLoopbackHost } from '../config.ts';
import { type ClientAddress, clientAddress } from './client-address.ts';

export type DoorFault = 'host' | 'origin' | 'cross_site';

export type DoorCheck = { readonly ok: true } | { readonly ok: false; readonly fault: DoorFault; readonly message: string };

/** The parts of a request that the door looks at. */
export type Knock = Pick<IncomingMessage, 'headers' | 'rawHeaders'> & Partial<Pick<IncomingMessage, 'method' | 'url'>>;

/**
 * The one guard of every route, poll and upgrade. It compares `Host` and `Origin` as whole strings with short lists: no parsing of what a
 * stranger sent, so there is nothing to fool with user info, trailing dots, other ports or look-alike suffixes. `Host` stops DNS rebinding,
 * `Origin` and `Sec-Fetch-Site` stop other sites' pages (RFC 6455 10.2, OWASP ASVS 4.4.2).
 */
export class Door {
  readonly #config: Pick<Config, 'host' | 'publicUrl' | 'allowedOrigins' | 'trustedProxies'>;
  #hosts: ReadonlySet<string> = new Set();
  #origins: ReadonlySet<string> = new Set();
  #served: readonly string[] = [];
  #publicOrigin: string | undefined;

  /** Where a request really came from; for limits and for the log. */
  readonly addressOf: ClientAddress;

  constructor(config: Pick<Config, 'host' | 'publicUrl' | 'allowedOrigins' | 'trustedProxies'>) {
    this.#config = config;
    this.addressOf = clientAddress(config.trustedProxies);
  }

  /** Tells the port that the server really listens on (it may have been 0). Until then everything is refused. */
  listening(port: number): void {
    const own = ownOrigins(this.#config.host, port);
    const first = this.#config.publicUrl ?? own[0];
    this.#served = this.#config.publicUrl === undefined ? own : [this.#config.publicUrl, ...own];
    this.#hosts = new Set(this.#served.map((origin) => new URL(origin).host));
    this.#origins = new Set([...this.#served, ...this.#config.allowedOrigins]);
    this.#publicOrigin = first;
  }

  /** The origin that people use. Throws before the server listens. */
  publicOrigin(): string {
    if (this.#publicOrigin === undefined) throw new Error('the public address is not known before the server listens');
    return this.#publicOrigin;
  }

  /** Whether a page of this serialised origin may use the server. */
  allows(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** The origin of the pages that we serve at this `Host`. */
  originOf(host: string): string | undefined {
    return this.#served.find((origin) => new URL(origin).host === host);
  }

  /** The check itself, the same for every carrier. */
  readonly check = (request: Knock): DoorCheck => {
    const { host, origin } = request.headers;
    if (host === undefined || !this.#hosts.has(host) || count(request.rawHeaders, 'host') !== 1) {
      return { ok: false, fault: 'host', message: 'This server does not answer to that name. Use the address that it printed, or set TENDON_PUBLIC_URL.' };
    }
    if (origin !== undefined) {
      if (this.#origins.has(origin) && count(request.rawHeaders, 'origin') === 1) return { ok: true };
      return { ok: false, fault: 'origin', message: 'Pages of this origin may not use the server. Add it to TENDON_ALLOWED_ORIGINS.' };
    }
    const site = request.headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || site === 'none' || isVisit(request)) return { ok: true };
    return { ok: false, fault: 'cross_site', message: 'Another site sent you here, which is not allowed. Type or paste the address into the browser instead.' };
  };
}

/** Where the identity provider sends a browser back to. */
export const PROVIDER_RETURN_PATH = '/api/auth/provider/return';
const PAGE_PATH = /^\/(?!(?:api|socket\.io|sign-in|healthz|readyz|metrics)(?:\/|$))[A-Za-z0-9_/-]*$/;

/**
 * Whether a person follows a link from elsewhere to a page of ours, which is the same for everybody and asks for its data itself. Strict
 * cookies stay at home on such a visit. `/sign-in` is none of these: somebody else's link must not sign anybody in.
 */
function isVisit({ method, url = '', headers }: Knock): boolean {
  if (method !== 'GET' || headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document') return false;
  const path = url.split('?', 1)[0] ?? '';
  return path === PROVIDER_RETURN_PATH || PAGE_PATH.test(path);
}

/** The first one is the address to print. */
function ownOrigins(host: string, port: number): readonly string[] {
  const isWildcard = host === '0.0.0.0' || host === '::';
  const loopback = ['127.0.0.1', 'localhost', '[::1]'];
  const bracketed = host.includes(':') ? `[${host}]` : host;
  const names = isWildcard || isLoopbackHost(host) ? [...new Set([...(isWildcard ? [] : [bracketed]), ...loopback])] : [bracketed];
  return names.map((name) => new URL(`http://${name}:${port}`).origin);
}

/** Two of the same header could be read differently by a proxy and by us. */
function count(rawHeaders: readonly string[], name: string): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length;
}
