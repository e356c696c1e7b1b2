import { once } from 'node:events';
import type { Socket as TcpSocket } from 'node:net';
import { AGENT_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { io } from 'socket.io-client';

/** A signed-in client that attaches to these sessions and from then on takes nothing off its socket. The answer ends it. */
export async function neverReads(at: { readonly url: string; readonly key: string }, sessionIds: readonly string[]): Promise<() => void> {
  const socket = io(new URL(AGENT_NAMESPACE, at.url).href, {
    path: SOCKET_PATH,
    auth: { protocol: PROTOCOL_VERSION, token: at.key, client: { name: 'silent', version: '1.0.0' } },
    reconnection: false,
    forceNew: true,
    transports: ['websocket'],
  });
  await once(socket as unknown as NodeJS.EventEmitter, 'connect');
  for (const sessionId of sessionIds) await socket.timeout(5_000).emitWithAck('session:attach', { sessionId });
  // The types hide it, and nothing else can stop reading.
  const { ws } = socket.io.engine.transport as unknown as { ws: { _socket: TcpSocket; terminate(): void } };
  ws._socket.pause();
  return () => ws.terminate();
}
