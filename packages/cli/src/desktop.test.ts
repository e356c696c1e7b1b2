import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until, untilEnded, within } from '@tendon/testing';
import { desktopRig, readJson } from './desktop-rig.ts';

/* `tendon gateway --relay` and `tendon desktop` as processes, with a server of their own. A real window is opened in tests/desktop. */

const rig = await desktopRig(3217);
after(() => rig[Symbol.asyncDispose]());
const { here, args, env, key, windows } = rig;

test('O16: with --relay the terminal shows a link, and the ready file the address; without, there is no relay', async () => {
  const ready = join(here.workspace, 'relay.json');
  const run = here.run(['gateway', ...args, '--relay', '--ready-file', ready], env);
  const [link = ''] = await run.said(/http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=[\w-]{43}/);
  const { relayUrl } = await readJson<{ relayUrl: string }>(ready);
  assert.equal(new URL(link).origin, relayUrl);
  assert.equal((await fetch(`${relayUrl}/healthz`)).status, 200);
  const opened = await fetch(link, { redirect: 'manual' });
  assert.equal(opened.status, 303);
  const cookie = String(opened.headers.get('set-cookie')).split(';')[0] ?? '';
  const me = (await (await fetch(`${relayUrl}/api/me`, { headers: { Cookie: cookie } })).json()) as { user: { role: string } };
  assert.equal(me.user.role, 'owner');
  run.child.kill('SIGTERM');
  const ended = await within('it to end', run.done, 15_000);
  assert.equal(ended.code, 0);
  assert.ok(!(ended.stdout + ended.stderr).includes(key));

  const without = here.run(['gateway', ...args, '--ready-file', ready], env);
  assert.equal((await readJson<{ relayUrl?: string }>(ready)).relayUrl, undefined);
  without.child.kill('SIGTERM');
  await without.done;
});

test('O16: a port that is taken is named, with the way out', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const port = String((taken.address() as { port: number }).port);
  const outcome = await here.run(['gateway', ...args, '--relay'], { ...env, TENDON_RELAY_PORT: port }).done;
  taken.close();
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, new RegExp(`error: The relay cannot listen on port ${port} .*EADDRINUSE.*TENDON_RELAY_PORT`));
});

test('O17: desktop opens the page in a window of its own; closed, the machine stays connected; ended, the window goes too', async () => {
  const session = '0199c0de-0000-7000-8000-000000000001';
  const run = here.run(['desktop', ...args, '--session', session], env);
  const flags = (await rig.started()).split('\n');
  const link = flags.find((flag) => flag.startsWith('--app='))?.slice('--app='.length) ?? '';
  assert.ok(flags.includes(`--user-data-dir=${join(here.home, 'desktop')}`));
  const opened = await fetch(link, { redirect: 'manual' });
  assert.deepEqual([opened.status, opened.headers.get('location')?.split('#')[0]], [303, `/s/${session}`]);
  const [window] = windows();
  assert.ok(window !== undefined);
  process.kill(window, 'SIGTERM');
  await run.said(/The window is closed; this machine stays connected/);
  assert.equal(run.child.exitCode, null);
  run.child.kill('SIGTERM');
  assert.equal((await within('it to end', run.done, 15_000)).code, 0);

  const other = here.run(['desktop', ...args], env);
  await until({ what: 'another window', pollMs: 20, deadlineMs: 20_000, check: () => (windows().length > 0 ? true : undefined) });
  other.child.kill('SIGTERM');
  assert.equal((await within('it to end', other.done, 15_000)).code, 0);
  await until({ what: 'the window to be gone', pollMs: 20, check: () => (windows().length === 0 ? true : undefined) });
});

