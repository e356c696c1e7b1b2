import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Which secret this is. It is bound to what is sealed: a row that is moved to another identity does not open. */
export interface SecretIdentity {
  /** Whose it is: `server` for what everybody here uses. */
  readonly scope: string;
  readonly name: string;
}

export interface Sealed {
  /** The fingerprint of the key that sealed it. */
  readonly keyId: string;
  readonly sealed: Buffer;
}

export type Opened =
  | { readonly ok: true; readonly text: string }
  /** `missing_key`: none of the keys here has this fingerprint. `damaged`: the key is here, and what it opens was changed or is another's. */
  | { readonly ok: false; readonly fault: 'missing_key' | 'damaged' };

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/**
 * The keys of this node: one that seals, and earlier or coming ones that open as well.
 *
 *   version (1 byte) | nonce (12, random) | what is sealed | tag (16)          AES-256-GCM (NIST SP 800-38D)
 *
 * Data key and fingerprint are derived from the secret key (HKDF, RFC 5869), each for its purpose alone. Nonces are random: good for
 * 2^32 secrets under one key, which no server has.
 */
export class Keyring {
  readonly currentId: string;
  readonly #dataKeys: ReadonlyMap<string, Buffer>;

  constructor(current: Buffer, others: readonly Buffer[] = []) {
    this.currentId = fingerprint(current);
    this.#dataKeys = new Map([current, ...others].map((key) => [fingerprint(key), derive(key, 'tendon secrets at rest')]));
  }

  /** Fingerprints of all that can be opened here; the one that seals is the first. */
  get ids(): readonly string[] {
    return [...this.#dataKeys.keys()];
  }

  seal(identity: SecretIdentity, text: string): Sealed {
    const keyId = this.currentId;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keyOf(keyId), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(boundTo(identity, keyId));
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return { keyId, sealed: Buffer.concat([Buffer.of(VERSION), nonce, body, cipher.getAuthTag()]) };
  }

  /** Never throws, whatever the row holds. */
  open(identity: SecretIdentity, { keyId, sealed }: Sealed): Opened {
    const key = this.#dataKeys.get(keyId);
    if (!key) return { ok: false, fault: 'missing_key' };
    if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION) return { ok: false, fault: 'damaged' };
    try {
      const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(identity, keyId));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const body = Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
      return { ok: true, text: body.toString('utf8') };
    } catch {
      return { ok: false, fault: 'damaged' };
    }
  }

  #keyOf(keyId: string): Buffer {
    const key = this.#dataKeys.get(keyId);
    if (!key) throw new Error('the key that seals is not in the keyring');
    return key;
  }
}

/** Tells keys apart and says nothing about them: 64 bits that are derived for this purpose alone. */
export function fingerprint(secretKey: Buffer): string {
  return derive(secretKey, 'tendon secret key fingerprint').subarray(0, 8).toString('hex');
}

function derive(secretKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secretKey, '', purpose, 32));
}

/** JSON keeps the parts apart: no two identities have the same text. */
function boundTo({ scope, name }: SecretIdentity, keyId: string): Buffer {
  return Buffer.from(JSON.stringify(['tendon secret', VERSION, scope, name, keyId]), 'utf8');
}
