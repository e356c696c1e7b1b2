import type { JwtConfig } from '../config.ts';

export interface JwtClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly expiresAt: Date;
}

export type JwtCheck = { readonly ok: true; readonly claims: JwtClaims } | { readonly ok: false; readonly reason: string };
export type JwtVerifier = (token: string, now: Date) => Promise<JwtCheck>;

/** Signatures by a key pair only: with a shared secret, or `none`, a forger needs nothing but the public key (RFC 8725, section 2.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const CLOCK_TOLERANCE_S = 5;

/**
 * Checks JWTs of the one configured issuer: signature by its published keys (RFC 7517), `iss`, `aud`, `exp`, `nbf` and the algorithm.
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
      const { payload } = await jose.jwtVerify(token, keys, {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: now,
      });
      if (payload.sub === undefined || payload.sub === '' || payload.exp === undefined) return { ok: false, reason: 'jwt without sub or exp' };
      const name = typeof payload['name'] === 'string' && payload['name'] !== '' ? payload['name'] : payload.sub;
      return { ok: true, claims: { issuer: config.issuer, subject: payload.sub, name, expiresAt: new Date(payload.exp * 1_000) } };
    } catch (error) {
      if (error instanceof jose.errors.JWKSTimeout || !(error instanceof jose.errors.JOSEError) || isFetchFault(error)) throw error;
      return { ok: false, reason: `jwt refused: ${error.code}` };
    }
  };
}

/** jose reports an answer other than 200, or one that is no key set, as a bare JOSEError or JWKSInvalid. */
function isFetchFault(error: { readonly code: string }): boolean {
  return error.code === 'ERR_JOSE_GENERIC' || error.code === 'ERR_JWKS_INVALID';
}
