import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AgentClient } from '@tendon/client';
import {
  argumentsOf,
  askedText,
  childrenOf,
  type Gate,
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
  temporaryFolder,
  waitsFor,
} from '@tendon/testing';
import type { Random } from '../simulation/random.ts';
import { type SmallDisk, smallDisk } from './small-disk.ts';

/** What answers of the model are like while this lasts, whatever was asked. `hangs`: they stand still in the middle until the gate opens. */
export type ModelMood = { readonly kind: 'fair' | 'breaks_off' | 'floods' } | { readonly kind: 'hangs'; readonly gate: Gate };

/** Room for the database with all it keeps of its log, and for a gateway's journal. */
const SERVER_DISK_MB = 800;
const GATEWAY_DISK_MB = 64;

/** The real product: server with its PostgreSQL and gateway, each a process, behind two proxies of our own; and the model that it asks. */
export interface Product extends AsyncDisposable {
  readonly rig: ProcessRig;
  readonly gatewayLink: LossyProxy;
  readonly clientLink: LossyProxy;
  server: TendonProcess;
  gateway: TendonProcess;
  /** What the model does next is drawn from here. */
  random: Random;
  mood: ModelMood;
  /** Of the run that is played. */
  sessionIds: readonly string[];
  /** The folders of server and gateway, each a file system of its own. Undefined where nobody may mount one. */
  readonly disks: { readonly server: SmallDisk; readonly gateway: SmallDisk } | undefined;
  /** Sets the wall clock of one of them off by so many milliseconds. */
  setClock(whose: 'server' | 'gateway', offMs: number): void;
  /** A client of the owner, through its proxy. */
  connect(name: string): AgentClient;
}

export async function startProduct(random: Random): Promise<Product> {
  await using stack = new AsyncDisposableStack();
  const clientLink = stack.use(await LossyProxy.start({ port: 1 }));
  const clock = join(stack.use(await temporaryFolder()).path, 'clock');
  const env = {
    TENDON_PUBLIC_URL: clientLink.url,
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'arm-clock.ts')).href}`,
    TENDON_TEST_CLOCK: clock,
  };
  const rig = stack.use(await processRig({ env }));
  const disks = mountDisks(rig, stack);
  const server = await rig.start();
  // The server's door lets in its own port by name: on the other loopback address that is a place for a second proxy.
  const gatewayLink = stack.use(await LossyProxy.start({ port: server.port }, { host: '::1', port: server.port }));
  clientLink.aim(server.port);
  const gateway = await rig.startGateway({ serverUrl: gatewayLink.url });
  const clients = new Set<AgentClient>();
  stack.defer(() => clients.forEach((client) => void client.close()));
  const kept = stack.move();
  const product: Product = {
    ...{ rig, gatewayLink, clientLink, server, gateway, random, disks, mood: { kind: 'fair' }, sessionIds: [] },
    setClock: (whose, offMs) => writeFileSync(`${clock}.${whose}`, String(offMs)),
    connect: (name) => {
      const client = new AgentClient({ url: clientLink.url, client: { name, version: '1.0.0' }, token: rig.key });
      clients.add(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      // Before their file systems go.
      await Promise.allSettled([product.gateway.end('SIGTERM'), product.server.end('SIGTERM')]);
      await kept.disposeAsync();
    },
  };
  rig.model.otherwise((request) => answerTo(request, product));
  return product;
}

function mountDisks(rig: ProcessRig, stack: AsyncDisposableStack): Product['disks'] {
  const server = smallDisk(rig.home, SERVER_DISK_MB);
  if (!server) return undefined;
  stack.defer(() => server.unmount());
  const gateway = smallDisk(rig.gatewayHome, GATEWAY_DISK_MB);
  if (!gateway) return undefined;
  stack.defer(() => gateway.unmount());
  return { server, gateway };
}

/** `run COMMAND` asks for it; `tell` streams, and may be cut, broken off or flooded; a result of a tool gets a word. */
function answerTo(request: ModelRequest, { random, mood }: Product): Reply | readonly Step[] {
  if (mood.kind === 'hangs') return [stampedTokens(5, 5), waitsFor(mood.gate), stampedTokens(5, 5)];
  if (mood.kind === 'breaks_off') return [stampedTokens(random.below(10), 5), { do: random.chance(0.5) ? 'cut' : 'end' }];
  if (mood.kind === 'floods') return [stampedTokens(4_000, 0)];
  const text = askedText(request);
  if (text.startsWith('run ')) return [runs(text.slice(4))];
  if (!text.startsWith('tell')) return says('Done.');
  const kind = random.below(10);
  if (kind === 0) return [stampedTokens(10, 10), { do: 'cut' }];
  if (kind === 1) return [stampedTokens(10, 10), { do: 'error', message: 'overloaded' }];
  if (kind === 2) return [stampedTokens(2_000, 0)];
  return [stampedTokens(60, 10)];
}

/** How long the journal of the gateway with this home is. */
export function journalBytes(home: string): number {
  const path = readdirSync(home, { recursive: true, encoding: 'utf8' }).find((name) => basename(name) === 'journal');
  return path === undefined ? 0 : statSync(join(home, path)).size;
}

/** The processes that PostgreSQL's main process has for its connections, and that process itself. */
export function postgresOf(server: TendonProcess): { main: number | undefined; backends: number[] } {
  const main = childrenOf(server.pid).find((pid) => argumentsOf(pid)[0]?.endsWith('postgres'));
  return { main, backends: main === undefined ? [] : childrenOf(main).filter((pid) => argumentsOf(pid)[0]?.startsWith('postgres: tendon ')) };
}
