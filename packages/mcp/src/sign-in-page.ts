import { unescape as decoded } from 'node:querystring';
import { isPublic, type NetworkTarget, targetOf, type Verdict } from '@tendon/network';

/** Browsers and proxies take so much; services use a quarter of it. */
const MAX_UNITS = 8_000;
/** Nobody sees the first kind; the second kind shows an address as another one. */
const MISLEADING = /[\p{Cc}\p{Bidi_Control}]/u;

/**
 * What is wrong with a page that the server at `own` would have a person open to sign in (rule E29); undefined for a good one. `judge` says where
 * that server may lead. A name may lead elsewhere by the time it is opened: over https no other machine can then answer for it, and plain http is
 * for hosts alone that somebody here has named.
 */
export async function pageFault(page: URL, own: URL, judge: (target: NetworkTarget) => Promise<Verdict>): Promise<string | undefined> {
  if (page.href.length > MAX_UNITS) return `it has more than ${MAX_UNITS} characters`;
  const target = targetOf(page.href);
  if (!target) return `it begins with ${page.protocol}, and only https is opened`;
  if (page.username !== '' || page.password !== '') return `it holds a name or a password for ${page.host}, which may be there to pass for another host`;
  if (MISLEADING.test(decoded(page.href))) return `it leads to ${page.host} and holds characters that cannot be seen`;
  const isPlain = page.protocol === 'http:';
  if (isPlain && own.protocol === 'https:') return `${page.origin} is not https, as the server itself is`;
  if (!isPlain && page.origin === own.origin) return undefined;
  const verdict = await judge(target);
  if (!verdict.ok) return verdict.message;
  return isPlain && verdict.addresses.some(isPublic)
    ? `${page.origin} is plain http over the internet, where anybody on the way can change the page`
    : undefined;
}
