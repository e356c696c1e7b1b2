import type { ServerHandle } from '@tendon/server';
import { type Config, createLog, StartError } from '@tendon/server/settings';
import { clientOf, newControlKey } from '../control-client.ts';
import { GatewayChild } from '../gateway-child.ts';
import { ensureGatewayCredential } from '../gateway-credential.ts';
import { HomeLock, type HomeLockFacts } from '../home-lock.ts';
import { RunningParts } from '../lifecycle.ts';
import { localUrl } from '../local-url.ts';
import { canOpenBrowser, openBrowser } from '../open-browser.ts';
import { colour, note, print } from '../output.ts';
import { ReadyFile } from '../ready-file.ts';
import { requireFolder, requireSettings, type SettingFlags } from '../settings.ts';
import { ensureWebBuilt, WEB_ROOT } from '../web-build.ts';

export interface StartFlags extends SettingFlags {
  readonly readyFile?: string;
  /** False with `--no-open`. */
  readonly open?: boolean;
}

const GATEWAY_LIMIT_MS = 10_000;

/** `tendon start`: server, gateway and page on this machine, until a signal ends it. */
export async function start(flags: StartFlags): Promise<void> {
  const config = await requireSettings(flags);
  requireFolder('TENDON_WORKSPACE', config.workspace);
  const taken = HomeLock.take(config.home);
  if (!taken.ok) throw await alreadyRuns(config.home, taken.owner);
  const running = new RunningParts(() => note('Stopping ...'));
  running.add(async () => taken.lock.release());
  await running.orUndo(async () => {
    const readyFile = new ReadyFile(flags.readyFile);
    await readyFile.prepare();
    running.add(() => readyFile.remove());
    const controlKey = newControlKey();
    const server = await serve({ ...config, controlKey }, running);
    const local = localUrl(config.host, server.port);
    taken.lock.announce({ url: local, controlKey });
    const link = config.auth === 'disabled' ? server.url : await server.signInLink();
    greet(server.url, link, config.auth === 'disabled');
    if (flags.open !== false && process.stdout.isTTY && canOpenBrowser(process.env, process.stderr.isTTY)) openBrowser(link);

    const credential = async (gatewayId: string) => (await ensureGatewayCredential(config.home, gatewayId, clientOf(local, controlKey))).key;
    const gateway = new GatewayChild({ serverUrl: local, home: config.home, workspace: config.workspace, credential, onNotice: note });
    running.add(() => gateway.close());
    const isOnline = await Promise.race([gateway.online(), new Promise<boolean>((resolve) => setTimeout(resolve, GATEWAY_LIMIT_MS, false).unref())]);
    if (!isOnline) note('The gateway of this machine is not connected yet; the page shows when it is.');
    await readyFile.write({ url: server.url, pid: process.pid, port: server.port });
  });
}

/** The server, with the page built beside its start when it is missing. */
async function serve(config: Config, running: RunningParts): Promise<ServerHandle> {
  const log = createLog({ level: config.logLevel, pretty: process.stderr.isTTY });
  const { requireModel, startServer } = await import('@tendon/server');
  requireModel(config);
  const [server] = await Promise.all([startServer(config, log, { webRoot: WEB_ROOT }), ensureWebBuilt()]);
  running.add(() => server.close());
  running.endWith(server.databaseLost, 'The database has ended by itself; its log stands in the home, under db.');
  return server;
}

function greet(url: string, link: string, isOpen: boolean): void {
  print('');
  print('  ', colour('bold', 'Tendon'), ' runs at ', colour('cyan', url));
  if (isOpen) print('  ', colour('yellow', 'Anyone on this machine can use it: TENDON_AUTH is disabled.'));
  else print('  Sign in: ', colour('cyan', link));
  print(isOpen ? '' : '  (the link works once, for 15 minutes; Ctrl+C stops Tendon)\n');
}

/** A second start on the same home: where the first one is, with a fresh link for the person who asks. */
async function alreadyRuns(home: string, owner: HomeLockFacts): Promise<StartError> {
  if (owner.url === undefined || owner.controlKey === undefined)
    return new StartError(`Tendon is already starting on ${home} (process ${owner.pid}): wait for it, or stop it first`);
  const answer = await clientOf(owner.url, owner.controlKey)
    .call('POST', '/api/sign-in-links')
    .catch(() => undefined);
  const link = typeof answer === 'object' && answer !== null && 'url' in answer ? `; sign in: ${String(answer.url)}` : '';
  return new StartError(`Tendon already runs at ${owner.url} on ${home} (process ${owner.pid})${link}`);
}
