import { setTimeout as pause } from 'node:timers/promises';
import { createGate, type LossyProxy, type TendonProcess, within } from '@tendon/testing';
import { journalBytes, type Product, postgresOf } from './product.ts';
import { neverReads } from './silent-client.ts';
import { limitFiles } from './small-disk.ts';

/** Each does its harm and, where that takes time, ends it. What it has ended is started again, here or while the run comes to rest. */
export const FAULTS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  'the server is killed': async (product) => {
    await product.server.end('SIGKILL');
    await bringUp(product);
  },
  'the server is told to end': async (product) => {
    await product.server.end('SIGTERM');
    await bringUp(product);
  },
  'the server is stopped for a moment': ({ server }) => sleeps(server, 1_500),
  'the server is stopped for longer than its lease': ({ server }) => sleeps(server, 12_000),
  'the gateway is killed': async (product) => {
    await product.gateway.end('SIGKILL');
    await bringUp(product);
  },
  'the gateway is told to end': async (product) => {
    await product.gateway.end('SIGTERM');
    await bringUp(product);
  },
  'the gateway is stopped for a moment': ({ gateway }) => sleeps(gateway, 2_000),
  'a backend of PostgreSQL is killed': async ({ server }) => {
    const [backend] = postgresOf(server).backends;
    if (backend !== undefined) process.kill(backend, 'SIGKILL');
  },
  'PostgreSQL is killed': async (product) => {
    const { main } = postgresOf(product.server);
    if (main === undefined) throw new Error("the server's PostgreSQL was not found");
    process.kill(main, 'SIGKILL');
    await within('the server to end without its database', product.server.exited, 20_000);
    await bringUp(product);
  },
  "the gateway's connection is cut": async ({ gatewayLink }) => gatewayLink.cut(),
  "the clients' connections are cut": async ({ clientLink }) => clientLink.cut(),
  "the gateway's connection stalls": ({ gatewayLink }) => stalls(gatewayLink),
  "the clients' connections stall": ({ clientLink }) => stalls(clientLink),
  "the gateway's connection is half-open": ({ gatewayLink }) => halfOpens(gatewayLink),
  "the clients' connections are half-open": ({ clientLink }) => halfOpens(clientLink),
  'everything is late': async ({ gatewayLink, clientLink }) => {
    gatewayLink.delay(80);
    clientLink.delay(80);
    await pause(1_500);
    gatewayLink.resume();
    clientLink.resume();
  },
  'the server cannot be reached by clients': async ({ clientLink }) => {
    await clientLink.refuse();
    await pause(800);
    await clientLink.accept();
  },
  "the server's clock is set": (product) => setsClock(product, 'server'),
  "the machine's clock is set": (product) => setsClock(product, 'gateway'),
  "the machine's disk is full": async (product) => {
    const { gateway, rig, disks } = product;
    disks?.gateway.fill();
    limitFiles(gateway.pid, journalBytes(rig.gatewayHome));
    await pause(1_500);
    disks?.gateway.free();
    limitFiles(gateway.pid, 'unlimited');
  },
  "the database's disk is full": async (product) => {
    product.disks?.server.fill();
    await pause(1_500);
    product.disks?.server.free();
    await untilKnown(product);
    await bringUp(product);
  },
  'a client never reads': async (product) => {
    const end = await neverReads({ url: product.rig.url, key: product.rig.key }, product.sessionIds);
    product.mood = { kind: 'floods' };
    await pause(1_500);
    product.mood = { kind: 'fair' };
    end();
  },
  'the model hangs': async (product) => {
    const gate = createGate();
    product.mood = { kind: 'hangs', gate };
    await pause(1_500);
    product.mood = { kind: 'fair' };
    gate.open();
  },
  'the model breaks off': (product) => isMoody(product, { kind: 'breaks_off' }),
  'the model floods': (product) => isMoody(product, { kind: 'floods' }),
};

/** Faults that this machine cannot be made to have, and why. */
export function impossibleFaults({ disks }: Product): ReadonlyMap<string, string> {
  const full = Object.keys(FAULTS).filter((name) => name.endsWith('disk is full'));
  return new Map(disks ? [] : full.map((name) => [name, 'nobody may mount a file system here']));
}

/** An hour on, two back, and right again. */
async function setsClock(product: Product, whose: 'server' | 'gateway'): Promise<void> {
  for (const offMs of [3_600_000, -3_600_000, 0]) {
    product.setClock(whose, offMs);
    await pause(400);
  }
}

async function isMoody(product: Product, mood: Product['mood']): Promise<void> {
  product.mood = mood;
  await pause(1_500);
  product.mood = { kind: 'fair' };
}

async function sleeps({ pid }: TendonProcess, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await pause(ms);
  process.kill(pid, 'SIGCONT');
}

async function stalls(link: LossyProxy): Promise<void> {
  link.stall();
  await pause(1_500);
  link.resume();
}

async function halfOpens(link: LossyProxy): Promise<void> {
  link.halfOpen('far');
  await pause(300);
  link.resume();
}

/** Until the database writes again, or its server has ended with it. */
async function untilKnown({ rig, server }: Product): Promise<void> {
  const isKnown = async (): Promise<boolean> => {
    if (await hasEnded(server)) return true;
    return rig.sql('create temp table room_again (a int)').then(
      () => true,
      () => false,
    );
  };
  for (const deadline = Date.now() + 20_000; !(await isKnown()); await pause(100))
    if (Date.now() > deadline) throw new Error('the database neither writes again nor ends, although its disk has room');
}

/** Starts what is dead, and says which of them was. The server keeps its port, so both proxies lead to the new one. */
export async function bringUp(product: Product): Promise<readonly ('server' | 'gateway')[]> {
  const [isServerDead, isGatewayDead] = [await hasEnded(product.server), await hasEnded(product.gateway)];
  if (isServerDead) product.server = await product.rig.start();
  if (isGatewayDead) product.gateway = await product.rig.startGateway({ serverUrl: product.gatewayLink.url });
  return [...(isServerDead ? ['server' as const] : []), ...(isGatewayDead ? ['gateway' as const] : [])];
}

function hasEnded(one: TendonProcess): Promise<boolean> {
  return Promise.race([one.exited.then(() => true), pause(1).then(() => false)]);
}
