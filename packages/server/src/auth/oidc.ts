import { hkdfSync } from 'node:crypto';
import type { OidcConfig } from '../config.ts';
import { nameOfSubject, plainName } from './accounts.ts';

/** Why a browser goes to the identity provider. */
export type Errand =
  | { readonly kind: 'sign_in' }
  /** With the token of an invitation. */
  | { readonly kind: 'join'; readonly invitation: string }
  /** For whom, and the browser session that asked. */
  | { readonly kind: 'connect'; readonly userId: string; readonly sessionId: string };

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
}

/** `declined`: the person or the provider said no there. `late`: the browser brings no open sign-in any more. */
export type Return =
  | { readonly ok: true; readonly errand: Errand; readonly identity: Identity }
  | { readonly ok: false; readonly code: 'refused' | 'declined' | 'late'; readonly reason: string };

/** What the browser carries to the provider and back, sealed: nobody but this server can read or make it. */
interface Luggage {
  readonly errand: Errand;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

const AWAY_S = 600;
const AUDIENCE = 'tendon identity provider';

/**
 * Sign-in at one identity provider (OpenID Connect Core 1.0): authorization code with PKCE, state and nonce.
 *
 *   page ── depart ──► away, with a sealed cookie ── the provider sends it back ── arrive ──► an identity
 *                        └── 10 minutes ──► over
 *
 * Nothing is stored here while the browser is away. The libraries load at the first use, the provider is asked for its addresses then.
 */
export class Oidc {
  readonly issuer: string;
  readonly name: string;
  /** Whether whoever the provider lets in gets an account. */
  readonly isOpen: boolean;
  readonly #config: OidcConfig;
  readonly #key: Uint8Array;
  #loaded: ReturnType<typeof load> | undefined;

  constructor(config: OidcConfig, secretKey: Buffer) {
    this.#config = config;
    this.issuer = config.issuer;
    this.name = config.name;
    this.isOpen = config.signUp;
    this.#key = new Uint8Array(hkdfSync('sha256', secretKey, '', 'tendon identity provider', 32));
  }

  /** Where the browser goes, and what it carries for `arrive`. Throws when the provider cannot be reached. */
  async depart(errand: Errand, redirectUri: string): Promise<{ readonly url: string; readonly luggage: string; readonly maxAgeS: number }> {
    const { openid, provider, jose } = await this.#load();
    const [state, nonce, verifier] = [openid.randomState(), openid.randomNonce(), openid.randomPKCECodeVerifier()];
    const url = openid.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: 'openid profile email',
      state,
      nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const luggage = await new jose.EncryptJWT({ errand, state, nonce, verifier } satisfies Luggage)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(AUDIENCE)
      .setExpirationTime(`${AWAY_S}s`)
      .encrypt(this.#key);
    return { url: url.href, luggage, maxAgeS: AWAY_S };
  }

  /** Who came back. What is wrong with the answer is told; an unreachable provider throws. */
  async arrive(answer: URL, sealed: string | undefined): Promise<Return> {
    const { openid, provider } = await this.#load();
    const luggage = sealed === undefined ? undefined : await this.#unseal(sealed);
    if (!luggage) return { ok: false, code: 'late', reason: 'the browser brings no open sign-in: it took too long, or began elsewhere' };
    const { errand, state, nonce, verifier } = luggage;
    try {
      const tokens = await openid.authorizationCodeGrant(provider, answer, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier });
      const claims = tokens.claims();
      if (!claims) return { ok: false, code: 'refused', reason: 'the provider sent no identity' };
      const told = nameIn(claims) ?? nameIn(await openid.fetchUserInfo(provider, tokens.access_token, claims.sub).catch(() => ({})));
      return { ok: true, errand, identity: { issuer: this.issuer, subject: claims.sub, name: told ?? nameOfSubject(claims.sub) } };
    } catch (error) {
      if (isUnreachable(error)) throw error;
      // Told by an answer to the very request that this browser began: its state has been compared before.
      if (error instanceof openid.AuthorizationResponseError && error.error === 'access_denied')
        return { ok: false, code: 'declined', reason: 'the sign-in was declined at the provider' };
      return {
        ok: false,
        code: 'refused',
        reason: `the provider's answer was refused: ${error instanceof Error && 'code' in error ? String(error.code) : 'not valid'}`,
      };
    }
  }

  async #unseal(sealed: string): Promise<Luggage | undefined> {
    const { jose } = await this.#load();
    try {
      const { payload } = await jose.jwtDecrypt(sealed, this.#key, {
        audience: AUDIENCE,
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return payload as unknown as Luggage;
    } catch {
      return undefined;
    }
  }

  /** Tried again by the next one who signs in when it fails. */
  #load(): ReturnType<typeof load> {
    this.#loaded ??= load(this.#config).catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }
}

/** Providers put it into the identity or into what they tell of the user (OpenID Connect Core, section 5.1); some into neither. */
function nameIn(claims: object): string | undefined {
  return 'name' in claims && typeof claims.name === 'string' ? plainName(claims.name) : undefined;
}

async function load({ issuer, clientId, clientSecret }: OidcConfig) {
  const [openid, jose] = await Promise.all([import('openid-client'), import('jose')]);
  // A provider on this very machine may speak http; the configuration lets no other one do so.
  const isPlain = issuer.startsWith('http:');
  const provider = await openid.discovery(new URL(issuer), clientId, clientSecret, clientSecret === undefined ? openid.None() : undefined, {
    timeout: 10,
    // The identity counts by the provider's signature, and not by the way it came.
    execute: [openid.enableNonRepudiationChecks, ...(isPlain ? [openid.allowInsecureRequests] : [])],
  });
  return { openid, jose, provider };
}

/** A provider that is away is no wrong answer: `fetch` failed, or it took too long. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof TypeError || error.name === 'TimeoutError' || ('code' in error && error.code === 'OAUTH_TIMEOUT');
}
