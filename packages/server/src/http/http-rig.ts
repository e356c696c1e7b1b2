import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect as dial } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@tendon/testing';
import { type AuthRig, authRig } from '../auth/auth-rig.ts';
import type { ProviderConfig } from '../config.ts';
import { type PlaceLimits, Places } from '../crowd/places.ts';
import { Refusals } from '../refusals.ts';
import { Keyring } from '../secrets/keyring.ts';
import { type OpenSecrets, openSecrets } from '../secrets/open-secrets.ts';
import { openProviderDesk } from '../secrets/provider-desk.ts';
import { createHttp } from './create-http.ts';
import type { CredentialPace } from './credential-pace.ts';
import { Entrance, type EntranceLimits } from './entrance.ts';
import { createMetrics } from './metrics.ts';
import { OF_PEOPLE, type Patience, UnderWay } from './under-way.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The HTTP server on a real port with real auth and a small built page. For tests. */
export interface HttpRig extends AsyncDisposable {
  readonly auth: AuthRig;
  readonly secrets: OpenSecrets;
  /** What the models were last told. */
  readonly providers: () => ProviderConfig;
  readonly port: number;
  readonly origin: string;
  readonly webRoot: string;
  readonly entrance: Entrance;
  readonly underWay: UnderWay;
  readonly refusals: Refusals;
  readonly readiness: { ok: boolean };
  /** One request; `headers` go out as they are, beside a right `Host`. */
  ask(method: string, path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, headers: Record<string, string>, body: string): Promise<Answer>;
  /** Sends raw bytes and returns all that comes back until the end. */
  raw(text: string): Promise<string>;
}

export const PAGE = '<!doctype html><title>Tendon</title><div id="root"></div>';
export const SCRIPT = `console.log(${JSON.stringify('x'.repeat(5_000))})`;

/** Tests ask more in a second than people do, and a busy machine takes its time to answer all of it. */
const ALL_AT_ONCE: Partial<EntranceLimits> = { burst: 100_000 };
const PATIENTLY: Partial<PlaceLimits> = { waitMs: 60_000 };

interface Paces {
  readonly limits?: Partial<EntranceLimits>;
  readonly pace?: CredentialPace;
  readonly places?: Partial<PlaceLimits>;
  readonly people?: Partial<PlaceLimits>;
  readonly patience?: Partial<Patience>;
}

/** `environment`: the keys of providers that are set from the outside. */
export async function httpRig(
  config: Parameters<typeof authRig>[0] = {},
  environment: ProviderConfig = {},
  { limits = ALL_AT_ONCE, pace, places, people, patience }: Paces = {},
): Promise<HttpRig> {
  const folder = await temporaryFolder();
  const webRoot = join(folder.path, 'dist');
  await mkdir(join(webRoot, 'assets'), { recursive: true });
  await writeFile(join(folder.path, 'secret.txt'), 'outside');
  await writeFile(join(webRoot, 'index.html'), PAGE);
  await writeFile(join(webRoot, 'assets', 'app-1a2b3c.js'), SCRIPT);
  await writeFile(join(webRoot, 'icon.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47]));
  const auth = await authRig({ publicUrl: undefined, ...config }, 0);
  let providers = environment;
  const secrets = await openSecrets({
    ...{ pool: auth.database.pool, keyring: new Keyring(randomBytes(32)), sharedUrl: undefined, environment, log: auth.log },
    onProvidersChanged: (changed) => {
      providers = changed;
    },
  });
  const readiness = { ok: true };
  const refusals = new Refusals();
  const entrance = new Entrance({ addressOf: auth.door.addressOf, log: auth.log, limits });
  const underWay = new UnderWay({ addressOf: auth.door.addressOf, log: auth.log, limits: { ...PATIENTLY, ...places }, ...(patience && { patience }) });
  const server = createHttp({
    door: auth.door,
    entrance,
    underWay,
    ...(pace && { pace }),
    people: new Places({ ...OF_PEOPLE, ...PATIENTLY, ...people }),
    auth: auth.auth,
    providers: openProviderDesk(auth.auth, secrets, () => auth.clock.now),
    webRoot,
    readiness: async () => ({ ok: readiness.ok, checks: { database: readiness.ok ? 'ok' : 'cannot be reached' } }),
    metrics: createMetrics([{ name: 'tendon_test', help: 'A test.', read: () => 7 }]),
    refusals,
    log: auth.log,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    auth,
    secrets,
    providers: () => providers,
    port,
    origin: `http://127.0.0.1:${port}`,
    webRoot,
    entrance,
    underWay,
    refusals,
    readiness,
    ask: (method, path, headers = {}) => ask({ port, method, path, headers, body: undefined }),
    post: (path, headers, body) => ask({ port, method: 'POST', path, headers, body }),
    raw: (text) => raw(port, text),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await secrets.close();
      await auth[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A credential in the clear, for addresses, as base64, base64url and hex, and as its hash (SHA-256, in three ways to write one). */
export function spellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hash = createHash('sha256').update(secret).digest();
  const plain = [secret, encodeURIComponent(secret), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url'), bytes.toString('hex')];
  return [...plain, hash.toString('hex'), hash.toString('base64'), hash.toString('base64url')];
}

function ask(options: { port: number; method: string; path: string; headers: Record<string, string>; body: string | undefined }): Promise<Answer> {
  const { port, method, path, headers, body } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dial({ host: '127.0.0.1', port });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(text);
  });
}
