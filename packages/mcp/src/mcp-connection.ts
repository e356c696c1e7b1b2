import type { ProcessIdentity } from '@tendon/system';
import type { McpServerConfig } from './mcp-config.ts';
import type { McpCredentials } from './mcp-credentials.ts';

/** What a server can be asked for. */
export interface McpAbilities {
  readonly tools: boolean;
  readonly resources: boolean;
  readonly prompts: boolean;
}

export interface McpRequestOptions {
  /** Aborted: the server is told, and the request rejects at once. */
  readonly signal: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** What a request rejects with when the end of its connection cut it off: `ended` says why. */
export class ConnectionEnded extends Error {}

/** What a request rejects with when its answer was lost: nobody can say whether it was done. */
export class AnswerLost extends Error {}

/** Why a server does not run, or has not done what it was asked. */
export interface StartWords {
  /** In tool results, which the model, the server and their logs see. */
  readonly said: string;
  /** In the log of this machine: also what a person alone may have, such as the address of a sign-in. */
  readonly logged: string;
  /** A person at the machine is to sign in: the log has the address. */
  readonly isSignIn?: boolean;
}

export class McpStartError extends Error {
  readonly words: StartWords;

  constructor(words: StartWords, cause: unknown) {
    super(words.said, { cause });
    this.words = words;
  }
}

/** What a request rejects with when the server did not let it in, and so did nothing. */
export class RequestRefused extends McpStartError {}

/** One connection to one server, from the answered greeting to its end. It is never made whole again: the next one is another. */
export interface McpConnection {
  readonly abilities: McpAbilities;
  /** Rejects with what went wrong, in words, or with `ConnectionEnded`, `AnswerLost` or `RequestRefused`. Requests are sent once. */
  request(method: string, params: Record<string, unknown>, options: McpRequestOptions): Promise<Record<string, unknown>>;
  /** Resolves when the connection is over, with why, in words. By then nothing of the server's processes is left. */
  readonly ended: Promise<string>;
  /** May be called twice. */
  close(): Promise<void>;
}

export interface McpConnectOptions {
  readonly config: McpServerConfig;
  /** Where a server without a folder of its own is started. */
  readonly folder: string;
  readonly version: string;
  /** Stands in the environment of a started server, as the id of a call does for a command. */
  readonly marker: string;
  readonly signal: AbortSignal;
  readonly onLeader: (leader: ProcessIdentity) => void;
  /** Undefined for a server that nobody signs in to. */
  readonly signIn: McpDoor | undefined;
  /** The list of tools has become another one. */
  readonly onToolsChanged: () => void;
}

/** The way into a server over HTTP, kept over its connections. */
export interface McpDoor {
  /** May be called twice. */
  close(): Promise<void>;
}

/** Rejects with an `McpStartError` that says what to do. */
export type McpConnect = (options: McpConnectOptions) => Promise<McpConnection>;

/** Says what is wrong with an input; undefined when it fits. */
export type InputCheck = (input: unknown) => string | undefined;

/** What is loaded when a server is named, and not before. */
export interface McpSdk {
  readonly connect: McpConnect;
  /** Undefined for what runs here, and for a server whose `Authorization` stands in mcp.json. */
  readonly doorOf: (config: McpServerConfig, credentials: McpCredentials, onSignedIn: () => void) => McpDoor | undefined;
  /** Never throws, nor does what it returns; `onUnchecked` hears why an input was not checked. */
  readonly inputCheck: (schema: Record<string, unknown>, onUnchecked?: (reason: string) => void) => InputCheck;
}
