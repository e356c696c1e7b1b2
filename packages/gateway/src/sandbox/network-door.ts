import { createServer } from 'node:net';

/**
 * Runs alone in a new network without a way out, and hands what it listens with to the gateway: a socket stays in the network that it was
 * made in, whoever accepts from it. The gateway has taken hold of the network by then, and lets this end.
 */
const door = createServer();
door.listen(0, '127.0.0.1', () => process.send?.({ pid: process.pid }, door));
process.once('disconnect', () => process.exit());
