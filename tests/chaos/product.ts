import { readdirSync, readFileSync } from 'node:fs';
import { AgentClient } from '@tendon/client';
import {
  askedText,
  LossyProxy,
  type ModelRequest,
  type ProcessRig,
  processRig,
  type Reply,
  runs,
  type Step,
  says,
  stampedTokens,
  type TendonProcess,
} from '@tendon/testing';
import type { Random } from '../simulation/random.ts';

/** The real product: server with its PostgreSQL and gateway, each a process, behind two proxies of our own; and the model that it asks. */
export interface Product extends AsyncDisposable {
  readonly rig: ProcessRig;
  readonly gatewayLink: LossyProxy;
  readonly clientLink: LossyProxy;
  server: TendonProcess;
  gateway: TendonProcess;
  /** What the model does next is drawn from here. */
  random: Random;
  /** A client of the owner, through its proxy. */
  connect(name: string): AgentClient;
}

export async function startProduct(random: Random): Promise<Product> {
  await using stack = new AsyncDisposableStack();
  const clientLink = stack.use(await LossyProxy.start({ port: 1 }));
  const rig = stack.use(await processRig({ env: { TENDON_PUBLIC_URL: clientLink.url } }));
  const server = await rig.start();
  // The server's door lets in its own port by name: on the other loopback address that is a place for a second proxy.
  const gatewayLink = stack.use(await LossyProxy.start({ port: server.port }, { host: '::1', port: server.port }));
  clientLink.aim(server.port);
  const gateway = await rig.startGateway({ serverUrl: gatewayLink.url });
  const clients = new Set<AgentClient>();
  stack.defer(() => clients.forEach((client) => void client.close()));
  const kept = stack.move();
  const product: Product = {
    ...{ rig, gatewayLink, clientLink, server, gateway, random },
    connect: (name) => {
      const client = new AgentClient({ url: clientLink.url, client: { name, version: '1.0.0' }, token: rig.key });
      clients.add(client);
      return client;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
  rig.model.otherwise((request) => answerTo(request, product.random));
  return product;
}

/** `run COMMAND` asks for it; `tell` streams, and may be cut, broken off or flooded; a result of a tool gets a word. */
function answerTo(request: ModelRequest, random: Random): Reply | readonly Step[] {
  const text = askedText(request);
  if (text.startsWith('run ')) return [runs(text.slice(4))];
  if (!text.startsWith('tell')) return says('Done.');
  const kind = random.below(10);
  if (kind === 0) return [stampedTokens(10, 10), { do: 'cut' }];
  if (kind === 1) return [stampedTokens(10, 10), { do: 'error', message: 'overloaded' }];
  if (kind === 2) return [stampedTokens(2_000, 0)];
  return [stampedTokens(60, 10)];
}

/** The processes that PostgreSQL's main process has for its connections, and that process itself. */
export function postgresOf(server: TendonProcess): { main: number | undefined; backends: number[] } {
  const main = childrenOf(server.pid).find((pid) => /postgres\0?/.test(commandOf(pid)) && !commandOf(pid).startsWith('/bin/sh'));
  return { main, backends: main === undefined ? [] : childrenOf(main).filter((pid) => /^postgres: tendon /.test(commandOf(pid))) };
}

function childrenOf(parent: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => /^\d+ \(.*\) \S (\d+)/s.exec(read(`/proc/${pid}/stat`))?.[1] === String(parent));
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
