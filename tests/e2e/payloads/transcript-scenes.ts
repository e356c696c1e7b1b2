import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createGate, runs, says, thinks, waitsFor } from '@tendon/testing';
import { unfold, type WatchedPage } from '../watched-page.ts';
import { inMarkdown } from './in-markdown.ts';
import type { Stage } from './stage.ts';

/** A thought is no markdown. */
const asMarkdown = (field: string, payload: string): string => (field === 'part(reasoning).text' ? payload : inMarkdown(payload));

/** What a person, a model and a command say, through the model's stream, the sockets and the machine. */
export function transcriptScenes(stage: Stage): void {
  const { rig, words } = stage;

  test('U29: through a message, what a model thinks and answers while it does, and messages that wait', async () => {
    const seen = await stage.visit();
    const { device } = seen;
    const gate = createGate();
    rig.model.script([...thinks(words.all('part(reasoning).text')), ...says(...pieces(words.paragraphs('session:delta.text'))), waitsFor(gate)]);
    rig.model.otherwise(() => says('Read.'));
    await device.say(words.all('part(text).text'));
    await device.button('Thinking').or(device.button('Thought about it')).click();
    await stage.sees('live answer', seen, { part: device.transcript, shownAs: asMarkdown });
    await stage.sees('message', seen, { part: device.page.getByRole('article', { name: 'You' }) });
    await queueUp(stage, device.path.slice(3));
    await stage.sees('queue', seen, { part: device.queue });
    gate.open();
    // Until all that waited is answered: the next test's session would get an answer of this one else.
    await device.queue.waitFor({ state: 'detached' });
    await device.isIdle();
  });

  test('U29: through what a command prints while it runs', async () => {
    const seen = await stage.visit();
    const { device } = seen;
    await writeFile(join(rig.workspace, 'payloads.txt'), words.all('session:attach.outputs[].text'));
    rig.model.script([runs('cat payloads.txt; until [ -e go ]; do sleep 0.05; done')], says('Printed.'));
    await device.say('print them');
    await device.button('Approve').click();
    await showOutput(seen, 'Live output');
    await stage.sees('live output', seen, { part: device.page.getByRole('region', { name: 'Live output' }) });
    await device.page.reload();
    await showOutput(seen, 'Live output');
    await stage.sees('live output', seen, { part: device.page.getByRole('region', { name: 'Live output' }) });
    await writeFile(join(rig.workspace, 'go'), '');
    await device.answered('Printed.').waitFor();
    await showOutput(seen, 'Output');
    await stage.sees('live output', seen, { part: device.page.getByRole('region', { name: 'Output' }) });
  });

  test('U29: through what was thought and answered, the names of attachments, and the error of a turn', async () => {
    const attachments = words
      .rowsUpTo('part(attachment).name', 500)
      .map((name) => ({ type: 'attachment' as const, name, mediaType: 'text/plain', attachmentId: randomUUID() }));
    const [answered = '', attached = '', failed = ''] = await stage.rows.sessions([
      {
        parts: [
          { type: 'reasoning', text: words.all('part(reasoning).text') },
          { type: 'text', text: words.paragraphs('part(text).text') },
        ],
      },
      { parts: attachments },
      { parts: [{ type: 'text', text: 'It failed.' }], error: { code: 'model_failed', message: words.all('fault.message') } },
    ]);
    const answer = await stage.visit(`/s/${answered}`);
    await answer.device.button('Thought about it').click();
    await stage.sees('stored answer', answer, { part: answer.device.transcript, shownAs: asMarkdown });
    await stage.sees('attachments', await stage.visit(`/s/${attached}`, answer));
    await stage.sees('failed turn', await stage.visit(`/s/${failed}`, answer));
  });
}

/** As a stream cuts them, anywhere. */
function pieces(text: string): string[] {
  return text.match(/.{1,400}/gs) ?? [];
}

async function queueUp({ rig, words }: Stage, sessionId: string): Promise<void> {
  await using socket = await rig.product.connect();
  for (const text of words.rowsOf('part(text).text', 110)) await socket.request('agent:execute', { sessionId, messageId: randomUUID(), text });
}

/** The whole of an output: its last lines come first. */
async function showOutput({ device: { page } }: WatchedPage, name: string): Promise<void> {
  await page.getByRole('region', { name, exact: true }).waitFor();
  await page.getByRole('button', { name: /^Show .* earlier line/ }).waitFor();
  await unfold(page);
}
