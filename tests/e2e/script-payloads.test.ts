import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { browserRig } from './browser-rig.ts';
import { cardScenes } from './payloads/card-scenes.ts';
import { listScenes } from './payloads/list-scenes.ts';
import { machineScenes } from './payloads/machine-scenes.ts';
import { peopleScenes } from './payloads/people-scenes.ts';
import { relayScenes } from './payloads/relay-scenes.ts';
import { PLACES, rowsAndFields, TABLES_OF_PROTOCOL } from './payloads/shown-fields.ts';
import { Stage } from './payloads/stage.ts';
import { transcriptScenes } from './payloads/transcript-scenes.ts';

/*
 * Every payload through every text field that a page shows, in real Chromium: put in through the model, the sockets or the database, and then
 * looked for on the page, letter by letter. The page's policy would keep most of them from running; none may get as far: an attempt is a
 * complaint of the page, and the rig fails on those.
 */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));
const stage = await Stage.open(rig);

test('U29: every text field of the protocol and of the database has a row in the table, and every row a field', async () => {
  const columns = await rig.product.sql<{ name: string }>(
    `select table_name || '.' || column_name as name from information_schema.columns
     where table_schema = 'public' and data_type in ('text', 'ARRAY') and table_name <> all($1::text[])`,
    [TABLES_OF_PROTOCOL],
  );
  const { rows, fields } = rowsAndFields(columns.map(({ name }) => name));
  assert.deepEqual(rows, fields);
});

transcriptScenes(stage);
cardScenes(stage);
listScenes(stage);
machineScenes(stage);
relayScenes(stage);
peopleScenes(stage);

test('U29: each place of the table was looked at', () => {
  assert.deepEqual(
    PLACES.filter((place) => !stage.seen.has(place)),
    [],
  );
});
