import { type EngineConnection, unsentBytes } from './wire.ts';

export interface OutboundBound {
  readonly limitBytes: number;
  onOverflow(waitingBytes: number): void;
}

/**
 * Watches what waits to be sent on one connection. A packet that finds more than the limit already waiting calls `onOverflow`,
 * once. One packet alone may therefore be of any size; memory is bounded by the limit and one packet.
 */
export function guardOutbound(connection: EngineConnection, bound: OutboundBound): void {
  let queued = 0;
  let isOver = false;
  connection.on('packetCreate', (packet: { data?: unknown }) => {
    if (isOver) return;
    const waiting = queued + unsentBytes(connection);
    if (waiting > bound.limitBytes) {
      isOver = true;
      bound.onOverflow(waiting);
      return;
    }
    if (typeof packet.data === 'string') queued += packet.data.length;
  });
  // Engine.IO hands its whole queue to the transport; from there on `unsentBytes` counts it.
  connection.on('flush', () => {
    queued = 0;
  });
}
