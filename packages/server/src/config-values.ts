import { isIP } from 'node:net';
import { z } from 'zod';

/** Parsers of single values. Every message completes "NAME is VALUE: ...", so it says what is allowed. */
export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'give a whole number from 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, 'give a whole number from 0 to 65535');

export const host = z
  .string()
  .regex(/^(?:[A-Za-z0-9.-]+|\[?[0-9A-Fa-f:.]+\]?)$/, 'give a host name or an IP address, without scheme and port')
  .transform((value) => value.replace(/^\[|\]$/g, '').toLowerCase());

export const text = z.string();

export const onOff = z
  .string()
  .transform((value) => value.toLowerCase())
  .pipe(z.enum(['1', 'true', 'on', 'yes', '0', 'false', 'off', 'no'], 'give on or off'))
  .transform((value) => ['1', 'true', 'on', 'yes'].includes(value));

export const originText = z.string().transform((value, context) => {
  const origin = parseOrigin(value);
  if (origin !== undefined) return origin;
  context.addIssue({ code: 'custom', message: 'give a bare address such as https://tendon.example:8443, without path, query or password' });
  return z.NEVER;
});

function commaSeparated(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export const originList = z
  .string()
  .transform(commaSeparated)
  .pipe(
    z.array(z.string()).transform((parts, context) => {
      const origins: string[] = [];
      for (const part of parts) {
        const origin = parseOrigin(part);
        if (origin === undefined)
          context.addIssue({ code: 'custom', message: `"${part}" is not an origin; give addresses such as https://tendon.example, comma separated` });
        else origins.push(origin);
      }
      return origins;
    }),
  );

const proxyNetwork = z.string().refine((value) => {
  const [address = '', bits, ...more] = value.split('/');
  const kind = isIP(address);
  return kind !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) > 0 && Number(bits) <= (kind === 4 ? 32 : 128)));
});

/** Addresses and networks, comma separated. A network of everyone (`/0`) is refused: it would let anybody say who they are. */
export const proxyList = z.string().transform((value, context) => {
  const parts = commaSeparated(value);
  for (const part of parts) {
    if (!proxyNetwork.safeParse(part).success)
      context.addIssue({ code: 'custom', message: `"${part}" is no proxy; give addresses or networks such as 127.0.0.1, 10.0.0.0/8, comma separated` });
  }
  return parts;
});

export function urlOf(protocols: readonly string[], example: string) {
  return z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), `give an address such as ${example}`);
}

export const httpUrl = (example: string) => urlOf(['http:', 'https:'], example).transform((value) => value.replace(/\/+$/, ''));

export const secretKey = z
  .string()
  .refine(
    (value) => /^[A-Za-z0-9+/]{43}=$/.test(value) && Buffer.from(value, 'base64').length === 32,
    'give 32 bytes as base64, as printed by: openssl rand -base64 32',
  );

const MOST_KEYS = 5;

/** Keys of the same form, comma separated. */
export const secretKeyList = z
  .string()
  .transform(commaSeparated)
  .pipe(
    z
      .array(
        z
          .string()
          .refine((part) => secretKey.safeParse(part).success, 'give the key that TENDON_SECRET_KEY had: 32 bytes as base64 (several: comma separated)'),
      )
      .max(MOST_KEYS, `give at most ${MOST_KEYS} keys`),
  );

export const modelName = z.string().regex(/^(?:demo|[a-z0-9-]+\/\S+)$/, 'give provider/model, such as anthropic/claude-sonnet-4-5, or demo');

/** The serialised origin (RFC 6454, section 6.2) of an http(s) address that is nothing but an origin; otherwise undefined. */
function parseOrigin(value: string): string | undefined {
  if (!URL.canParse(value)) return undefined;
  const url = new URL(value);
  const isBare = url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === '' && !value.includes('@');
  return isBare && (url.protocol === 'http:' || url.protocol === 'https:') ? url.origin : undefined;
}
