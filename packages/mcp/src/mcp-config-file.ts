import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@tendon/protocol';
import { errorCode } from '@tendon/system';
import { type McpConfig, readMcpConfig } from './mcp-config.ts';

const LOOK_MS = 500;
/** An editor that replaces a file moves the old one away, or empties it, for a moment. */
const AGAIN_MS = 250;

export interface McpConfigFileOptions {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  readonly reader: 'gateway' | 'server';
  readonly log: Log;
}

/**
 *   settled ──a look sees another stamp──► changing ──the next look sees the same one──► read ──► settled
 *                                            └──yet another one──► changing
 *
 * It is looked at, and not watched: what watches a folder hears nothing of a file that a link leads to, of a folder that comes later, or over a network.
 */
export class McpConfigFile {
  readonly #options: McpConfigFileOptions;
  readonly #closing = new AbortController();
  #readStamp = '';
  #looking: Promise<void> = Promise.resolve();

  constructor(options: McpConfigFileOptions) {
    this.#options = options;
  }

  async read(): Promise<McpConfig> {
    const { path, env, reader } = this.#options;
    // Taken before: what is written while it is read is another stamp.
    this.#readStamp = await stampOf(path);
    return readMcpConfig(path, env, reader);
  }

  /** Calls `onChange` with what stands there, whenever that has changed, and never twice at once. */
  look(onChange: (config: McpConfig) => Promise<void>): void {
    this.#looking = this.#look(onChange);
  }

  /** May be called twice. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.#looking;
  }

  async #look(onChange: (config: McpConfig) => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    let seen = this.#readStamp;
    while (!signal.aborted) {
      await delay(seen === this.#readStamp ? LOOK_MS : AGAIN_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const stamp = await stampOf(this.#options.path);
      if (stamp === seen && stamp !== this.#readStamp) await this.#changed(onChange);
      seen = stamp;
    }
  }

  async #changed(onChange: (config: McpConfig) => Promise<void>): Promise<void> {
    try {
      const config = await this.read();
      if (!this.#closing.signal.aborted) await onChange(config);
    } catch (error) {
      this.#options.log.error({ err: error }, 'a changed mcp.json could not be taken over: what runs goes on');
    }
  }
}

/** Another one after every change: in place, by another file, of permissions, or of what a link leads to. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return errorCode(error) ?? 'unreadable';
  }
}
