import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ToolResult } from '@tendon/protocol';
import { openBench, type ToolBench, textOf } from '../tools/tool-bench-rig.ts';
import type { BrowserHostOptions } from './browser-host.ts';

/** Real pages on a real server of this machine, and a browser that may open them. */
export interface PageRig extends AsyncDisposable {
  readonly bench: ToolBench;
  readonly url: string;
  readonly port: number;
  /** What the server was asked for, in order: method, path and query. */
  readonly asked: string[];
  run(tool: string, input: unknown, how?: Parameters<ToolBench['run']>[2]): Promise<ToolResult>;
  /** Opens a page of this server and answers with its text. */
  open(path: string): Promise<string>;
}

export type Pages = Readonly<Record<string, string | ((asked: IncomingMessage, answer: ServerResponse) => void)>>;

export async function openPages(pages: Pages, options: Partial<BrowserHostOptions> = {}): Promise<PageRig> {
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    const page = pages[request.url?.split('?')[0] ?? ''];
    if (typeof page === 'function') page(request, answer);
    else answer.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' }).end(page ?? 'Nothing here');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const bench = await openBench({ mode: 'off' }, options);
  bench.allow.push(`localhost:${port}`);
  return {
    bench,
    url: `http://localhost:${port}`,
    port,
    asked,
    run: bench.run,
    open: async (path) => textOf(await bench.run('browser_navigate', { url: `http://localhost:${port}${path}` })),
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What the answers say from `first` on, until it has this in it: what a page does by itself is told with one of the next answers. */
export async function told(rig: PageRig, first: string, wanted: RegExp): Promise<string> {
  let all = first;
  for (let looks = 0; looks < 30 && !wanted.test(all); looks += 1) all += textOf(await rig.run('browser_wait', { ms: 300 }));
  assert.match(all, wanted);
  return all;
}

/** The ref of the first line of a snapshot that begins with this, such as `button "Save"`. */
export function refOf(state: string, head: string): string {
  const line = state.split('\n').find((candidate) => candidate.trim().startsWith(`- ${head}`));
  const ref = /\[ref=((?:f\d+)?e\d+)\]/.exec(line ?? '')?.[1];
  if (ref === undefined) throw new Error(`no ${head} in:\n${state}`);
  return ref;
}
