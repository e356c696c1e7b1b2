import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { findCallProcesses, identify, killCallProcesses, type ProcessIdentity, shellEnvironment } from '@tendon/system';
import { z } from 'zod';
import { ToolFault } from '../tools/faults.ts';
import { PipeTransport } from './pipe-transport.ts';
import { within } from './time-limit.ts';

/*
 * One Chromium, which never outlives its gateway:
 *
 *   - it is steered through two pipes, and ends by itself when they close, `kill -9` of the gateway included;
 *   - its folder says who it is, so that the next gateway ends it should it hang, and removes its profile.
 *
 * Nothing listens on a port for it, so no other program can steer it.
 */

const FLAGS = [
  ...['--headless', '--remote-debugging-pipe', '--no-startup-window', '--disable-gpu', '--no-first-run', '--no-default-browser-check', '--hide-scrollbars'],
  ...[
    '--mute-audio',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-default-apps',
    '--disable-sync',
    '--disable-breakpad',
    '--disable-crash-reporter',
  ],
  ...['--disable-extensions', '--disable-component-extensions-with-background-pages', '--disable-field-trial-config', '--disable-dev-shm-usage'],
  ...['--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding', '--disable-hang-monitor'],
  ...['--disable-back-forward-cache', '--disable-prompt-on-repost', '--disable-search-engine-choice-screen', '--disable-infobars', '--no-service-autorun'],
  ...['--password-store=basic', '--use-mock-keychain', '--force-color-profile=srgb', '--metrics-recording-only', '--enable-unsafe-swiftshader'],
  ...['--edge-skip-compat-layer-relaunch', '--do-not-de-elevate', '--deny-permission-prompts', '--enable-features=CDPScreenshotNewSurface'],
  // With the three of WebUI no window draws the list under an address line that nobody sees: a process for each, half of what a window takes.
  // It asks its maker about the fields of each form, too.
  '--disable-features=AutofillServerCommunication,WebUIOmniboxPopup,WebUIOmniboxFullPopup,WebUIOmniboxAimPopup,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,MediaRouter,OptimizationHints,NetworkTimeServiceQuerying,LensOverlay,PaintHolding,PreconnectToSearch,Translate,WebTransport',
  // Nothing may go past the proxy: no QUIC, no UDP of WebRTC, no look-up of names.
  ...[
    '--disable-quic',
    '--dns-prefetch-disable',
    '--webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
  ],
  ...['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--proxy-bypass-list=<-loopback>'],
];

export interface BrowserStart {
  readonly program: string;
  /** Ours alone: profile, downloads that are not kept, and who the process is. */
  readonly folder: string;
  readonly proxyPort: number;
}

const END_MS = 3_000;
const START_MS = 20_000;
const recordSchema = z.object({
  marker: z.string(),
  leader: z.object({ pid: z.number().int(), startedAt: z.string(), bootId: z.string() }).optional(),
});

export class BrowserProcess {
  readonly transport: PipeTransport;
  readonly leader: ProcessIdentity | undefined;
  readonly artifacts: string;
  readonly #folder: string;
  readonly #marker: string;
  readonly #exited: Promise<void>;
  #family: readonly ProcessIdentity[] = [];
  #ending: Promise<void> | undefined;

  private constructor(started: { child: ChildProcess; transport: PipeTransport; leader: ProcessIdentity | undefined; folder: string; marker: string }) {
    this.transport = started.transport;
    this.leader = started.leader;
    this.artifacts = join(started.folder, 'artifacts');
    this.#folder = started.folder;
    this.#marker = started.marker;
    this.#exited = new Promise((resolve) => {
      if (started.child.exitCode !== null || started.child.signalCode !== null) resolve();
      else started.child.once('exit', () => resolve());
    });
  }

  /** Errors: `ToolFault` when the program cannot be run, or ends at once. */
  static async start({ program, folder, proxyPort }: BrowserStart): Promise<BrowserProcess> {
    await settleBrowser(folder);
    const marker = `browser-${randomBytes(12).toString('hex')}`;
    for (const name of ['profile', 'artifacts']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    await record(folder, { marker });
    const profile = join(folder, 'profile');
    const args = [
      ...FLAGS,
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      `--proxy-server=http://127.0.0.1:${proxyPort}`,
      `--user-data-dir=${profile}`,
    ];
    const env = { ...shellEnvironment(process.env, marker), BREAKPAD_DUMP_LOCATION: profile };
    const child = spawn(program, args, { cwd: folder, env, detached: true, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    const failed = failedToStart(child);
    // Without a free descriptor it has no pipes either.
    if (child.pid === undefined) {
      await removeFolder(folder);
      throw broken(program, await failed);
    }
    const said = lastWords(child);
    const transport = new PipeTransport(child.stdio[3] as Writable, child.stdio[4] as Readable);
    child.once('exit', () => transport.ended());
    const isThere = await Promise.race([transport.firstAnswer(START_MS), failed]);
    let started = new BrowserProcess({ child, transport, leader: undefined, folder, marker });
    try {
      const leader = await identify(child.pid);
      started = new BrowserProcess({ child, transport, leader, folder, marker });
      if (isThere === true) await record(folder, { marker, leader });
    } catch (error) {
      // Nobody else knows of it yet.
      await started.end();
      throw error;
    }
    if (isThere === true) return started;
    await started.end();
    throw broken(program, `${isThere} ${said()}`);
  }

  /** Ends it with all its children, and removes its folder. May be called twice. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Its children lose what they are known by when it dies first, so they are known before. */
  async meetFamily(): Promise<void> {
    const pids = await findCallProcesses({ callId: this.#marker, leader: this.leader });
    const family = await Promise.all(pids.map((pid) => identify(pid)));
    this.#family = [...this.#family, ...family.filter((one) => one !== undefined)];
  }

  async #end(): Promise<void> {
    // Who is known from before has to do where nobody can look now: nothing else would end it.
    await this.meetFamily().catch(() => undefined);
    this.transport.close();
    await within(this.#exited, END_MS, 'late');
    await killCallProcesses({ callId: this.#marker, leader: this.leader, family: this.#family }, 0);
    await removeFolder(this.#folder);
  }
}

/** Ends what a dead predecessor left in this folder, and removes the folder. Does nothing where there is none. */
export async function settleBrowser(folder: string): Promise<void> {
  const text = await readFile(join(folder, 'process.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const left = recordSchema.safeParse(parse(text));
  if (left.success) await killCallProcesses({ callId: left.data.marker, leader: left.data.leader }, 0);
  await removeFolder(folder);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function record(folder: string, what: z.input<typeof recordSchema> | { marker: string; leader: ProcessIdentity | undefined }): Promise<void> {
  await writeFile(join(folder, 'process.json'), JSON.stringify(what), { mode: 0o600 });
}

/** A child that ends a moment later may still write into its profile. */
async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** The end of what it printed, which is where it says why it does not start. */
function lastWords(child: ChildProcess): () => string {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = `${words}${chunk.toString()}`.slice(-600);
  });
  return () => words.trim().split('\n').slice(-3).join(' ');
}

function broken(program: string, why: string): ToolFault {
  return new ToolFault('browser_broken', `${program} was found, but does not start as a browser. ${why}`.trim());
}

function failedToStart(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`${error.message}.`));
    child.once('exit', (code, signal) => resolve(`It ended with ${signal ?? `code ${code}`}.`));
  });
}
