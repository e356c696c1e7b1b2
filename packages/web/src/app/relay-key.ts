/** What a page has; replaceable in tests. */
export interface RelayKeyParts {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search' | 'origin'>;
  readonly history: Pick<History, 'replaceState'>;
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly fetch: typeof fetch;
}

const STORED_AS = 'tendon-relay-key';
const IN_THE_ADDRESS = /^#relay=(tdr_[\w-]{43})$/;

/**
 * The key with which the page of a machine's relay connects (SPEC L2). It comes once, in the fragment of the address to which a sign-in link
 * leads, and is kept where pages of this origin alone read it: a cookie goes to every port of this machine, this does not.
 *
 *   in the address ──the relay lets it in──► stored, for every tab      anybody can write an address: what is refused is not stored
 */
export class RelayKey {
  readonly #parts: RelayKeyParts;
  #fresh: string | undefined;
  #given: string | undefined;

  /** Takes the key out of the address. */
  constructor(parts: RelayKeyParts) {
    this.#parts = parts;
    const { location, history } = parts;
    [, this.#fresh] = IN_THE_ADDRESS.exec(location.hash) ?? [];
    if (this.#fresh !== undefined) history.replaceState(null, '', `${location.pathname}${location.search}`);
  }

  /**
   * The `token` of this page: undefined where there is no key or no relay. Asked again, because the one before was refused, it answers with
   * the other that is there, such as one that another tab has got meanwhile. Rejects when the relay could not be asked.
   */
  async token(): Promise<string | undefined> {
    const [first, second] = [this.#fresh, this.#stored()].filter((key) => key !== undefined);
    if (first === undefined || !(await this.#isRelay())) return undefined;
    this.#given = first === this.#given ? (second ?? first) : first;
    return this.#given;
  }

  /** The page is let in. */
  confirm(): void {
    if (this.#fresh === undefined || this.#given !== this.#fresh) return;
    try {
      this.#parts.storage.setItem(STORED_AS, this.#fresh);
      this.#fresh = undefined;
    } catch {
      // A browser that keeps nothing: the key then lasts as long as this page.
    }
  }

  #stored(): string | undefined {
    try {
      return this.#parts.storage.getItem(STORED_AS) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** A server may listen now where a relay once did. */
  async #isRelay(): Promise<boolean> {
    const { location, fetch } = this.#parts;
    const response = await fetch(`${location.origin}/api/auth/ways`, { cache: 'no-store', headers: { 'X-Requested-With': 'tendon' } });
    if (!response.ok) throw new Error(`The ways to sign in could not be asked for: status ${response.status}.`);
    const { relay } = (await response.json()) as { relay?: unknown };
    return relay === true;
  }
}
