import { statSync } from 'node:fs';
import { type Config, homeFolder, type LoadedConfig, loadConfig, prepareHome, readHomeFile, StartError, type VariableName } from '@tendon/server/settings';
import { note } from './output.ts';

/** Flags as commander hands them over, by their names in code. */
export interface SettingFlags {
  readonly home?: string;
  readonly workspace?: string;
  readonly host?: string;
  readonly port?: string;
  readonly publicUrl?: string;
  readonly databaseUrl?: string;
  readonly model?: string;
  readonly logLevel?: string;
}

const VARIABLE_OF_FLAG = {
  home: 'TENDON_HOME',
  workspace: 'TENDON_WORKSPACE',
  host: 'TENDON_HOST',
  port: 'TENDON_PORT',
  publicUrl: 'TENDON_PUBLIC_URL',
  databaseUrl: 'TENDON_DATABASE_URL',
  model: 'TENDON_MODEL',
  logLevel: 'TENDON_LOG_LEVEL',
} as const satisfies Record<keyof SettingFlags, VariableName>;

/** Prepares the home and reads the configuration; faults are returned. Throws StartError when the home cannot be used. */
export async function readSettings(flags: SettingFlags): Promise<LoadedConfig> {
  const input = { flags: byVariable(flags), env: process.env };
  const home = homeFolder(input);
  const mended = await prepareHome(home);
  if (mended !== undefined) note(mended);
  return loadConfig({ ...input, homeFile: await readHomeFile(home) });
}

/** The configuration, or a StartError that names the first thing wrong with it. */
export async function requireSettings(flags: SettingFlags): Promise<Config> {
  const loaded = await readSettings(flags);
  if (loaded.ok) return loaded.config;
  const more = loaded.faults.length - 1;
  throw new StartError(`${loaded.faults[0]}${more > 0 ? ` (and ${more} more: see tendon doctor)` : ''}`);
}

/** Throws StartError unless this is a folder. */
export function requireFolder(name: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new StartError(`${name} is "${path}", and there is no such folder: make it, or give another one (--workspace DIR)`);
  if (!found.isDirectory()) throw new StartError(`${name} is "${path}", which is not a folder: give a folder (--workspace DIR)`);
}

function byVariable(flags: SettingFlags): Partial<Record<VariableName, string>> {
  const values: Partial<Record<VariableName, string>> = {};
  for (const key of Object.keys(VARIABLE_OF_FLAG) as (keyof SettingFlags)[]) {
    const value = flags[key];
    if (value !== undefined) values[VARIABLE_OF_FLAG[key]] = value;
  }
  return values;
}
