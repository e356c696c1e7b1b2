import type { ModelFault, ModelFaultCode } from './model-port.ts';
import { type ModelName, PROVIDERS } from './providers.ts';

/** What went wrong, without words yet: `detail` is the provider's own text, cut and without secrets. */
export interface ProviderFailure {
  readonly code: ModelFaultCode;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** What the provider asks us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly detail?: string | undefined;
}

/** An error of the SDK, a body of an HTTP error, an error frame of a stream: they share these fields and nothing else. */
interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly statusCode?: unknown;
  readonly status_code?: unknown;
  readonly status?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
  readonly responseHeaders?: unknown;
  readonly responseBody?: unknown;
  readonly cause?: unknown;
  readonly error?: unknown;
}

const DETAIL_LENGTH = 300;
/** Of a longer text only the beginning is read at all. */
const READ_LENGTH = 2_000;
const CHAIN_LENGTH = 6;
/** Providers say "too long" in their own words only; there is no common code for it. */
const CONTEXT_FULL =
  /context_length_exceeded|context[ _-]?(length|window|size)|prompt is too long|input is too long|too many tokens|maximum number of tokens|exceeds? the (maximum|model'?s?)[^.]{0,40}tokens|model_context_window_exceeded/i;
const NO_CREDIT = /insufficient_quota|insufficient credit|credit balance|billing/i;

/** Reads any error of any provider. `secrets` are cut out of what is kept of its text. */
export function readFailure(error: unknown, secrets: readonly string[]): ProviderFailure {
  const chain = errorChain(error);
  const words = chain.map(wordsOf).join(' ');
  const status = firstDefined(chain, statusOf);
  const detail = cleanDetail(firstDefined(chain, messageOf) ?? '', secrets);
  const base = { detail: detail === '' ? undefined : detail };
  const isRequestFault = status === undefined || status === 400 || status === 413 || status === 422 || status === 500;
  if (isRequestFault && CONTEXT_FULL.test(words)) return { ...base, code: 'model_context_full', retryable: false };
  if (status !== undefined) return { ...base, ...byStatus(status, words), retryAfterMs: firstDefined(chain, retryAfterOf) };
  return { ...base, ...byWords(chain, words) };
}

type Kind = Pick<ProviderFailure, 'code' | 'retryable'>;

function byStatus(status: number, words: string): Kind {
  if (status === 401 || status === 403) return { code: 'model_unauthorized', retryable: false };
  if (status === 402) return { code: 'model_rate_limited', retryable: false };
  if (status === 404) return { code: 'model_unknown', retryable: false };
  if (status === 408 || status === 504) return { code: 'model_timeout', retryable: true };
  if (status === 429) return { code: 'model_rate_limited', retryable: !NO_CREDIT.test(words) };
  if (status >= 500 || status === 409) return { code: 'model_unavailable', retryable: true };
  return { code: 'model_bad_response', retryable: false };
}

/** Without an HTTP status: a frame in the stream, a broken body, or a connection that was cut. */
function byWords(chain: readonly ErrorLike[], words: string): Kind {
  if (/rate_?limit|too_many_requests|insufficient_quota/i.test(words)) return { code: 'model_rate_limited', retryable: !NO_CREDIT.test(words) };
  if (/authentication_error|invalid_api_key|permission_error/i.test(words)) return { code: 'model_unauthorized', retryable: false };
  if (/overloaded|server_error|api_error|unavailable|internal/i.test(words)) return { code: 'model_unavailable', retryable: true };
  const names = chain.map((error) => String(error.name ?? ''));
  if (names.some((name) => /JSONParse|TypeValidation|InvalidResponseData|EmptyResponseBody|SyntaxError/.test(name)))
    return { code: 'model_bad_response', retryable: true };
  if (names.some((name) => /Unsupported|InvalidPrompt|InvalidArgument|LoadSetting/.test(name))) return { code: 'model_bad_response', retryable: false };
  return { code: 'model_unavailable', retryable: true };
}

/** The fault as a person reads it: which model, what happened, what to do. */
export function faultOf(name: ModelName, failure: ProviderFailure): ModelFault {
  return { code: failure.code, message: messageFor(name, failure) };
}

function messageFor(name: ModelName, { code, detail, retryable }: ProviderFailure): string {
  const { label, keyVariable, urlVariable } = PROVIDERS[name.provider];
  const model = `${name.provider}/${name.id}`;
  const said = detail ? ` It said: ${detail}` : '';
  switch (code) {
    case 'model_unauthorized':
      return `${label} refused the credential for ${model}. Check its key (page Models, or ${keyVariable ?? urlVariable ?? 'its settings'}) and that the account may use this model.`;
    case 'model_rate_limited':
      return `${label} takes no more requests for ${model} now: a rate limit or the account's credit is used up. Wait a moment and try again, or check the account.${said}`;
    case 'model_unavailable':
      return `${label} could not be reached or broke off while answering with ${model}. Try again${urlVariable ? `; if it stays so, check ${urlVariable} and the network` : ''}.`;
    case 'model_timeout':
      return `${model} sent nothing for too long and was given up. Try again, or choose another model.`;
    case 'model_bad_response':
      if (!retryable) return `${label} refused the request for ${model}. Choose another model, or begin a new session if others work with this one.${said}`;
      return `${model} gave an answer that cannot be used. Try again, or choose another model.${said}`;
    case 'model_refused':
      return `${model} declined to answer, or its provider's content filter stopped it. Put the request in other words, or choose another model.`;
    case 'model_context_full':
      return `This conversation is too long for ${model}. Begin a new session, or choose a model with a larger context.`;
    case 'model_unknown':
      return `${label} knows no model ${name.id}. Choose another model${urlVariable ? `, or check ${urlVariable}` : ''}.`;
    case 'model_not_configured':
      return `${model} cannot be used yet: its settings are missing. An owner can enter them on the page Models, or set ${keyVariable ?? urlVariable ?? 'them'} for the server. Or choose another model.`;
  }
}

/** The error and what it wraps, outermost first. Bounded, for causes can form a ring. */
function errorChain(error: unknown): ErrorLike[] {
  const chain: ErrorLike[] = [];
  let current = error;
  while (chain.length < CHAIN_LENGTH && current !== undefined && current !== null) {
    if (typeof current !== 'object') return [...chain, { message: String(current) }];
    const like: ErrorLike = current;
    chain.push(like);
    current = like.cause ?? like.error;
  }
  return chain;
}

function wordsOf(error: ErrorLike): string {
  const words = [error.type, error.code, error.message, error.responseBody].filter((word) => typeof word === 'string');
  return words.map((word) => word.slice(0, READ_LENGTH)).join(' ');
}

function statusOf(error: ErrorLike): number | undefined {
  const found = [error.statusCode, error.status_code, error.status, error.code]
    .map(Number)
    .find((value) => Number.isInteger(value) && value >= 400 && value <= 599);
  return found;
}

function messageOf(error: ErrorLike): string | undefined {
  return typeof error.message === 'string' && error.message.trim() !== '' ? error.message : undefined;
}

/** Seconds or a date in `retry-after`, milliseconds in `retry-after-ms`. RFC 9110, section 10.2.3. */
function retryAfterOf(error: ErrorLike): number | undefined {
  if (typeof error.responseHeaders !== 'object' || error.responseHeaders === null) return undefined;
  const headers = error.responseHeaders as Record<string, unknown>;
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact)) return Math.max(0, exact);
  const header = headers['retry-after'];
  if (typeof header !== 'string') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const sentAt = Date.parse(String(headers.date ?? ''));
  const until = Date.parse(header);
  return Number.isNaN(until) || Number.isNaN(sentAt) ? undefined : Math.max(0, until - sentAt);
}

