import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join, relative } from 'node:path';
import {
  allPids,
  argumentsOf,
  childrenOf,
  type IdentityProviderRig,
  identityProviderRig,
  queryOnce,
  ScriptedModel,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  testDatabase,
  within,
} from '@tendon/testing';
import type { Canary, Place } from './canary-hunt.ts';
import { Tap } from './tap.ts';

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.js');

/** Of no form that the log cuts out by itself, so that nothing but care keeps it back. */
export function secret(): string {
  return `c4n4ry${randomBytes(18).toString('hex')}`;
}

/** As people choose them: with signs that every encoding spells in its own way. */
export function passphrase(): string {
  return `pâss "wörd" & ${randomBytes(12).toString('hex')}`;
}

export const MACHINE_NAME = `machine-${secret()}`;

/** What the whole product is configured with. */
export const CONFIGURED = {
  ownerKey: secret(),
  secretKey: randomBytes(32),
  databasePassword: passphrase(),
  redisPassword: secret(),
  clientSecret: secret(),
  compatibleKey: secret(),
  anthropicKey: secret(),
  openaiKey: secret(),
  environment: secret(),
};

/** The whole product as processes, behind taps, with what can be looked through afterwards. */
export interface CanaryRig extends AsyncDisposable {
  readonly product: TendonProcess;
  readonly model: ScriptedModel;
  readonly provider: IdentityProviderRig;
  readonly workspace: string;
  readonly front: Tap;
  readonly canaries: Canary[];
  /** Hunts for this, too. Answers with it. */
  hide(name: string, value: string | undefined): string;
  /** A machine with a page of its own, which is not paired yet. */
  startMachine(): Promise<TendonProcess>;
  /** Any command with these settings, to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** What this process sees of the environment of the gateway that the product started. */
  noteChild(): number;
  /** Passes the server: one statement at its database. */
  sql(text: string): Promise<unknown>;
  /** Keeps what somebody was sent past the taps. */
  keep(place: string, text: string): void;
  /** Everything, by name. Ends the processes. */
  places(): Promise<Place[]>;
  readonly homes: Readonly<Record<'server' | 'machine', string>>;
}

export async function canaryRig(): Promise<CanaryRig> {
  await using stack = new AsyncDisposableStack();
  const paths: string[] = [];
  for (let left = 4; left > 0; left -= 1) paths.push(stack.use(await temporaryFolder()).path);
  const [serverHome = '', machineHome = '', workspace = '', scratch = ''] = paths;
  const model = stack.use(await ScriptedModel.start());
  const database = stack.use(await testDatabase());
  const provider = stack.use(await identityProviderRig({ clientSecret: CONFIGURED.clientSecret }));
  const front = stack.use(await Tap.start());
  provider.serve(front.url);
  const canaries: Canary[] = configuredCanaries();
  const kept = new Map<string, string[]>();
  const keep = (place: string, text: string): void => void kept.set(place, [...(kept.get(place) ?? []), text]);
  const env = {
    ...{ TENDON_LOG_LEVEL: 'trace', AWS_SECRET_ACCESS_KEY: CONFIGURED.environment, TENDON_COMPATIBLE_KEY: CONFIGURED.compatibleKey },
    ...{ OPENAI_API_KEY: CONFIGURED.openaiKey, ANTHROPIC_API_KEY: CONFIGURED.anthropicKey },
    ...{ TENDON_COMPATIBLE_URL: model.url, ANTHROPIC_BASE_URL: model.url, OPENAI_BASE_URL: model.url, TENDON_MODEL: 'compatible/scripted' },
    ...{
      TENDON_HOME: serverHome,
      TENDON_WORKSPACE: workspace,
      TENDON_PORT: '0',
      TENDON_PUBLIC_URL: front.url,
      TENDON_DESKTOP: 'on',
      TENDON_TRUSTED_PROXIES: '127.0.0.1',
    },
    ...{ TENDON_OWNER_KEY: CONFIGURED.ownerKey, TENDON_SECRET_KEY: CONFIGURED.secretKey.toString('base64') },
    ...{ TENDON_DATABASE_URL: withPassword(database.url), TENDON_REDIS_URL: `redis://:${CONFIGURED.redisPassword}@127.0.0.1:1` },
    ...{
      TENDON_OIDC_ISSUER: provider.issuer,
      TENDON_OIDC_CLIENT_ID: provider.config.clientId,
      TENDON_OIDC_CLIENT_SECRET: CONFIGURED.clientSecret,
      TENDON_OIDC_NAME: MACHINE_NAME,
      TENDON_JWT_ISSUER: provider.issuer,
      TENDON_JWT_AUDIENCE: provider.api.audience,
      TENDON_JWT_JWKS_URL: provider.api.jwksUrl,
      TENDON_JWT_SIGN_UP: 'on',
    },
  };
  const watch = watchArguments();
  stack.defer(() => void watch.end());
  const product = stack.use(await startTendon({ args: ['start', '--no-open'], env, scratch }));
  front.aim(product.port);
  const machines = stack.adopt(new Set<TendonProcess>(), async (all) => void (await Promise.all([...all].map((one) => one[Symbol.asyncDispose]()))));
  const done = stack.move();
  return {
    ...{ product, model, provider, workspace, front, canaries, keep, homes: { server: serverHome, machine: machineHome } },
    hide: (name, value) => {
      if (value === undefined || value === '') throw new Error(`there is no ${name} to hunt for`);
      canaries.push({ name, value });
      return value;
    },
    startMachine: async () => {
      const machineEnv = { TENDON_LOG_LEVEL: 'trace', TENDON_HOME: machineHome, TENDON_RELAY_PORT: '0', AWS_SECRET_ACCESS_KEY: CONFIGURED.environment };
      const args = ['gateway', '--relay', '--server', front.url, '--workspace', workspace, '--name', MACHINE_NAME];
      const machine = await startTendon({ args, env: machineEnv, scratch });
      machines.add(machine);
      return machine;
    },
    run: async (args, more = {}) => {
      const output = await runToEnd(args, { ...env, ...more });
      keep('what commands print', output);
      return output;
    },
    noteChild: () => {
      const pid = gatewayOf(product.pid);
      keep('the environment of the gateway', readFileSync(`/proc/${pid}/environ`, 'utf8'));
      return pid;
    },
    sql: (text) => queryOnce(database.url, text),
    places: async () => {
      keep('the database', await dump(database.url));
      await Promise.all([...machines, product].map((one) => one.end('SIGTERM')));
      keep('what the server prints', product.output());
      for (const machine of machines) keep('what the machine prints', machine.output());
      keep('what the model is asked', JSON.stringify(model.requests.map(({ body }) => body)));
      keep('the arguments of processes', watch.end());
      const texts = [...kept].map(([name, list]) => ({ name, bytes: Buffer.from(list.join('\n')) }));
      return [...texts, { name: 'what the server answers', bytes: front.heard }, ...(await filesOf(serverHome)), ...(await filesOf(machineHome))];
    },
    [Symbol.asyncDispose]: () => done.disposeAsync(),
  };
}

