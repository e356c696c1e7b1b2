import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { unfold, type WatchedPage } from '../watched-page.ts';
import type { Stage } from './stage.ts';
import type { StoredCall, StoredSession } from './stored-rows.ts';
import { filledInput, TOOLS, toolFields } from './text-fields.ts';

type Tool = keyof typeof TOOLS;

/** What these hold is shown in a form of its own. */
const WITH_OWN_CARD: readonly string[] = ['apply_patch', 'ask_user_questions', 'undo_changes', 'update_plan'];
const PLAIN_TOOLS = (Object.keys(TOOLS) as Tool[]).filter(
  (tool) => !WITH_OWN_CARD.includes(tool) && toolFields().some((field) => field.startsWith(`${tool}.`)),
);
/** An answer of the server has at most a megabyte of calls. */
const TOOLS_AT_ONCE = 12;
const AT = new Date().toISOString();

/** A list in an input is shown as JSON, which has strokes before its quotes. */
function inList(field: string, payload: string): string {
  return field.endsWith('[]') ? JSON.stringify(payload.replaceAll(/[\t\n]/g, ' ')).slice(1, -1) : payload;
}

/** What a model asks for, before it is decided and after. */
export function cardScenes(stage: Stage): void {
  const { words } = stage;

  test('U29: through everything that a tool is asked to do, on the card that asks and on the card of what was done', async () => {
    const asked = await wordsOfCards(stage, [
      ...PLAIN_TOOLS.map((tool) => plainCall(stage, tool, 'awaiting_approval')),
      foreignCall(stage, 'awaiting_approval'),
    ]);
    await stage.sees('approval cards', asked.last, { before: asked.text, shownAs: inList });
    const done = await wordsOfCards(stage, [
      ...PLAIN_TOOLS.map((tool) => plainCall(stage, tool, 'cancelled')),
      ...[foreignCall(stage, 'cancelled'), { tool: 'update_plan', input: filledInput('update_plan', words), state: 'succeeded' as const }],
      ...decidedCalls(stage),
    ]);
    await stage.sees('decided cards', done.last, { before: done.text, shownAs: inList });
  });

  test('U29: through the name of a tool, in the title of its card', async () => {
    const calls = words.rowsOf('call.tool', 1).map((tool): StoredCall => ({ tool, input: {}, state: 'cancelled' }));
    const [id] = await stage.rows.sessions([{ calls }]);
    await stage.sees('titles of cards', await stage.visit(`/s/${id}`));
  });

  test('U29: through the files of a patch, of a diff and of an undo', async () => {
    const [changed, undone] = await stage.rows.sessions([
      { status: 'waiting_for_user', calls: changes(stage) },
      { status: 'waiting_for_user', calls: undoes(stage) },
    ]);
    const files = await stage.visit(`/s/${changed}`);
    await files.device.approval.getByText(/^File 2 of /).waitFor();
    await unfold(files.device.page);
    await stage.sees('changed files', files);
    const undo = await stage.visit(`/s/${undone}`, files);
    await undo.device.page.getByText('Not undone: what else the turn did').first().waitFor();
    await unfold(undo.device.page);
    assert.equal(await undo.device.page.getByRole('region', { name: 'Files to put back' }).count(), 2);
    await stage.sees('undo card', undo);
  });

  test('U29: through questions with their options, and through answers', async () => {
    const input = filledInput('ask_user_questions', words);
    const call: StoredCall = { tool: 'ask_user_questions', input, kind: 'pause', effect: 'read', state: 'awaiting_answer' };
    const questions = words.rows('answers.answers[].question');
    const answers = words.rows('answers.answers[].answer').map((answer, index) => ({ question: questions[index], answer }));
    const content = [{ type: 'text' as const, text: JSON.stringify({ answers }) }];
    const [open, answered] = await stage.rows.sessions([
      { status: 'waiting_for_user', calls: [call] },
      {
        calls: [
          { ...call, state: 'succeeded', result: { status: 'succeeded', content } },
          { ...call, state: 'succeeded' },
        ],
      },
    ]);
    const questioned = await stage.visit(`/s/${open}`);
    await stage.sees('open question', questioned);
    await stage.sees('answered questions', await stage.visit(`/s/${answered}`, questioned));
  });
}

/** A few sessions, because none may hold so many calls. What their pages say, and the last of them. */
async function wordsOfCards(stage: Stage, calls: readonly StoredCall[]): Promise<{ last: WatchedPage; text: string }> {
  const sessions: StoredSession[] = [];
  for (let at = 0; at < calls.length; at += TOOLS_AT_ONCE) sessions.push({ status: 'waiting_for_user', calls: calls.slice(at, at + TOOLS_AT_ONCE) });
  const watched = await stage.visit();
  let text = '';
  for (const [index, id] of (await stage.rows.sessions(sessions)).entries()) {
    await watched.device.open(`/s/${id}`);
    const count = sessions[index]?.calls?.length ?? 0;
    await watched.device.page
      .locator('[data-call], [data-testid="tool-call"], [aria-label="Plan"]')
      .nth(count - 1)
      .waitFor();
    await unfold(watched.device.page);
    text += await stage.hears(watched);
  }
  return { last: watched, text };
}

