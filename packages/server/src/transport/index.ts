export type { SignInAttempt, SignInResult } from './options.ts';
export { createTransport, type Transport } from './transport.ts';
