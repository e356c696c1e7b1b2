import { hashOf, newSecret } from './secret.ts';
import type { SignedIn } from './sign-in.ts';

export const SOCKET_TOKEN_PREFIX = 'trs_';
export const SOCKET_TOKEN_LIFETIME_MS = 60_000;

/** In the hands of one handshake. The first of the two calls counts. */
export interface TakenToken {
  /** The page is let in. */
  use(): void;
  /** It was not, or has gone. */
  giveBack(): void;
}

interface SocketToken {
  readonly signedIn: SignedIn;
  readonly endsAt: number;
  isTaken: boolean;
}

/**
 * What lets a page of the relay in, once. Kept in memory alone, and of each token only the hash:
 *
 *   made ──take──► taken, while the server is dialled ──the page is let in──► used: forgotten
 *    │ ▲                          │
 *    │ └──it was not, or has gone─┘   so that a page whose server is away needs no new token for each try
 *    └── 60 s after it was made, or its sign-in has ended ──► over: nobody takes it any more
 *
 * To take is to check and to mark without a pause in between: of any number of handshakes at once one has it.
 */
export class SocketTokens {
  readonly #now: () => number;
  /** By hash, oldest first. */
  readonly #tokens = new Map<string, SocketToken>();

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A new one for this sign-in. How many there are is bounded by whoever asks for them. */
  create(signedIn: SignedIn): string {
    const now = this.#now();
    for (const [hash, { endsAt }] of this.#tokens) if (now >= endsAt) this.#tokens.delete(hash);
    const token = newSecret(SOCKET_TOKEN_PREFIX);
    this.#tokens.set(hashOf(token), { signedIn, endsAt: now + SOCKET_TOKEN_LIFETIME_MS, isTaken: false });
    return token;
  }

  /** Undefined for what is no token, and for one that is used, taken, over, or of another sign-in. `signedIn` lives: its end is its tokens' end. */
  take(token: string, signedIn: SignedIn): TakenToken | undefined {
    const hash = hashOf(token);
    const found = this.#tokens.get(hash);
    if (found === undefined || found.signedIn !== signedIn || found.isTaken || this.#now() >= found.endsAt) return undefined;
    found.isTaken = true;
    let isSettled = false;
    const settle = (task: () => void): void => {
      if (!isSettled) task();
      isSettled = true;
    };
    return {
      use: () => settle(() => void this.#tokens.delete(hash)),
      giveBack: () =>
        settle(() => {
          found.isTaken = false;
        }),
    };
  }
}
