import { hostname } from 'node:os';
import { createLog, StartError } from '@tendon/server/settings';
import { requireUrl } from '../control-client.ts';
import { readGatewayCredential } from '../gateway-credential.ts';
import { RunningParts } from '../lifecycle.ts';
import { note } from '../output.ts';
import { ReadyFile } from '../ready-file.ts';
import { requireFolder, requireSettings, type SettingFlags } from '../settings.ts';
import { VERSION } from '../version.ts';

export interface GatewayFlags extends Omit<SettingFlags, 'workspace'> {
  readonly server?: string;
  readonly workspace?: readonly string[];
  readonly name?: string;
  readonly readyFile?: string;
}

/**
 * `tendon gateway`: this machine's hands for a server elsewhere, until a signal ends it. Started by `tendon start` it has an IPC channel:
 * it says there when it is online, and ends when the channel closes, which happens however its parent dies.
 */
export async function gateway(flags: GatewayFlags): Promise<void> {
  const { workspace: given, ...settingFlags } = flags;
  const config = await requireSettings(settingFlags);
  const workspaces = given?.length ? given : [config.workspace];
  for (const folder of workspaces) requireFolder('TENDON_WORKSPACE', folder);
  if (flags.server === undefined) throw new StartError('--server is missing: give the address of the server, such as https://tendon.example');
  const serverUrl = requireUrl(flags.server);
  const credential = config.apiKey === undefined ? await readGatewayCredential(config.home) : undefined;
  const token = config.apiKey ?? credential?.key;
  if (token === undefined) throw new StartError('TENDON_API_KEY is missing: make a key on the server with "tendon key create NAME", and give it here');

  const isChild = process.send !== undefined;
  const running = new RunningParts(undefined, { ignoreInterrupt: isChild });
  if (isChild) process.once('disconnect', () => running.exit(0));
  await running.orUndo(async () => {
    const readyFile = new ReadyFile(flags.readyFile);
    await readyFile.prepare();
    running.add(() => readyFile.remove());
    const { startGateway } = await import('@tendon/gateway');
    const log = createLog({ level: config.logLevel, pretty: process.stderr.isTTY });
    const handle = await startGateway({ serverUrl, token, home: config.home, name: flags.name ?? hostname(), workspaces: [...workspaces], log, version: VERSION, gatewayId: credential?.gatewayId });
    running.add(() => handle.close());
    await handle.ready();
    process.send?.({ type: 'online', gatewayId: handle.gatewayId });
    if (!isChild) note(`This machine is connected to ${serverUrl}; it works in ${workspaces.join(', ')}`);
    await readyFile.write({ url: serverUrl, pid: process.pid, port: Number(new URL(serverUrl).port || (serverUrl.startsWith('https:') ? 443 : 80)) });
  });
}
