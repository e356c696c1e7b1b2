import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { relayRig, startAgentDouble } from '@tendon/testing';
import { LocalApprovals } from '../policy/local-approvals.ts';

/** So many pages may be open at a relay. */
const MOST_PAGES = 64;

test('L4, L8: a page that says goodbye in the very post with which it comes in takes no place, nor a connection to the server', async () => {
  let letIn = 0;
  await using server = await startAgentDouble({
    refuse: () => {
      letIn += 1;
      return undefined;
    },
    answer: () => ({ ok: true, data: { sessions: [] } }),
    http: () => ({ status: 404, body: {} }),
  });
  await using rig = await relayRig({ serverUrl: server.url, key: 'a key', approvals: new LocalApprovals('0199c0de-0000-7000-8000-00000000aaaa') });
  const browser = await rig.signIn();
  const headers = { Cookie: browser.cookie, Origin: rig.relay.url };
  const polling = `${rig.relay.url}${SOCKET_PATH}?EIO=4&transport=polling`;
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const token = await rig.token(browser);
    const opened = await (await fetch(polling, { headers })).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    const auth = { protocol: PROTOCOL_VERSION, token, client: { name: 'a page', version: '0' } };
    const body = `40/agent,${JSON.stringify(auth)}\x1e1`;
    await (await fetch(`${polling}&sid=${sid}`, { method: 'POST', headers: { ...headers, 'Content-Type': 'text/plain;charset=UTF-8' }, body })).text();
  }
  await rig.page({ browser });
  assert.equal(letIn, 1);
});
