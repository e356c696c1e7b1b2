import { createLog, StartError } from '@tendon/server/settings';
import { newControlKey } from '../control-client.ts';
import { HomeLock } from '../home-lock.ts';
import { RunningParts } from '../lifecycle.ts';
import { localUrl } from '../local-url.ts';
import { note } from '../output.ts';
import { ReadyFile } from '../ready-file.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';
import { WEB_ROOT } from '../web-build.ts';

/** `tendon server`: a server node alone, until a signal ends it. */
export async function server(flags: SettingFlags & { readonly readyFile?: string }): Promise<void> {
  const config = await requireSettings(flags);
  const taken = HomeLock.take(config.home);
  if (!taken.ok)
    throw new StartError(
      `Tendon already runs${taken.owner.url === undefined ? '' : ` at ${taken.owner.url}`} on ${config.home} (process ${taken.owner.pid}): stop it, or give another home (--home DIR)`,
    );
  const running = new RunningParts();
  running.add(async () => taken.lock.release());
  await running.orUndo(async () => {
    const readyFile = new ReadyFile(flags.readyFile);
    await readyFile.prepare();
    running.add(() => readyFile.remove());
    const controlKey = newControlKey();
    const { startServer } = await import('@tendon/server');
    const handle = await startServer({ ...config, controlKey }, createLog({ level: config.logLevel, pretty: process.stderr.isTTY }), { webRoot: WEB_ROOT });
    running.add(() => handle.close());
    running.endWith(handle.databaseLost, 'The database has ended by itself; its log stands in the home, under db.');
    taken.lock.announce({ url: localUrl(config.host, handle.port), controlKey });
    note(`Tendon server runs at ${handle.url}`);
    if (config.auth === 'required' && process.stderr.isTTY) note(`Sign in: ${await handle.signInLink()}`);
    await readyFile.write({ url: handle.url, pid: process.pid, port: handle.port });
  });
}
