import { SCOPES, type Scope } from '@tendon/protocol';
import type { JwtConfig } from '../config.ts';
import { nameOfSubject, plainName } from './accounts.ts';

export interface JwtClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly expiresAt: Date;
  /** What it is good for; undefined when it has no `scope` at all: all that its person can do. */
  readonly scopes?: readonly Scope[] | undefined;
}

export type JwtCheck = { readonly ok: true; readonly claims: JwtClaims } | { readonly ok: false; readonly reason: string };
export type JwtVerifier = (token: string, now: Date) => Promise<JwtCheck>;

/** Signatures by a key pair only: with a shared secret, or `none`, a forger needs nothing but the public key (RFC 8725, section 2.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const CLOCK_TOLERANCE_S = 5;
/** What issuers call an access token: RFC 9068, and those of before it. Security events, logout tokens, DPoP proofs and the like have types of their own. */
const TYPES = ['at+jwt', 'application/at+jwt', 'jwt'];
/** What stands in an ID token (OpenID Connect Core, sections 2 and 3.3.2.11) or a logout token alone: they say who somebody is, and let nobody in. */
const OF_OTHER_TOKENS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'];

/**
 * Checks JWTs of the one configured issuer: signature by its published keys (RFC 7517), `iss`, `aud`, `exp`, `nbf`, the algorithm, and that
 * it is an access token.
 * The library loads at the first use. Throws when the issuer's keys cannot be fetched: that is a lost dependency, not a wrong token.
 */
export function createJwtVerifier(config: JwtConfig): JwtVerifier {
  let loaded: Promise<{ jose: typeof import('jose'); keys: import('jose').JWTVerifyGetKey }> | undefined;
  const load = async () => {
    const jose = await import('jose');
    return { jose, keys: jose.createRemoteJWKSet(new URL(config.jwksUrl), { timeoutDuration: 5_000, cooldownDuration: 10_000 }) };
  };
  return async (token, now) => {
    loaded ??= load();
    const { jose, keys } = await loaded;
    try {
      const { payload, protectedHeader } = await jose.jwtVerify(token, keys, {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: now,
      });
      const fault = faultOf(protectedHeader, payload);
      if (fault !== undefined) return { ok: false, reason: fault };
      if (payload.sub === undefined || payload.sub === '' || payload.exp === undefined) return { ok: false, reason: 'jwt without sub or exp' };
      const scopes = scopesOf(payload['scope']);
      if (scopes?.length === 0) return { ok: false, reason: 'jwt with a scope that names none of ours' };
      const name = (typeof payload['name'] === 'string' ? plainName(payload['name']) : undefined) ?? nameOfSubject(payload.sub);
      return {
        ok: true,
        claims: { issuer: config.issuer, subject: payload.sub, name, expiresAt: new Date(payload.exp * 1_000), scopes },
      };
    } catch (error) {
      if (error instanceof jose.errors.JWKSTimeout || !(error instanceof jose.errors.JOSEError) || isFetchFault(error)) throw error;
      return { ok: false, reason: `jwt refused: ${error.code}` };
    }
  };
}

/** Why it is no access token for us; undefined when it is one. For the log: a claim's value is not in it. */
function faultOf({ typ }: { readonly typ?: string }, payload: Readonly<Record<string, unknown>>): string | undefined {
  if (typ !== undefined && !TYPES.includes(typ.toLowerCase())) return 'jwt of another type';
  const other = OF_OTHER_TOKENS.find((claim) => payload[claim] !== undefined);
  if (other !== undefined) return `jwt with ${other}: an ID token or a logout token, not an access token`;
  return isScope(payload['scope']) ? undefined : 'jwt with a scope that is neither a text nor a list of texts';
}

function isScope(scope: unknown): scope is string | readonly string[] | undefined {
  return scope === undefined || typeof scope === 'string' || (Array.isArray(scope) && scope.every((one) => typeof one === 'string'));
}

/**
 * Those of ours that it names (RFC 8693, section 4.2: one text with blanks between; some issuers write a list). Undefined where there is none. What
 * names others alone was given for something else (RFC 9068, section 5).
 */
function scopesOf(scope: unknown): readonly Scope[] | undefined {
  if (scope === undefined) return undefined;
  const named = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? scope : [];
  return SCOPES.filter((one) => named.includes(one));
}

/** jose reports an answer other than 200, or one that is no key set, as a bare JOSEError or JWKSInvalid. */
function isFetchFault(error: { readonly code: string }): boolean {
  return error.code === 'ERR_JOSE_GENERIC' || error.code === 'ERR_JWKS_INVALID';
}
