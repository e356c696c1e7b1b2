import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type FoundBrowser = { readonly kind: 'found'; readonly path: string } | { readonly kind: 'none'; readonly reason: string };

export interface BrowserPlaces {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly platform: NodeJS.Platform;
}

/** The snap of Ubuntu comes last: it may not use folders of ours. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable', 'microsoft-edge', 'chrome'];
const LINUX = ['/usr/lib/chromium/chromium', '/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge', '/snap/bin/chromium'];
const MAC = ['Google Chrome', 'Chromium', 'Microsoft Edge'];
const WINDOWS = ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];

/** The browser this machine has: `TENDON_BROWSER_PATH`, or the first Chromium, Chrome or Edge on `PATH` and in its usual places. */
export function findBrowser({ env, platform }: BrowserPlaces = { env: process.env, platform: process.platform }): FoundBrowser {
  const named = env['TENDON_BROWSER_PATH'];
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return { kind: 'found', path: named };
    return { kind: 'none', reason: `TENDON_BROWSER_PATH names ${JSON.stringify(named)}, which is no program that can be run. Name one, or unset it.` };
  }
  const path = candidates(env, platform).find(isProgram);
  return path === undefined
    ? { kind: 'none', reason: `No Chromium, Chrome or Edge was found on this machine. ${howToInstall(platform)}` }
    : { kind: 'found', path };
}

function howToInstall(platform: NodeJS.Platform): string {
  const elsewhere = 'or name one in TENDON_BROWSER_PATH, and start the gateway again if that was changed.';
  if (platform === 'darwin') return `Its owner can install one (brew install --cask google-chrome), ${elsewhere}`;
  if (platform === 'win32') return `Its owner can install one (winget install Google.Chrome), ${elsewhere}`;
  return `Its owner can install one (Debian, Ubuntu: sudo apt install chromium; Fedora: sudo dnf install chromium), ${elsewhere}`;
}

function candidates(env: Readonly<NodeJS.ProcessEnv>, platform: NodeJS.Platform): string[] {
  if (platform === 'win32') {
    const roots = ['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap((name) => env[name] ?? []);
    return WINDOWS.flatMap((program) => roots.map((root) => `${root}\\${program}`));
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/') && !folder.startsWith('/snap/'));
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  if (platform !== 'darwin') return [...onPath, ...LINUX];
  const applications = ['/Applications', join(env['HOME'] ?? '/', 'Applications')];
  return [...MAC.flatMap((name) => applications.map((folder) => `${folder}/${name}.app/Contents/MacOS/${name}`)), ...onPath];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
