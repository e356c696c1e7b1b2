import type { ZxcvbnFactory } from '@zxcvbn-ts/core';

const LEAST = 12;
const MOST = 128;
/** Of a password so much is looked at, and so many ways to read `4` as `a`: what takes a second without a bound takes some 20 ms then. */
const LOOKED_AT = 40;
const MOST_READINGS = 10;
/** zxcvbn's highest: 10^10 guesses or more, by who tries common passwords, words, names, dates, keyboards and what is put behind them first. */
const GOOD = 4;
/** Of what is no word that is known of its person. */
const LEAST_OWN = 6;

const ADVICE = 'Take four or five words that have nothing to do with each other or with you.';

interface PasswordOwner {
  readonly name: string;
  readonly email: string;
}

let estimator: Promise<ZxcvbnFactory> | undefined;

/**
 * What is wrong with a new password, in words; undefined when it will do. Length counts, and how soon it is guessed, and nothing that makes
 * people write it down: no kinds of characters, no expiry (NIST SP 800-63B, section 3.1.1.2).
 */
export async function passwordFault(password: string, owner: PasswordOwner): Promise<string | undefined> {
  const length = [...password].length;
  if (length < LEAST) return `Take at least ${LEAST} characters. ${ADVICE}`;
  if (length > MOST) return `Take at most ${MOST} characters.`;
  const known = knownWords(owner);
  const said = plain(password);
  const rest = known.reduce((text, word) => text.replaceAll(word, ''), said);
  if (rest !== said && [...rest].length < LEAST_OWN) return `It is mostly a name or an address that others know. ${ADVICE}`;
  estimator ??= load();
  const { score } = (await estimator).check(password.slice(0, LOOKED_AT), [...known]);
  return score < GOOD ? `That one is among the first to be guessed. ${ADVICE}` : undefined;
}

/** Some 120 ms and 10 MB, which only a server pays where somebody sets a password. */
async function load(): Promise<ZxcvbnFactory> {
  const [core, common] = await Promise.all([import('@zxcvbn-ts/core'), import('@zxcvbn-ts/language-common')]);
  const { dictionary, adjacencyGraphs: graphs } = common;
  return new core.ZxcvbnFactory({ dictionary, graphs, maxLength: LOOKED_AT, l33tMaxSubstitutions: MOST_READINGS });
}

/** What anybody would try who knows whose account it is, the longest first: a part of a word is taken out after the whole. */
function knownWords({ name, email }: PasswordOwner): readonly string[] {
  const [local = '', host = ''] = email.split('@');
  const whole = [email, local, name].map(plain);
  const parts = [name, local, host].flatMap((text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u));
  const words = [...whole, ...parts, 'tendon'].filter((word) => [...word].length >= 3);
  return [...new Set(words)].toSorted((one, other) => other.length - one.length);
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}\p{Extended_Pictographic}]+/gu, '');
}
