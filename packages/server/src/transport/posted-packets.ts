import type { ServerResponse } from 'node:http';
import type { EngineConnection } from './wire.ts';

/*
 * What a polling client posts is one body of any number of packets. Engine.IO would read and hand on all of them in one turn of the event loop,
 * in which nobody else is answered:
 *
 *   body ── more packets than may come ──► flooded: none of it is read
 *     └── a few packets in each turn of the event loop ──► all read ──► the post is answered, and the client may send the next one
 */

/** The parts of Engine.IO's polling transport that are looked at. */
interface PollingTransport {
  readonly name: string;
  readonly readyState: string;
  readonly dataRes: ServerResponse | null;
  onData(body: string): void;
}

/** Packets of one body that are handled in one turn. */
const AT_ONCE = 50;
/** More than anybody may send: nothing is counted further. */
const ENOUGH = 10_000;
const SEPARATOR = '\u001e';

/**
 * Reads what this connection posts a few packets at a time. Before that `mayRead` is asked about all that it would have unread; when it says no,
 * it ends the connection. Nothing to do for one that began as a WebSocket.
 */
export function readInSlices(connection: EngineConnection, mayRead: (packets: number) => boolean): void {
  const transport = connection.transport as unknown as PollingTransport;
  if (transport.name !== 'polling') return;
  const read = transport.onData.bind(transport);
  let unread = 0;
  transport.onData = (body) => {
    const count = packetsOf(body);
    if (!mayRead(unread + count)) return;
    if (count <= AT_ONCE && unread === 0) {
      read(body);
      return;
    }
    const answer = holdAnswer(transport.dataRes);
    const packets = body.split(SEPARATOR);
    unread += count;
    const readOn = (): void => {
      const slice = packets.splice(0, AT_ONCE);
      unread -= slice.length;
      if (transport.readyState === 'open') read(slice.join(SEPARATOR));
      if (packets.length > 0) setImmediate(readOn);
      else answer();
    };
    setImmediate(readOn);
  };
}

function packetsOf(body: string): number {
  let count = 1;
  for (let at = body.indexOf(SEPARATOR); at !== -1 && count < ENOUGH; at = body.indexOf(SEPARATOR, at + 1)) count += 1;
  return count;
}

/** Keeps the answer to a post back until it is called: with it the client would send the next one, or go over to a WebSocket. */
function holdAnswer(response: ServerResponse | null): () => void {
  if (!response) return () => undefined;
  const end = response.end.bind(response) as (body?: unknown) => ServerResponse;
  let body: unknown;
  response.end = ((given: unknown) => {
    body = given;
    return response;
  }) as ServerResponse['end'];
  return () => {
    response.end = end as ServerResponse['end'];
    if (!response.destroyed) end(body);
  };
}
