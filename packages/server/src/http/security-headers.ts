import type { Door } from './door.ts';

const A_YEAR_S = 365 * 24 * 3_600;

/** Asked for under the public https name: then TLS is in front of us. Not for other names of the host, which may serve others by http (RFC 6797, section 7.2). */
function isPublicName(door: Pick<Door, 'publicOrigin'>, host: string | undefined): boolean {
  return host !== undefined && door.publicOrigin() === `https://${host}`;
}

/** Headers of every answer. `connect-src` names the sockets of this very host: some browsers do not count `ws:` as 'self'. */
export function securityHeaders(door: Pick<Door, 'publicOrigin'>, host: string | undefined): Record<string, string> {
  const sockets = host === undefined ? '' : ` ${door.publicOrigin().startsWith('https:') ? 'wss' : 'ws'}://${host}`;
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      // Text never becomes markup or code, whatever a library does with it: no policy may make it trusted.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data: blob:",
      `connect-src 'self'${sockets}`,
      "font-src 'self'",
      "manifest-src 'self'",
      "worker-src 'self'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    'X-Frame-Options': 'DENY',
    ...(isPublicName(door, host) ? { 'Strict-Transport-Security': `max-age=${A_YEAR_S}` } : {}),
  };
}
