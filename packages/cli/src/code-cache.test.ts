import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServerDouble, startTendon, temporaryFolder } from '@tendon/testing';
import { cliRig } from './cli-rig.ts';
import { GATEWAY_NODE_FLAGS } from './gateway-child.ts';

/** Writes down at the end of the process which files it has loaded, and what of Node itself. */
const LISTING = `data:text/javascript,${encodeURIComponent(`
  import { writeFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  const modules = [];
  registerHooks({ load(url, context, next) { modules.push(url); return next(url, context); } });
  process.on('exit', () => writeFileSync(process.env.LISTING_PATH, JSON.stringify({ modules, inside: process.moduleLoadList })));`)}`;

/** That of the tests stays away: what a home has is looked at. */
const OWN_CACHE = { NODE_COMPILE_CACHE: '' };
const KEYED = { ...OWN_CACHE, TENDON_API_KEY: 'k' };

interface Loaded {
  readonly modules: readonly string[];
  readonly inside: readonly string[];
}

const hasStripped = ({ inside }: Loaded) => inside.some((name) => name.includes('amaro'));

/** Starts a gateway, waits for its greeting, ends it, and answers with what it had loaded. */
async function loadedByGateway(folder: string, home: string): Promise<Loaded> {
  const path = join(folder, 'loaded.json');
  await using double = await startServerDouble();
  const env = { ...OWN_CACHE, TENDON_HOME: home, TENDON_API_KEY: 'a key of the test', NODE_OPTIONS: `--import=${LISTING}`, LISTING_PATH: path };
  await using gateway = await startTendon({ args: ['gateway', '--server', double.url, '--workspace', folder], env, scratch: folder });
  await double.until(() => double.hellos[0]);
  assert.equal((await gateway.end('SIGTERM')).code, 0);
  return JSON.parse(await readFile(path, 'utf8')) as Loaded;
}

test('O21: the second start strips no types, and a gateway that waits has loaded nothing that only some calls need', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const first = await loadedByGateway(folder.path, home);
  assert.equal(hasStripped(first), true);
  for (const path of [home, join(home, 'code-cache')]) assert.equal((await stat(path)).mode & 0o777, 0o700, path);
  const second = await loadedByGateway(folder.path, home);
  assert.equal(hasStripped(second), false);
  assert.deepEqual(second.modules.toSorted(), first.modules.toSorted());
  assert.ok(second.modules.length > 200);
  const heavy = /node_modules\/(?:@modelcontextprotocol|playwright-core|unpdf|@lydell|hono|@hono|socket\.io|drizzle-orm|pg|ai|better-auth)\//;
  const languages = /\/zod\/v4\/locales\/(?!en\.js$)/;
  assert.deepEqual(
    second.modules.filter((url) => heavy.test(url) || languages.test(url)),
    [],
  );
  const heavyInside = /deps\/undici|NativeModule http2$/;
  assert.deepEqual(
    second.inside.filter((name) => heavyInside.test(name)),
    [],
  );
});

test('O21: a gateway that is started without the flags of one has them all the same, as the same process', async () => {
  await using folder = await temporaryFolder();
  await using double = await startServerDouble();
  const env = { ...OWN_CACHE, TENDON_HOME: join(folder.path, 'home'), TENDON_API_KEY: 'a key of the test' };
  await using gateway = await startTendon({ args: ['gateway', '--server', double.url, '--workspace', folder.path], env, scratch: folder.path });
  await double.until(() => double.hellos[0]);
  const words = (await readFile(`/proc/${gateway.pid}/cmdline`, 'utf8')).split('\0');
  for (const flag of GATEWAY_NODE_FLAGS) assert.equal(words.filter((word) => word === flag).length, 1, words.join(' '));
  assert.equal((await gateway.end('SIGTERM')).code, 0);
});

test('O21: code that another user could have put there is not run: a cache that is open, a link, an open home', async () => {
  await using rig = await cliRig();
  const cache = join(rig.home, 'code-cache');
  const refused = async () => (await rig.run(['key', 'list', '--server', 'http://127.0.0.1:1'], KEYED).done).code;
  await mkdir(cache, { recursive: true, mode: 0o700 });
  await chmod(rig.home, 0o700);
  await chmod(cache, 0o777);
  assert.notEqual(await refused(), 0);
  assert.deepEqual(await readdir(cache), []);

  await chmod(cache, 0o700);
  await chmod(rig.home, 0o777);
  assert.notEqual(await refused(), 0);
  assert.deepEqual(await readdir(cache), []);
  // The command has taken the home away from others: from now on it can be used.
  assert.notEqual(await refused(), 0);
  assert.equal((await readdir(cache)).length, 1);

  await using other = await cliRig();
  await mkdir(other.home, { mode: 0o700 });
  await symlink(other.workspace, join(other.home, 'code-cache'));
  assert.notEqual(await other.run(['key', 'list', '--server', 'http://127.0.0.1:1'], KEYED).done.then(({ code }) => code), 0);
  assert.deepEqual(await readdir(other.workspace), []);
});

test('O21: a home that is named on the command line has the cache; who only asks for help, or mistypes, makes none', async () => {
  await using rig = await cliRig();
  for (const words of [['--help'], ['--version'], ['start', '--help'], ['help', 'start'], ['strat'], []]) await rig.run(words, OWN_CACHE).done;
  await assert.rejects(stat(rig.home), { code: 'ENOENT' });
  const named = join(rig.workspace, 'named');
  for (const flag of [['--home', named], [`--home=${named}`]]) await rig.run(['key', 'list', '--server', 'http://127.0.0.1:1', ...flag], KEYED).done;
  assert.equal((await readdir(join(named, 'code-cache'))).length, 1);
  await assert.rejects(stat(rig.home), { code: 'ENOENT' });
});

test('O21: every command has the cache, and one that cannot know its home is told so in one line', async (context) => {
  await using rig = await cliRig();
  const { stdout } = await rig.run(['--help']).done;
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name).filter((name) => name !== 'help');
  const files = (await readdir(join(import.meta.dirname, 'commands'))).map((name) => name.replace(/\.ts$/, ''));
  assert.deepEqual(commands.toSorted(), files.toSorted());
  // A user whom the machine does not know, without HOME, as in a container. Only root can become one.
  const user = process.getuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : undefined;
  if (!user) return context.diagnostic('not tried as a user whom the machine does not know: only root can become one');
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.js'), 'doctor'], { ...user, env: {}, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^error: [^\n]*homedir[^\n]*\n$/);
});