function plainCall({ words }: Stage, tool: Tool, state: StoredCall['state']): StoredCall {
  const isDiff = tool === 'edit_file';
  return { tool, input: filledInput(tool, isDiff ? { ...words, all: words.inLines } : words), effect: TOOLS[tool].effect, state };
}

/** Of a tool that nobody knows, in a folder that is called like anything. */
function foreignCall({ words }: Stage, state: StoredCall['state']): StoredCall {
  const values = words.rows('call.input');
  const input = Object.fromEntries(words.rows('name of a field of a foreign input').map((name, index) => [name, values[index]]));
  return { tool: words.all('call.tool'), input, workspace: words.all('call.workspace'), state };
}

function decidedCalls({ words }: Stage): StoredCall[] {
  const decision = { by: 'somebody', decision: 'deny' as const, scope: 'once' as const, at: AT };
  const resources = words
    .rows('toolContent(resource).resource.text')
    .map((text, index) => ({ type: 'resource' as const, resource: { uri: `file:///${index}`, text } }));
  const blobs = words.rows('toolContent(resource).resource.uri').map((uri) => ({ type: 'resource' as const, resource: { uri, blob: 'AA==' } }));
  const images = words.rows('toolContent(image).mimeType').map((mimeType) => ({ type: 'image' as const, data: 'AA==', mimeType }));
  const text = { type: 'text' as const, text: words.all('toolContent(text).text') };
  const errors = words.rowsUpTo('toolResult.error.message', 10_000).map((message) => ({ code: 'failed', message }));
  const failed = { tool: 'bash', input: {}, state: 'failed' as const };
  const resolution = { outcome: 'done' as const, by: 'somebody', via: words.all('resolution.via'), note: words.all('resolution.note'), at: AT };
  return [
    { tool: 'bash', input: {}, state: 'denied', decision: { ...decision, reason: words.all('decision.reason'), via: words.all('decision.via') } },
    { ...failed, result: { status: 'failed', content: [...resources, ...blobs, ...images, text] } },
    ...errors.map((error) => ({ ...failed, result: { status: 'failed' as const, content: [], error } })),
    { tool: 'bash', input: {}, state: 'unknown', resolution },
  ];
}

function changes({ words }: Stage): StoredCall[] {
  const lines = words.rows('apply_patch.patch');
  const sections = words.rows('name of a file in a patch').map((path, index) => `*** Add File: ${path}\n+${lines[index]}`);
  const patch = `*** Begin Patch\n${sections.join('\n')}\n*** End Patch`;
  const shown = words.rows('toolMeta.diff');
  const diff = `--- a/x\n+++ b/x\n@@ -0,0 +1,${shown.length} @@\n${shown.map((line) => `+${line}\n`).join('')}`;
  const named = words.rows('name of a file in a diff').map((name) => `--- a/${name}\n+++ b/${name}\n@@ -0,0 +1,1 @@\n+x\n`);
  const done = (of: string) => ({ state: 'succeeded' as const, result: { status: 'succeeded' as const, content: [], meta: { diff: of } } });
  return [
    { tool: 'apply_patch', input: { patch }, effect: 'write', state: 'awaiting_approval' },
    { tool: 'edit_file', input: { path: 'x', oldText: '', newText: '' }, effect: 'write', ...done(diff) },
    { tool: 'apply_patch', input: { patch }, effect: 'write', ...done(named.join('')) },
  ];
}

/** An undo names at most 200 other things: there are two. */
function undoes({ words }: Stage): StoredCall[] {
  const files = words.rows('undo_changes.files[]');
  const what = words.rowsOf('undo_changes.others[].what', 1);
  const others = words.rowsOf('undo_changes.others[].tool', 1).map((tool, index) => ({ tool, what: what[index] }));
  const why = words.rows('undoneFile.why');
  const undone = words.rows('undoneFile.path').map((path, index) => ({ path, outcome: 'left' as const, why: why[index] ?? '' }));
  const call: StoredCall = { tool: 'undo_changes', input: {}, effect: 'write', state: 'awaiting_approval' };
  const input = (from: number, to: number) => ({ calls: [randomUUID()], files, others: others.slice(from, to) });
  return [
    { ...call, input: input(0, 200) },
    { ...call, input: input(200, others.length) },
    { ...call, input: input(0, 1), state: 'succeeded', result: { status: 'succeeded', content: [], meta: { undone } } },
  ];
}