function configuredCanaries(): Canary[] {
  const { secretKey, ...texts } = CONFIGURED;
  return [
    ...Object.entries(texts).map(([name, value]) => ({ name, value })),
    { name: 'secretKey', value: secretKey },
    { name: 'secretKey', value: secretKey.toString('base64') },
  ];
}

function withPassword(url: string): string {
  const changed = new URL(url);
  changed.password = CONFIGURED.databasePassword;
  return changed.href;
}

/** Every row of every table, as text. */
async function dump(url: string): Promise<string> {
  const tables = await queryOnce<{ name: string }>(
    url,
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`,
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => [name, await queryOnce<{ row: string }>(url, `select row_to_json(one)::text as row from ${name} as one`)] as const),
  );
  return rows.map(([name, list]) => `${name}\n${list.map(({ row }) => row).join('\n')}`).join('\n');
}

/** Every file, under its path; what is open to others is called so. */
async function filesOf(home: string): Promise<Place[]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (path) => {
      const isOpen = ((await stat(path)).mode & 0o077) !== 0;
      return {
        name: `${isOpen ? 'the OPEN file' : 'the file'} ${relative(home, path)
          .replace(/_\d+-[0-9a-f-]{36}/, '_PORT-ID')
          .replace(MACHINE_NAME, 'NAME')}`,
        bytes: await readFile(path),
      };
    }),
  );
}

/** The command lines of everything that runs on this machine, looked at many times. */
function watchArguments(): { end(): string } {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of allPids()) seen.add(argumentsOf(pid).join(' '));
  };
  const timer = setInterval(look, 100);
  return {
    end: () => {
      clearInterval(timer);
      return [...seen].join('\n');
    },
  };
}

function gatewayOf(parent: number): number {
  const found = childrenOf(parent).find((pid) => argumentsOf(pid).includes('gateway'));
  if (found === undefined) throw new Error('the product has no gateway');
  return found;
}

async function runToEnd(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await within(`the end of tendon ${args.join(' ')}`, new Promise((resolve) => child.once('close', resolve)), 30_000);
  return output;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let strangers = 0;

/** As from an address of its own, so that no limit keeps a credential from being looked at. */
export function fromElsewhere(): Record<string, string> {
  strangers += 1;
  return { 'X-Forwarded-For': `10.0.${strangers >> 8}.${strangers & 255}` };
}

/** One request with these headers as they are, `Host` included. */
export function ask(address: string, options: { method?: string; headers?: Readonly<Record<string, string>>; body?: unknown } = {}): Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(address);
  return new Promise((resolve, reject) => {
    const headers = { ...fromElsewhere(), ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }), ...options.headers };
    const sent = request(
      { hostname, port, path: pathname + search, method: options.method ?? (options.body === undefined ? 'GET' : 'POST'), headers, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    sent.on('error', reject);
    sent.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  });
}

/** The value of a cookie that an answer sets. */
export function cookieOf({ headers }: Answer, part: string): { readonly pair: string; readonly value: string } {
  const pair = headers['set-cookie']?.find((line) => line.includes(part))?.split(';')[0];
  if (pair === undefined) throw new Error(`no cookie ${part} was set`);
  return { pair, value: pair.slice(pair.indexOf('=') + 1) };
}

/** What the product has made for itself: the key of its own gateway, and what its commands ask it with. */
export function ownKeys(home: string): { readonly gatewayKey: string; readonly controlKey: string } {
  const { key } = JSON.parse(readFileSync(join(home, 'gateway', 'credential.json'), 'utf8')) as { key: string };
  const { controlKey } = JSON.parse(readFileSync(join(home, 'run', 'server.json'), 'utf8')) as { controlKey: string };
  return { gatewayKey: key, controlKey };
}

/** What the pairing of a machine has left on its disk. */
export function pairedKeys(home: string): { key: string; relayKey: string } {
  const folder = join(home, 'gateway', 'paired');
  const [name = ''] = existsSync(folder) ? readdirSync(folder) : [];
  const path = join(folder, name);
  if (!statSync(path).isFile()) throw new Error('the machine was not paired');
  return JSON.parse(readFileSync(path, 'utf8')) as { key: string; relayKey: string };
}
