import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One message of the client, and the answer to it. */
export interface Ask {
  readonly method: string;
  readonly id: number | undefined;
  readonly params: Record<string, unknown>;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface RawServer extends AsyncDisposable {
  readonly origin: string;
  readonly url: string;
  /** The methods that were asked for, and `GET` for each stream. */
  readonly asked: string[];
}

export const result = ({ response, id }: Ask, value: unknown): unknown =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result: value }));

export const events = ({ response }: Ask): ServerResponse => response.writeHead(200, { 'content-type': 'text/event-stream' });

export const TOOL = { name: 'go', description: 'Goes.', inputSchema: { type: 'object' } };

/** A server over HTTP that answers as the protocol wants, but for what `odd` has answered: then it answers with anything but undefined. */
export async function startRawServer(odd: (ask: Ask) => unknown): Promise<RawServer> {
  const asked: string[] = [];
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method = request.method ?? '', id, params = {} } = (text === '' ? {} : JSON.parse(text)) as Partial<Ask>;
    const ask: Ask = { method, id, params, request, response };
    asked.push(method);
    if ((await odd(ask)) !== undefined) return;
    if (method === 'initialize')
      result(ask, {
        protocolVersion: '2025-11-25',
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'raw', version: '1' },
      });
    else if (method === 'tools/list') result(ask, { tools: [TOOL] });
    else if (method === 'tools/call') result(ask, { content: [{ type: 'text', text: 'went' }] });
    else response.writeHead(method.startsWith('notifications/') ? 202 : 405).end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    ...{ origin, url: `${origin}/mcp`, asked },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise<void>((resolve) => void http.close(() => resolve()));
    },
  };
}
