import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type RelayRig, relayRig, STUBBORN_CLIENTS, type StubbornDoor, startAgentDouble, within } from '@tendon/testing';
import { LocalApprovals } from '../policy/local-approvals.ts';

/** Only met when something is wrong: under the half minute after which others would end such a connection. */
const LIMIT_MS = 20_000;

const server = await startAgentDouble({
  refuse: () => undefined,
  answer: () => ({ ok: true, data: { sessions: [] } }),
  http: () => ({ status: 404, body: {} }),
});
after(() => server[Symbol.asyncDispose]());

function openRelay(): Promise<RelayRig> {
  return relayRig({ serverUrl: server.url, key: 'a key', approvals: new LocalApprovals('0199c0de-0000-7000-8000-00000000aaaa') });
}

async function doorOf(rig: RelayRig): Promise<StubbornDoor> {
  const browser = await rig.signIn();
  const token = (await rig.token(browser)) ?? assert.fail('the relay gives no token');
  return { port: rig.relay.port, namespace: '/agent', token, headers: { Cookie: browser.cookie, Origin: rig.relay.url } };
}

for (const { title, open } of STUBBORN_CLIENTS)
  test(`L8: the relay does not wait for a page that ${title}`, async () => {
    const rig = await openRelay();
    const client = await open(await doorOf(rig));
    try {
      await within('the relay to close, for both who ask', Promise.all([rig.relay.close(), rig.relay.close()]), LIMIT_MS);
    } finally {
      client.destroy();
    }
  });
