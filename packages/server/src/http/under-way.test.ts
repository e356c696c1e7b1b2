import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { until, within } from '@tendon/testing';
import { type HttpRig, httpRig } from './http-rig.ts';
import { peopleRig } from './people-rig.ts';

/* The whole HTTP server and a real database. Every address of 127.0.0.0/8 is this machine's: the flood has one, who is answered another. */

const FLOOD = '127.0.0.2';

async function dial(rig: HttpRig, text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: rig.port, localAddress: FLOOD });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const head = (rig: HttpRig, what: string, ...headers: string[]): string =>
  [`${what} HTTP/1.1`, `Host: 127.0.0.1:${rig.port}`, `Origin: ${rig.origin}`, ...headers, '', ''].join('\r\n');

const slowBody = (rig: HttpRig): string => `${head(rig, 'POST /api/auth/sign-in', 'Content-Type: application/json', 'Content-Length: 10000')}{`;

const refusedBy = ({ refusals }: Pick<HttpRig, 'refusals'>) => refusals.refused().filter(({ value }) => value > 0);

const untilCounts = (rig: HttpRig, underWay: number, waiting: number): Promise<unknown> =>
  until({
    what: `${underWay} under way and ${waiting} waiting, not ${rig.underWay.count} and ${rig.underWay.waiting}`,
    check: () => (rig.underWay.count === underWay && rig.underWay.waiting === waiting) || undefined,
    pollMs: 5,
    deadlineMs: 20_000,
  });

test('H32: an address whose bodies come slowly has no more than its places, another is answered, and who goes gives the place back', async () => {
  await using rig = await httpRig({}, {}, { places: { waitMs: 60_000 } });
  const flood = await Promise.all(Array.from({ length: 100 }, () => dial(rig, slowBody(rig))));
  await untilCounts(rig, 64, 36);
  assert.equal((await rig.ask('GET', '/api/auth/ways')).status, 200);
  for (const socket of flood.slice(0, 80)) socket.destroy();
  await untilCounts(rig, 20, 0);
  for (const socket of flood) socket.destroy();
  await untilCounts(rig, 0, 0);
});

test('H32: nothing of a body is read before there is a place, and what was sent meanwhile is read then', async () => {
  await using rig = await httpRig({}, {}, { places: { ofHousehold: 1, waitMs: 60_000 } });
  const first = await dial(rig, slowBody(rig));
  await untilCounts(rig, 1, 0);
  const body = JSON.stringify({ email: 'ada@example.org', password: 'x' });
  const second = await dial(rig, `${head(rig, 'POST /api/auth/sign-in', 'Content-Type: application/json', `Content-Length: ${body.length}`)}${body}`);
  await untilCounts(rig, 1, 1);
  assert.deepEqual(
    rig.auth.lines.filter(({ event }) => event === 'auth'),
    [],
  );
  const answer = once(second, 'data');
  first.destroy();
  assert.match(String(await answer), /^HTTP\/1\.1 401 /);
  await untilCounts(rig, 0, 0);
});

test('H32: an answer that nobody takes keeps its place, of its own address alone, until its connection ends', async () => {
  await using rig = await httpRig({}, {}, { places: { ofHousehold: 3, waitMs: 60_000 } });
  await writeFile(join(rig.webRoot, 'large.png'), Buffer.alloc(24 * 1_024 * 1_024, 1));
  const flood = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const socket = await dial(rig, '');
      socket.pause().write(head(rig, 'GET /large.png'));
      return socket;
    }),
  );
  await untilCounts(rig, 3, 2);
  assert.equal((await rig.ask('GET', '/icon.png')).status, 200);
  const [read, ...unread] = flood;
  let total = 0;
  read?.on('data', (chunk) => {
    total += chunk.length;
  });
  read?.resume();
  await until({ what: 'one answer to be whole', check: () => total > 24 * 1_024 * 1_024 || undefined, pollMs: 5, deadlineMs: 20_000 });
  await untilCounts(rig, 3, 1);
  for (const socket of unread) socket.destroy();
  await untilCounts(rig, 0, 0);
});

const FOR_EVER_MS = 3_600_000;
const LARGE_BYTES = 24 * 1_024 * 1_024;
/** The file is read, and its hash made, within this on a busy machine too: else nothing of it could be taken. */
const PATIENCE_MS = 3_000;

/** Asks for what does not fit into the buffers of a connection, pauses as `take` does until it is given up, and answers with how much came. */
async function takeLarge(rig: HttpRig, take: (socket: Socket) => void): Promise<number> {
  await writeFile(join(rig.webRoot, 'large.png'), Buffer.alloc(LARGE_BYTES, 1));
  const socket = await dial(rig, head(rig, 'GET /large.png'));
  let taken = 0;
  socket.on('data', (chunk) => {
    taken += chunk.length;
  });
  const pausing = (): void => take(socket);
  socket.on('data', pausing);
  await untilCounts(rig, 1, 0);
  await untilCounts(rig, 0, 0);
  socket.off('data', pausing).resume();
  await within('the end of the connection', once(socket, 'close'));
  return taken;
}

