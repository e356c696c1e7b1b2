/** As over stdio: more than this is no message of a server that means well. */
const MAX_BYTES = 10 * 1024 * 1024;

/**
 * A server's answer with a bound on what it makes this process keep: in all, or, for a stream of events, in one event. What is over it ends the
 * body with an error. The SDK and `fetch` have none.
 */
export function boundedBody(response: Response, maxBytes = MAX_BYTES): Response {
  if (response.body === null) return response;
  const isEvents = /^\s*text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
  const count = isEvents ? eventCounter() : totalCounter();
  const bound = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (count(chunk) > maxBytes) controller.error(new Error(`it sent more than ${maxBytes} bytes in one message`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers, url } = response;
  // The SDK reads from it where a redirect leads.
  return Object.defineProperty(new Response(response.body.pipeThrough(bound), { status, statusText, headers }), 'url', { value: url });
}

/** The bytes so far, counted with each chunk. */
type Counter = (chunk: Uint8Array) => number;

function totalCounter(): Counter {
  let total = 0;
  return (chunk) => {
    total += chunk.byteLength;
    return total;
  };
}

const NEW_LINE = 10;
const RETURN = 13;

/** The most bytes that lie without an empty line between them, which ends an event: up to the end of each chunk. */
function eventCounter(): Counter {
  let bytes = 0;
  let before = NEW_LINE;
  let isLineEmpty = true;
  return (chunk) => {
    let most = 0;
    for (const byte of chunk) {
      const isSecondHalf = byte === NEW_LINE && before === RETURN;
      before = byte;
      if (isSecondHalf) continue;
      const isEnd = byte === NEW_LINE || byte === RETURN;
      if (isEnd && isLineEmpty) bytes = 0;
      else bytes += 1;
      isLineEmpty = isEnd;
      if (bytes > most) most = bytes;
    }
    return most;
  };
}
