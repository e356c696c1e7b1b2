#!/usr/bin/env node
import { existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import gatewayNodeFlags from './gateway-node-flags.json' with { type: 'json' };

/*
 * The one file in JavaScript: before the cache is on, types are stripped by a WebAssembly module that takes 17 MB and is never given back.
 * With the cache, code that was loaded once comes back stripped and compiled, and that module is not loaded at all.
 *
 * The cache is code that the next start runs. So it stands in the home, which is its user's alone and where no tool may write, and not where
 * Node would put it, in the folder for temporary files, nor in ~/.cache, where commands in the sandbox may write.
 */

/** As `homeFolder` of the server's configuration says, which is not loaded yet. */
function homeOf(words) {
  const at = words.findLastIndex((word) => word === '--home' || word.startsWith('--home='));
  const flag = words[at]?.startsWith('--home=') ? words[at].slice('--home='.length) : words[at + 1];
  return resolve((at >= 0 && flag) || process.env.TENDON_HOME || join(homedir(), '.tendon'));
}

/** Whoever mistypes one, or asks for help, has no home made. */
function isCommand(word = '') {
  return /^[a-z-]+$/.test(word) && existsSync(join(import.meta.dirname, 'commands', `${word}.ts`));
}

function isOursAlone({ uid, mode }) {
  return process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
}

/** Nothing depends on it: where there can be no home that is ours alone, everything is loaded as ever, and the command says what is wrong. */
function enableCodeCache(words) {
  if (!isCommand(words[0]) || words.includes('--help') || words.includes('-h')) return;
  try {
    const home = homeOf(words);
    // A child comes after whoever made the home: where it is gone, so is its owner.
    if (process.connected && !existsSync(home)) return;
    const folder = join(home, 'code-cache');
    mkdirSync(folder, { mode: 0o700, recursive: true });
    if (isOursAlone(statSync(home)) && isOursAlone(lstatSync(folder))) enableCompileCache(folder);
  } catch {}
}

/**
 * What V8 takes only at the start of a process (`GATEWAY_NODE_FLAGS` says what for): a machine's hands that were started without become, as the
 * same process, ones that have them. Where a process cannot become another (Windows), they do without.
 */
function beginAgainWithFlags(words) {
  const missing = gatewayNodeFlags.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0 || (words[0] !== 'gateway' && words[0] !== 'desktop')) return;
  if (process.platform === 'win32' || process.execve === undefined || process.connected) return;
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1)], process.env);
}

beginAgainWithFlags(process.argv.slice(2));
enableCodeCache(process.argv.slice(2));
const { installQuickImports } = await import('./quick-imports.ts');
installQuickImports();
const { run } = await import('./program.ts');
await run(process.argv);