function firstDefined<T>(chain: readonly ErrorLike[], read: (error: ErrorLike) => T | undefined): T | undefined {
  for (const error of chain) {
    const value = read(error);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** One line of the provider's text, without anything that looks like a credential. */
function cleanDetail(text: string, secrets: readonly string[]): string {
  let clean = text.slice(0, READ_LENGTH).split('\n')[0]?.trim() ?? '';
  for (const secret of secrets) if (secret.length >= 4) for (const spelling of spellings(secret)) clean = clean.replaceAll(spelling, '[hidden]');
  clean = clean
    .replace(/\b(sk|pk|key|AIza)[-_A-Za-z0-9*]{8,}/g, '[hidden]')
    .replace(/bearer\s+\S+/gi, '[hidden]')
    .replace(/\/\/[^/\s@]+@/g, '//[hidden]@');
  return clean.length > DETAIL_LENGTH ? `${clean.slice(0, DETAIL_LENGTH).toWellFormed()}…` : clean.toWellFormed();
}

/** As it is, as it stands in an address, in a header of basic authentication, and in a dump: whoever echoes a request may write it so. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const alone = (['base64url', 'base64', 'hex'] as const).map((encoding) => bytes.toString(encoding).replace(/=+$/, ''));
  return [secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1), ...alone];
}
