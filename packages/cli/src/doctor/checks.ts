import { existsSync } from 'node:fs';
import { access, constants, statfs } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { join } from 'node:path';
import type { Config, LoadedConfig } from '@tendon/server/settings';
import { runningServer } from '../home-lock.ts';
import { WEB_ROOT } from '../web-build.ts';
import type { Finding } from './finding.ts';
import { checkMcp } from './mcp-check.ts';
import { checkPolicy } from './policy-check.ts';
import { firstLine } from './programs.ts';
import { checkRefusals } from './refusal-check.ts';
import { askServer, checkSecrets, type ServerFacts } from './server-facts.ts';
import { checkTerminals } from './terminal-check.ts';

/** Every check; each fails by itself and tells, so that one broken thing does not hide another. */
export async function checkAll(loaded: LoadedConfig): Promise<readonly Finding[]> {
  if (!loaded.ok) {
    const faults = loaded.faults.map((fault): Finding => ({ subject: 'settings', state: 'broken', detail: fault }));
    return [checkNode(), ...faults, await checkSearch(), await checkSandbox(), await checkTerminals(), await checkBrowser()];
  }
  const { config } = loaded;
  const facts = await askServer(config);
  return [
    checkNode(),
    { subject: 'settings', state: 'ok', detail: 'every value is valid' },
    await checkHome(config),
    await checkPort(config),
    await checkDatabase(config),
    checkRedis(config),
    checkSecrets(facts),
    await checkModel(config, facts),
    checkWeb(),
    await checkSearch(),
    await checkSandbox(),
    await checkTerminals(),
    await checkBrowser(),
    ...(await checkMcp(config.home, process.env)),
    ...(await checkPolicy(config.home)),
    ...(await checkRefusals(config.home)),
  ];
}

function checkNode(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  const detail = `${process.versions.node} (${process.platform} ${process.arch})`;
  return major >= 24
    ? { subject: 'node', state: 'ok', detail }
    : { subject: 'node', state: 'broken', detail, mend: 'Tendon needs Node 24: run "npm ci", then use npx tendon or npm start.' };
}

/** What a start writes, with a database of its own. */
const ROOM_MIB = 100;

async function checkHome(config: Config): Promise<Finding> {
  const fault = await homeFault(config.home);
  if (fault) return { subject: 'home', state: 'broken', ...fault };
  const running = runningServer(config.home);
  return {
    subject: 'home',
    state: 'ok',
    detail: running?.url === undefined ? `${config.home}, no server runs on it` : `${config.home}, a server runs at ${running.url} (process ${running.pid})`,
  };
}

async function homeFault(home: string): Promise<Pick<Finding, 'detail' | 'mend'> | undefined> {
  try {
    await access(home, constants.W_OK);
    const { bavail, bsize } = await statfs(home);
    const freeMib = Math.floor((bavail * bsize) / 2 ** 20);
    if (freeMib >= ROOM_MIB) return undefined;
    return {
      detail: `the disk of ${home} has only ${freeMib} MiB left`,
      mend: 'Free some space there, or give a folder on another disk (TENDON_HOME, --home).',
    };
  } catch (error) {
    return {
      detail: `${home} cannot be written (${(error as NodeJS.ErrnoException).code})`,
      mend: 'Give a folder that you may write to (TENDON_HOME, --home).',
    };
  }
}

async function checkPort(config: Config): Promise<Finding> {
  const subject = 'port';
  if (runningServer(config.home)) return { subject, state: 'ok', detail: 'in use by the server of this home' };
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
    probe.listen({ host: config.host, port: config.port }, () => probe.close(() => resolve(undefined)));
  });
  if (code === undefined) return { subject, state: 'ok', detail: `${config.host}:${config.port} is free` };
  return {
    subject,
    state: 'broken',
    detail: `${config.host}:${config.port} cannot be used (${code})`,
    mend: 'Stop the program that uses it, or set TENDON_PORT (0 picks a free one) or TENDON_HOST.',
  };
}

async function checkDatabase(config: Config): Promise<Finding> {
  const subject = 'database';
  if (config.databaseUrl === undefined) {
    const path = join(config.home, 'db');
    return {
      subject,
      state: 'ok',
      detail: existsSync(path) ? `embedded PostgreSQL, data in ${path}` : `embedded PostgreSQL, made in ${path} at the first start`,
    };
  }
  const { hostname, port } = new URL(config.databaseUrl);
  const address = `${hostname || 'localhost'}:${port || '5432'}`;
  const isThere = await canConnect(hostname.replace(/^\[|\]$/g, '') || 'localhost', Number(port || 5432));
  if (isThere) return { subject, state: 'ok', detail: `something answers at ${address}` };
  return {
    subject,
    state: 'broken',
    detail: `nothing answers at ${address}`,
    mend: 'Start that PostgreSQL, or mend TENDON_DATABASE_URL, or take it away to use our own.',
  };
}

