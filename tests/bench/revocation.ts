import { AgentSocket } from '@tendon/testing';
import { type Figure, figure } from './figures.ts';

/** From the sending of the request that takes a key back until the client's socket, which stands on it, has ended. The way there and back is in it. */
export async function revokedToClosed({ url, key }: { readonly url: string; readonly key: string }, rounds: number): Promise<Figure> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const made = await fetch(`${url}/api/keys`, { method: 'POST', headers, body: JSON.stringify({ name: 'bench: to be revoked' }) });
    const { key: short, id } = (await made.json()) as { key: string; id: string };
    const socket = await AgentSocket.connect({ url, key: short });
    const closed = socket.ended.then(() => performance.now());
    const begun = performance.now();
    const answer = await fetch(`${url}/api/keys/${id}`, { method: 'DELETE', headers });
    if (!answer.ok) throw new Error(`a key could not be revoked: ${answer.status}`);
    times.push((await closed) - begun);
  }
  return figure(times);
}