test('O17: started again while it runs, it opens a window of the one that runs, at the session that is named, and at no other server', async () => {
  const session = '0199c0de-0000-7000-8000-000000000002';
  const run = here.run(['desktop', ...args], env);
  const opened = async (count: number): Promise<string> => {
    await until({ what: `window ${count}`, pollMs: 20, deadlineMs: 20_000, check: () => windows().length >= count || undefined });
    return rig.started();
  };
  await opened(1);
  const second = await here.run(['desktop', ...args, '--session', session], env).done;
  assert.deepEqual([second.code, second.stderr], [0, 'Tendon runs on this machine already, and has opened its window.\n']);
  const links = [...(await opened(2)).matchAll(/^--app=(.*)$/gm)].map(([, link = '']) => new URL(link));
  assert.equal(links.at(-1)?.searchParams.get('to'), `/s/${session}`);
  for (const more of [['--at-login'], ['--no-at-login'], ['--workspace', here.workspace], ['--ready-file', join(here.workspace, 'other.json')]]) {
    const asked = await here.run(['desktop', ...args, ...more], env).done;
    assert.deepEqual([asked.code, /Another gateway named "office" already runs/.test(asked.stderr)], [2, true], more[0]);
  }
  const other = await here.run(['desktop', '--server', 'http://127.0.0.1:1', '--name', 'office'], env).done;
  assert.equal(other.code, 2);
  assert.match(other.stderr, /^error: this machine is open already, at http:\/\/127\.0\.0\.1:\d+: end that/m);
  run.child.kill('SIGKILL');
  await run.done;
  const left = windows();
  for (const pid of left) process.kill(pid, 'SIGKILL');
  // A window that is just ending would be taken for one of the next.
  await untilEnded(left);
  // What a killed one has left is in nobody's way.
  const next = here.run(['desktop', ...args], env);
  await opened(1);
  assert.equal((await here.run(['desktop', ...args], env).done).code, 0);
  next.child.kill('SIGTERM');
  assert.equal((await within('it to end', next.done, 15_000)).code, 0);
});

test('O17: where the home takes no socket, desktop runs all the same', async () => {
  await rm(join(here.home, 'run'), { recursive: true, force: true });
  await writeFile(join(here.home, 'run'), 'a file');
  const run = here.run(['desktop', ...args], env);
  await until({ what: 'a window', pollMs: 20, deadlineMs: 20_000, check: () => (windows().length > 0 ? true : undefined) });
  const second = await here.run(['desktop', ...args], env).done;
  assert.match(second.stderr, /Another gateway named "office" already runs/);
  assert.equal(run.child.exitCode, null);
  run.child.kill('SIGTERM');
  assert.equal((await within('it to end', run.done, 15_000)).code, 0);
  await rm(join(here.home, 'run'));
});

test('O17: a browser that cannot show a window, such as without a display, is no window that was closed: there is a link', async () => {
  const browser = join(here.workspace, 'without-display');
  await writeFile(browser, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const run = here.run(['desktop', ...args], { ...env, TENDON_BROWSER_PATH: browser });
  await run.said(/The window could not be opened \(its browser ended with code 1: there is no display here, neither DISPLAY nor WAYLAND_DISPLAY is set\)/);
  const [link] = await run.said(/http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=[\w-]{43}\S*/);
  assert.equal((await fetch(link, { redirect: 'manual' })).status, 303);
  run.child.kill('SIGTERM');
  const ended = await within('it to end', run.done, 15_000);
  assert.equal(ended.code, 0);
  assert.ok(!ended.stderr.includes('The window is closed'));
});

test('O22: a machine whose server is not there says why, goes on trying, and says nothing else when it is ended', async () => {
  const run = here.run(['gateway', '--server', 'http://127.0.0.1:1', '--name', 'office', '--relay'], env);
  await run.said(/There is no connection to http:\/\/127\.0\.0\.1:1: nothing listens there \(ECONNREFUSED\)\. This machine goes on trying/);
  run.child.kill('SIGINT');
  const ended = await within('it to end', run.done, 15_000);
  assert.equal(ended.code, 0);
  assert.doesNotMatch(ended.stderr + ended.stdout, /is connected|sign-in|xhr/);
});

test('O17: without a browser that can do it, and with a session that is none, desktop says so in one line', async () => {
  const none = await here.run(['desktop', ...args], { ...env, TENDON_BROWSER_PATH: join(here.workspace, 'nothing') }).done;
  assert.equal(none.code, 2);
  assert.match(none.stderr, /^error: no window can be opened\. TENDON_BROWSER_PATH names .*Or run "tendon gateway --relay"/m);
  const odd = await here.run(['desktop', ...args, '--session', '../../x'], env).done;
  assert.match(odd.stderr, /^error: "\.\.\/\.\.\/x" is not the id of a session/m);
});
