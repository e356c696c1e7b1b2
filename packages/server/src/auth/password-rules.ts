const LEAST = 12;
const MOST = 128;

/** What many people choose first, whatever follows it. */
const NOTORIOUS = /^(?:pass(?:word|wort)?|qwert[yz]|letmein|welcome|admin(?:istrator)?|iloveyou|abc|tendon|changeme|secret)+[\d\W_]*$/i;

/**
 * What is wrong with a new password, in words; undefined when it will do. Length counts, and nothing that makes people write it down:
 * no kinds of characters, no expiry (NIST SP 800-63B, section 3.1.1.2).
 */
export function passwordFault(password: string, person: { readonly name: string; readonly email: string }): string | undefined {
  const length = [...password].length;
  if (length < LEAST) return `Take at least ${LEAST} characters. A few words in a row do well.`;
  if (length > MOST) return `Take at most ${MOST} characters.`;
  if (new Set(password.toLowerCase()).size < 5 || NOTORIOUS.test(password)) return 'That one is guessed first. Take another, such as a few words in a row.';
  const known = [person.email, person.email.split('@')[0] ?? '', person.name].map((text) => text.toLowerCase()).filter((text) => text.length >= 4);
  const rest = known.reduce((text, part) => text.replaceAll(part, ''), password.toLowerCase());
  return [...rest].length < LEAST / 2 ? 'It is mostly your name or address. Take another, such as a few words in a row.' : undefined;
}