test('H32: an answer of which nothing is taken for a while is given up, and its place is free', async () => {
  await using rig = await httpRig({}, {}, { patience: { stalledMs: PATIENCE_MS, longestMs: FOR_EVER_MS } });
  const taken = await takeLarge(rig, (socket) => socket.pause());
  assert.ok(taken > 0 && taken < LARGE_BYTES, String(taken));
});

test('H32: an answer of which something is taken again and again is given up when it takes too long in all', async () => {
  await using rig = await httpRig({}, {}, { patience: { stalledMs: FOR_EVER_MS, longestMs: PATIENCE_MS } });
  const taken = await takeLarge(rig, (socket) => {
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  assert.ok(taken > 0 && taken < LARGE_BYTES, String(taken));
});

test('H32: of requests that are sent behind one another on one connection, none keeps a place when it ends', async () => {
  await using rig = await httpRig();
  const socket = await dial(rig, `${head(rig, 'GET /healthz').repeat(10)}${slowBody(rig)}${head(rig, 'GET /healthz')}`);
  await untilCounts(rig, 1, 0);
  socket.destroy();
  await untilCounts(rig, 0, 0);
});

test('H32, H3: who has waited for too long is told to wait, with Retry-After and the security headers', async () => {
  await using rig = await httpRig({}, {}, { places: { ofHousehold: 1, waitMs: 50 } });
  const slow = await dial(rig, slowBody(rig));
  await untilCounts(rig, 1, 0);
  const socket = await dial(rig, head(rig, 'GET /api/me'));
  const [refused] = await once(socket.setEncoding('latin1'), 'data');
  assert.match(String(refused), /^HTTP\/1\.1 429 Too Many Requests\r\n(?:.+\r\n)*Retry-After: 2\r\n/);
  assert.match(String(refused), /default-src 'none'(?:.|\r\n)*"code":"rate_limited"/);
  assert.deepEqual(refusedBy(rig), [{ labels: { where: 'http', code: 'rate_limited' }, value: 1 }]);
  assert.equal(rig.auth.lines.filter(({ event }) => event === 'requests_crowded').length, 1);
  slow.destroy();
  await untilCounts(rig, 0, 0);
});

/** Holds what this person changes about themselves, as a slow database would. */
async function holdAccount(rig: HttpRig, id: string) {
  const { pool } = rig.auth.database;
  const holder = await pool.connect();
  await holder.query('begin');
  await holder.query('select 1 from users where id = $1 for update', [id]);
  const held = async (): Promise<number | null> =>
    (await pool.query("select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")).rowCount;
  return {
    held,
    untilHeld: async (count: number): Promise<void> => {
      while ((await held()) !== count) await pause(20);
    },
    letGo: () => holder.query('rollback'),
    [Symbol.dispose]: () => holder.release(true),
  };
}

test('H33: a person whose requests the database holds keeps nobody else from it, and has every one of thirty answered in the end', async () => {
  await using rig = await peopleRig({}, {}, { people: { waitMs: 60_000 } });
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  using hold = await holdAccount(rig, ada.id);
  const asked = Promise.all(Array.from({ length: 30 }, (_, number) => ada.post('/api/account', { name: `Ada ${number}` })));
  await untilCounts(rig, 30, 0);
  await within('six to be held', hold.untilHeld(6), 20_000);
  for (let round = 0; round < 3; round += 1) assert.equal((await bob.get('/api/me')).status, 200);
  assert.equal(await hold.held(), 6);
  await hold.letGo();
  assert.deepEqual([...new Set((await asked).map(({ status }) => status))], [200]);
  await untilCounts(rig, 0, 0);
});

test('H32: who goes away while the database works for them keeps the place until that is over', async () => {
  await using rig = await peopleRig({}, {}, { places: { ofHousehold: 2, waitMs: 60_000 } });
  const ada = await rig.member('Ada');
  using hold = await holdAccount(rig, ada.id);
  const body = JSON.stringify({ name: 'Eve' });
  const text = head(rig, 'POST /api/account', 'Content-Type: application/json', `Cookie: ${ada.cookie}`, `Content-Length: ${body.length}`) + body;
  const gone = [await dial(rig, text), await dial(rig, text)];
  await within('both to be held', hold.untilHeld(2), 20_000);
  for (const socket of gone) socket.destroy();
  const third = await dial(rig, head(rig, 'GET /healthz'));
  await untilCounts(rig, 2, 1);
  const answer = once(third, 'data');
  await hold.letGo();
  assert.match(String((await answer)[0]), /^HTTP\/1\.1 200 /);
  await untilCounts(rig, 0, 0);
});

test('H32, H33: thirty requests of one person at once are all answered', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const answers = await Promise.all(Array.from({ length: 30 }, () => ada.get('/api/me')));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.deepEqual(refusedBy(rig), []);
});
