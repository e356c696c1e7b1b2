import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { heldCommand, runs, says, startTendon, type TendonProcess, temporaryFolder } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import type { SessionPage } from './session-page.ts';

/* One person with two machines, and a session that moves between them in the page. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));
const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const home = await temporaryFolder();
after(() => home[Symbol.asyncDispose]());

const STUDIO = 'studio-in-the-other-house.example';
/** The machine that `tendon start` brought along. */
const FIRST = hostname();

function startStudio(): Promise<TendonProcess> {
  return startTendon({
    args: ['gateway', '--server', rig.url, '--workspace', folder.path, '--name', STUDIO],
    env: { TENDON_HOME: home.path, TENDON_API_KEY: rig.product.key },
    scratch: home.path,
  });
}

let studio = await startStudio();
after(() => studio[Symbol.asyncDispose]());

const onFirst = { machine: FIRST, path: rig.workspace };
const onStudio = { machine: STUDIO, path: folder.path };
type Place = typeof onFirst;

/** Chooses a folder of a machine in the page's own control. */
async function choose(device: SessionPage, place: Place): Promise<void> {
  await device.button(/^Folder: /).click();
  await device.page.getByRole('menuitem', { name: place.path }).click();
  await device.button(`Folder: ${basename(place.path)} on ${place.machine}`).waitFor();
}

/** The card that waits names this machine and folder. */
async function isShownWith(device: SessionPage, place: Place): Promise<void> {
  await device.approval.getByText(place.machine, { exact: true }).waitFor();
  await device.approval.getByText(place.path, { exact: true }).waitFor();
}

const wrote = (place: Place, name: string) => existsSync(join(place.path, name)) && readFileSync(join(place.path, name), 'utf8').trim() === place.path;

/** In the page: the parts of a line that stand outside of it, or have no room in it. */
function outside(line: Element): string[] {
  const { left, right } = line.getBoundingClientRect();
  const isIn = (part: DOMRect): boolean => part.left >= left && part.right <= right && part.width > 8;
  return [...line.children].filter((part) => !isIn(part.getBoundingClientRect())).map((part) => part.outerHTML);
}

test('C16: a session moves to another machine by the page’s control; what waited keeps the machine that it was shown with, what comes next runs there', async () => {
  const device = await rig.device();
  await device.open();
  await choose(device, onFirst);
  rig.model.script([runs('pwd > before.txt')], says('Written at the first.'), [runs('pwd > after.txt')], says('Written at the second.'));
  await device.say('where are you?');
  await device.approval.waitFor();
  await isShownWith(device, onFirst);
  await choose(device, onStudio);
  await isShownWith(device, onFirst);
  await device.button(/^Approve/).click();
  await device.answered('Written at the first.').waitFor();
  assert.ok(wrote(onFirst, 'before.txt'), 'where it was shown');
  assert.ok(!existsSync(join(folder.path, 'before.txt')));
  await device.say('and now?');
  await isShownWith(device, onStudio);
  await device.button(/^Approve/).click();
  await device.answered('Written at the second.').waitFor();
  assert.ok(wrote(onStudio, 'after.txt'));
  assert.ok(!existsSync(join(rig.workspace, 'after.txt')));
  // It stays so: in another browser, and after a reload.
  const other = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await other.open(device.path);
  await other.button(`Folder: ${basename(folder.path)} on ${STUDIO}`).waitFor();
  await other.assertNoSidewaysScroll();
  assert.deepEqual(await seriousFaults(other.page, 'a session that moved'), []);
});

test('C16, G2: presence of both machines is shown; work for the one that went away waits, says so, and goes on when it is back', async () => {
  const device = await rig.device();
  const places = await rig.device();
  await places.open('/machines');
  const card = (name: string) => places.page.getByRole('listitem').filter({ has: places.page.getByRole('heading', { name, exact: true }) });
  await card(FIRST).getByText('Online').waitFor();
  await card(STUDIO).getByText('Online').waitFor();
  await card(STUDIO).getByText(folder.path).waitFor();
  await device.open();
  await choose(device, onStudio);
  rig.model.script([runs('pwd > waited.txt')], says('Back at work.'));
  await device.say('write down where you are');
  await isShownWith(device, onStudio);
  await studio.end('SIGKILL');
  await card(STUDIO)
    .getByText(/^Offline since/)
    .waitFor();
  await card(FIRST).getByText('Online').waitFor();
  await device.approval.getByText(`${STUDIO} is offline. Approved now, it runs when the machine is back.`).waitFor();
  await device.button(`Folder: ${basename(folder.path)} on ${STUDIO}, offline`).waitFor();
  await device.button(/^Approve/).click();
  await device.calls.getByText(`Waiting for ${STUDIO}`).waitFor();
  await device.page.getByText(`${STUDIO} is offline. This goes on when it is back; nothing is lost.`).waitFor();
  // Moving the session on does not hide what it waits for, and does not take the call along.
  await choose(device, onFirst);
  await device.page.getByText(`${STUDIO} is offline. This goes on when it is back; nothing is lost.`).waitFor();
  assert.ok(!existsSync(join(rig.workspace, 'waited.txt')));
  studio = await startStudio();
  await device.answered('Back at work.').waitFor();
  assert.ok(wrote(onStudio, 'waited.txt'));
  assert.ok(!existsSync(join(rig.workspace, 'waited.txt')));
  await card(STUDIO).getByText('Online').waitFor();
  await device.page.getByText(`${STUDIO} is offline`).waitFor({ state: 'detached' });
});

test('C16: a session whose next machine is away does not say so of a call that runs elsewhere; one whose machine dies says that nothing is heard', async () => {
  const device = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await device.open();
  await choose(device, onStudio);
  const held = await heldCommand(folder.path);
  rig.model.script([held.step]);
  await device.say('hold on');
  await device.approval.waitFor();
  await device.button(/^Approve/).click();
  await held.pids();
  await device.calls.getByText('Running', { exact: true }).waitFor();
  await studio.end('SIGKILL');
  await device.calls.getByText(`No word from ${STUDIO}`).waitFor();
  await device.page.getByText(`${STUDIO} is offline. This goes on when it is back; nothing is lost.`).waitFor();
  await device.assertNoSidewaysScroll();
  assert.deepEqual(await device.calls.getByRole('button', { expanded: true }).evaluate(outside), [], 'title and state stand inside of their card');
  const elsewhere = await rig.device();
  await elsewhere.open();
  await choose(elsewhere, onFirst);
  const here = await heldCommand(rig.workspace);
  rig.model.script([here.step], says('Here it is over.'));
  await elsewhere.say('hold on here');
  await elsewhere.approval.waitFor();
  await elsewhere.button(/^Approve/).click();
  await here.pids();
  await elsewhere.button(/^Folder: /).click();
  await elsewhere.page.getByText(`${STUDIO}, offline`).waitFor();
  await elsewhere.page.getByRole('menuitem', { name: folder.path }).click();
  await elsewhere.button(`Folder: ${basename(folder.path)} on ${STUDIO}, offline`).waitFor();
  await elsewhere.calls.getByText('Running', { exact: true }).waitFor();
  assert.equal(await elsewhere.page.getByText('nothing is lost').count(), 0);
  await here.letEnd();
  await elsewhere.answered('Here it is over.').waitFor();
  // Killed in the middle: what it had begun is of unknown outcome, the agent is told, and its person is asked.
  rig.model.script(says('I do not know how that ended.'));
  studio = await startStudio();
  await device.calls.getByText('Outcome unknown').first().waitFor();
  await device.answered('I do not know how that ended.').waitFor();
});
