import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import { relayRig } from '@tendon/testing';
import { evilUpstream } from '../../attacks/evil-upstream-rig.ts';
import { type WatchedPage, watchedStranger } from '../watched-page.ts';
import { inMarkdown } from './in-markdown.ts';
import { listsOf, loadAll } from './list-scenes.ts';
import type { Stage } from './stage.ts';

/** The page of a machine's relay, which shows the words of another's server. */
export function relayScenes(stage: Stage): void {
  const { rig, words } = stage;

  test('U29: through the relay of a machine, which shows the same', async () => {
    await listsOf(stage);
    const approvals = new LocalApprovals(randomUUID());
    await using front = await relayRig({ serverUrl: rig.url, key: rig.product.key, approvals });
    const call = { tool: 'bash', input: { command: 'x' }, workspace: words.all('call.workspace'), state: 'awaiting_approval' as const };
    const [id] = await stage.rows.sessions([
      { status: 'waiting_for_user', parts: [{ type: 'text', text: words.paragraphs('part(text).text') }], calls: [call] },
    ]);
    const seen = await watchedStranger(rig, front.relay.url);
    const { page } = seen.device;
    await page.goto(front.relay.signInLink());
    await loadAll(seen);
    let text = await stage.hears(seen);
    const main = page.getByRole('main');
    // The page of machines lists MCP servers as well, which may come first.
    for (const [path, lastToCome] of [
      ['/machines', main.getByRole('heading', { name: 'machine 0', exact: true })],
      ['/permissions', main.locator('li').first()],
      [`/s/${id}`, main.locator('article').first()],
    ] as const) {
      await page.goto(`${front.relay.url}${path}`);
      await lastToCome.waitFor();
      text += await stage.hears(seen);
    }
    await stage.sees('relay', seen, { before: text, shownAs: (field, payload) => (field === 'part(text).text' ? inMarkdown(payload) : payload) });
    // Before its relay: it would complain that nobody is there any more.
    await page.close();
  });

  test('U29: through whatever a server says, at the page of a relay', async () => {
    await using server = await evilUpstream();
    server.answer = { ok: false, error: { code: 'conflict', message: words.all('words of a server’s refusal') } };
    server.welcome.push({ name: 'server:notice', payload: { code: 'said', message: words.all('server:notice.message') } });
    await using front = await relayRig({ serverUrl: server.url, key: 'tdn_key', approvals: new LocalApprovals(randomUUID()) });
    rig.allow(/status of 503/);
    const seen = await watchedStranger(rig, front.relay.url);
    await seen.device.page.goto(`${front.relay.signInLink()}&to=/permissions`);
    await seen.device.page.getByRole('main').getByRole('alert').waitFor();
    const text = await stage.hears(seen);
    await stage.sees('evil server', seen, { before: `${text}${await refusals(stage, { seen, server })}` });
    await seen.device.page.close();
  });
}

/** A refused handshake has few words: the page tries again for each few. */
async function refusals(stage: Stage, { seen, server }: { seen: WatchedPage; server: Awaited<ReturnType<typeof evilUpstream>> }): Promise<string> {
  const { page } = seen.device;
  let text = '';
  for (const message of stage.words.rowsUpTo('words of a refused handshake', 2_000)) {
    server.refusal = { code: 'unsupported_protocol', message };
    if (text === '') await page.reload();
    else await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'Not connected' }).waitFor();
    const mark = /\(\d+\.\d+\)$/.exec(message)?.[0] ?? '';
    await page.getByRole('main').getByText(mark, { exact: false }).waitFor();
    text += await stage.hears(seen);
  }
  return text;
}