function checkRedis(config: Config): Finding {
  return { subject: 'redis', state: 'ok', detail: config.redisUrl === undefined ? 'not used' : 'TENDON_REDIS_URL is set, and this version does not use it' };
}

async function checkModel(config: Config, facts: ServerFacts): Promise<Finding> {
  const subject = 'model';
  if (config.model !== undefined && config.model !== 'demo') {
    const provider = config.model.split('/')[0] ?? '';
    const missing = missingKey(config, provider);
    if (missing === undefined) return { subject, state: 'ok', detail: config.model };
    if (isStored(facts, provider)) return { subject, state: 'ok', detail: `${config.model}, with the key that was entered on the page Models` };
    const mend = `Enter its key on the page Models, set ${missing}, or choose another model with TENDON_MODEL.`;
    if (facts.kind === 'none')
      return { subject, state: 'missing', detail: `${config.model} needs a key; no server runs that could tell whether one is stored`, mend };
    return { subject, state: 'broken', detail: `${config.model} needs ${missing}`, mend };
  }
  const { providers } = config;
  const stored = facts.kind === 'running' ? facts.storedProviders : [];
  if (stored.length > 0) return { subject, state: 'ok', detail: `keys entered on the page Models for ${stored.join(', ')}` };
  const known = Object.entries({
    Anthropic: providers.anthropicKey,
    OpenAI: providers.openaiKey,
    Google: providers.googleKey,
    'a compatible server': providers.compatibleUrl,
  }).filter(([, value]) => value !== undefined);
  if (known.length > 0) return { subject, state: 'ok', detail: `keys for ${known.map(([name]) => name).join(', ')}` };
  if (config.model === undefined && (await canConnect('127.0.0.1', 11_434))) return { subject, state: 'ok', detail: 'Ollama runs on this machine' };
  return {
    subject,
    state: 'missing',
    detail: 'demo, a small script that needs no network',
    mend: 'For a real model enter a key on the page Models, set ANTHROPIC_API_KEY, OPENAI_API_KEY, GOOGLE_GENERATIVE_AI_API_KEY or TENDON_COMPATIBLE_URL, or start Ollama.',
  };
}

function isStored(facts: ServerFacts, provider: string): boolean {
  return facts.kind === 'running' && facts.storedProviders.includes(provider);
}

function missingKey({ providers }: Config, provider: string): string | undefined {
  if (provider === 'anthropic' && providers.anthropicKey === undefined) return 'ANTHROPIC_API_KEY';
  if (provider === 'openai' && providers.openaiKey === undefined) return 'OPENAI_API_KEY';
  if (provider === 'google' && providers.googleKey === undefined) return 'GOOGLE_GENERATIVE_AI_API_KEY';
  return provider === 'compatible' && providers.compatibleUrl === undefined ? 'TENDON_COMPATIBLE_URL' : undefined;
}

function checkWeb(): Finding {
  const isBuilt = existsSync(join(WEB_ROOT, 'index.html'));
  return isBuilt
    ? { subject: 'web page', state: 'ok', detail: 'built' }
    : { subject: 'web page', state: 'missing', detail: 'not built yet', mend: 'tendon start builds it; by hand: npm run build.' };
}

async function checkSearch(): Promise<Finding> {
  const path = await import('@vscode/ripgrep').then(
    (ripgrep) => ripgrep.rgPath,
    () => undefined,
  );
  const version = path === undefined ? undefined : await firstLine(path, ['--version']);
  if (version !== undefined) return { subject: 'search', state: 'ok', detail: version };
  return { subject: 'search', state: 'broken', detail: 'ripgrep does not run, so glob and grep will not', mend: 'Run npm ci again.' };
}

async function checkSandbox(): Promise<Finding> {
  const { filterFault, sandboxState } = await import('@tendon/gateway/sandbox');
  const state = await sandboxState();
  const mend = 'Commands then run as you, after your approval. For a sandbox: apt install bubblewrap.';
  if (state.kind === 'none') return { subject: 'sandbox', state: 'missing', detail: state.reason, mend };
  const network = (await filterFault()) === undefined ? 'can' : 'cannot';
  const detail = `commands run in bubblewrap: they write in the workspace, temporary files and caches alone; their network ${network} be filtered`;
  return { subject: 'sandbox', state: 'ok', detail };
}

async function checkBrowser(): Promise<Finding> {
  const { findBrowser } = await import('@tendon/gateway/browser');
  const found = findBrowser();
  if (found.kind === 'found') return { subject: 'browser', state: 'ok', detail: found.path };
  return {
    subject: 'browser',
    state: 'missing',
    detail: found.reason,
    mend: 'Only browser tools need it: apt install chromium, or name one in TENDON_BROWSER_PATH.',
  };
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial({ host, port, timeout: 2_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
