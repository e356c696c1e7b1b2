import type { Door } from './door.ts';

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
  };
}
