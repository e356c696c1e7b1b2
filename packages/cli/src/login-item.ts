import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { StartError } from '@tendon/server/settings';

/** A command that begins when its person logs in. */
export interface LoginItem {
  /** The machine's name: each has an entry of its own. */
  readonly name: string;
  /** Program and arguments, as they are. */
  readonly command: readonly string[];
}

interface Entry {
  readonly folder: string;
  readonly file: string;
  readonly text: (item: LoginItem) => string;
}

/** Writes the entry and answers with its path. Errors: `StartError` where the platform has no such thing, or the disk does not take it. */
export async function addLoginItem(item: LoginItem, platform: NodeJS.Platform = process.platform): Promise<string> {
  const odd = [item.name, ...item.command].find((text) => hasControl(text));
  if (odd !== undefined) throw new StartError(`${JSON.stringify(odd)} has a control character in it, which no entry for the login can hold: rename it`);
  const { folder, file, text } = entryOf(item.name, platform);
  const path = join(folder, file);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, text(item), { mode: 0o600 });
  } catch (error) {
    throw new StartError(`the start at login could not be set up: ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  return path;
}

/** Removes the entry, if there is one. Answers with the path that it has. */
export async function removeLoginItem(name: string, platform: NodeJS.Platform = process.platform): Promise<string> {
  const { folder, file } = entryOf(name, platform);
  const path = join(folder, file);
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw new StartError(`${path} cannot be removed (${(error as NodeJS.ErrnoException).code}): remove it by hand`, { cause: error });
  }
  return path;
}

function entryOf(name: string, platform: NodeJS.Platform): Entry {
  // Two names never share an entry, whatever a file may be called.
  const id = `tendon-${Buffer.from(name).toString('hex').slice(0, 200)}`;
  if (platform === 'linux') return { folder: join(configFolder(), 'autostart'), file: `${id}.desktop`, text: desktopEntry };
  if (platform === 'darwin') return { folder: join(homedir(), 'Library/LaunchAgents'), file: `${id}.plist`, text: (item) => launchAgent(id, item) };
  throw new StartError(`there is no start at login for this platform (${platform}): add the command to what starts with your session by hand`);
}

/** By the XDG Base Directory Specification: a relative path counts as none. */
function configFolder(): string {
  const given = process.env['XDG_CONFIG_HOME'];
  return given !== undefined && isAbsolute(given) ? given : join(homedir(), '.config');
}

/** Desktop Entry Specification, "Exec": an argument in quotes, in a value that has escapes of its own. */
function desktopEntry({ name, command }: LoginItem): string {
  const exec = command.map((argument) => `"${argument.replaceAll(/[\\"`$]/g, '\\$&').replaceAll('%', '%%')}"`).join(' ');
  const value = (text: string): string => text.replaceAll('\\', '\\\\');
  return `[Desktop Entry]\nType=Application\nName=${value(`Tendon (${name})`)}\nExec=${value(exec)}\nTerminal=false\n`;
}

/** launchd.plist(5). */
function launchAgent(id: string, { command }: LoginItem): string {
  const text = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const list = command.map((argument) => `    <string>${text(argument)}</string>\n`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${id}</string>
  <key>ProgramArguments</key>
  <array>
${list}  </array>
  <key>RunAtLoad</key>
  <true/>
</dict>
</plist>
`;
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
