/** A fault put into the real source as it is loaded. The simulation must find each of them. */
export interface PlantedFault {
  readonly name: string;
  /** Path below the repository's root. */
  readonly file: string;
  /** Must stand in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const GATEWAY = 'packages/gateway/src';
const SERVER = 'packages/server/src';

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: 'the effect comes before the journal',
    file: `${GATEWAY}/calls/call-desk.ts`,
    find: `    if (call.prepared.effect === 'read') return undefined;
    const { callId, tool, inputHash } = call.command;`,
    replace: `    if (call.prepared.effect !== 'none') return undefined;
    const { callId, tool, inputHash } = call.command;`,
  },
  {
    name: "the machine's own policy is not asked",
    file: `${GATEWAY}/calls/check-call.ts`,
    find: "  if (action === 'deny')\n",
    replace: "  if (action === 'never')\n",
  },
  { name: 'a cancellation does not end a running call', file: `${GATEWAY}/calls/call-book.ts`, find: '    state.abort.abort(reason);', replace: '' },
  {
    name: 'the journal does not wait for the disk',
    file: `${GATEWAY}/journal/journal.ts`,
    find: '      await this.#handle.appendFile(data);\n      await this.#handle.datasync();',
    replace: '      await this.#handle.appendFile(data);',
  },
  {
    name: 'what was left running is taken for not started',
    file: `${GATEWAY}/journal/leftovers.ts`,
    find: "const result: ToolResult = textResult('unknown', OUTCOME_UNKNOWN);",
    replace: "const result: ToolResult = textResult('succeeded', OUTCOME_UNKNOWN);",
  },
  {
    name: 'a result is forgotten before it is acknowledged',
    file: `${GATEWAY}/link/outbox.ts`,
    find: "    if (answer.kind === 'ok') {",
    replace: "    if (answer.kind !== 'refused') {",
  },
  {
    name: 'an approval is not bound to what was shown',
    file: `${SERVER}/kernel/handlers/about-calls.ts`,
    find: '  if (call.inputHash !== input.inputHash) return refusal(',
    replace: "  if (input.inputHash === '') return refusal(",
  },
  {
    name: 'a stop leaves the turn running',
    file: `${SERVER}/kernel/turn-flow.ts`,
    find: '  draft.set({ turn: undefined, steps: 0 });\n  for',
    replace: '  draft.set({ steps: 0 });\n  for',
  },
  {
    name: 'a stop forgets calls that may run',
    file: `${SERVER}/kernel/turn-flow.ts`,
    find: 'if (mayRun) draft.writeCall',
    replace: 'if (mayRun && false) draft.writeCall',
  },
  {
    name: 'a late result overwrites a final state',
    file: `${SERVER}/kernel/handlers/about-calls.ts`,
    find: '  if (!isOpen) return answerCall(draft, stored.call);\n',
    replace: '',
  },
  {
    name: 'a repeated message is a new one',
    file: `${SERVER}/kernel/handlers/from-person.ts`,
    find: '  if (known) return repeated(draft, known, input);\n',
    replace: '',
  },
  {
    name: 'a message is acknowledged before it is stored',
    file: `${SERVER}/runner/agent-desk.ts`,
    find: ': await actor.commit(inputWith(undefined), commit);\n',
    replace:
      ": await Promise.race([actor.commit(inputWith(undefined), commit), Promise.resolve({ ok: true, answer: { type: 'accepted', messageId, seq: 1, queued: false } } as never)]);\n",
  },
  {
    name: 'events are stored and not told',
    file: `${SERVER}/runner/session-actor.ts`,
    find: "for (const event of told ?? []) fanout.toSession(this.sessionId, 'session:event', event);",
    replace: '',
  },
  {
    name: 'a refusal of a machine is not heard',
    file: `${SERVER}/runner/dispatcher.ts`,
    find: '      if (answer.accepted) return;\n',
    replace: '      if (answer.accepted || call.id) return;\n',
  },
  {
    name: 'a read that died with its gateway is waited for',
    file: `${SERVER}/runner/gateway-desk.ts`,
    find: "  if (call.state !== 'running' || !machine",
    replace: "  if (call.state !== 'cancelled' || !machine",
  },
  {
    name: 'calls of a lost journal are sent again',
    file: `${SERVER}/runner/gateway-desk.ts`,
    find: "  if (given !== instanceId) return { kind: 'commit', input: { type: 'call_lost', callId, instanceId: given, reason: LOST_JOURNAL } };\n",
    replace: '',
  },
  {
    name: 'the model is shown calls without their results',
    file: `${SERVER}/runner/history-cache.ts`,
    find: 'callsByMessage.get(message.id) ?? []',
    replace: '[]',
  },
  {
    name: 'no version and no epoch in the WHERE',
    file: 'tests/simulation/statements.ts',
    find: 'if (!row || row.version !== version || row.lease_epoch !== epoch || row.lease_node !== leaseNode) return rows([]);',
    replace: 'if (!row) return rows([]);',
  },
  { name: 'the status is written in a second transaction', file: 'tests/simulation/statements.ts', find: "  'steps',\n  'status',\n", replace: "  'steps',\n" },
  {
    name: 'text is stored without the fence',
    file: 'tests/simulation/statements.ts',
    find: '  if (!isOwner) return touched(0);',
    replace: '  if (!row) return touched(0);',
  },
  {
    name: 'a fork takes over calls that go on',
    file: 'tests/simulation/fork-statement.ts',
    find: 'if (open > 0 || unnamed > 0)',
    replace: 'if (unnamed > 0)',
  },
  {
    name: 'a fork takes over what came after its place',
    file: `${SERVER}/store/fork-session.ts`,
    find: "const lastSeq = message.role === 'user' ? message.seq - 1 : message.seq;",
    replace: 'const lastSeq = 2_147_483_646;',
  },
  {
    name: 'a client that was away does not ask for what it missed',
    file: 'packages/client/src/session/event-log.ts',
    find: '      return attach({ ...log, mends: 0 }, 1, false);',
    replace: "      return log.transcript.phase === 'loading' ? attach({ ...log, mends: 0 }, 1, false) : { log: { ...log, follow: { kind: 'following' } } };",
  },
  {
    name: 'what nobody owns is not taken up',
    file: `${SERVER}/runner/lease-keeper.ts`,
    find: 'for (const lease of claimed) onClaimed(lease, askedAt);',
    replace: '',
  },
  {
    name: 'a node that was paused streams on without its lease',
    file: `${SERVER}/runner/session-actor.ts`,
    find: 'this.#context.monotonicMs() - this.#leaseAskedAtMs < LEASE_SURE_MS',
    replace: 'this.#leaseAskedAtMs < LEASE_SURE_MS * Number.MAX_VALUE',
  },
  {
    name: 'a node does not look for what it missed of others',
    file: `${SERVER}/runner/neighbour-desk.ts`,
    find: '    for (const { sessionId, seq } of await store.places(',
    replace: '    for (const { sessionId, seq } of [].slice(',
  },
  {
    name: 'what another node has committed is not told here',
    file: `${SERVER}/runner/session-actor.ts`,
    find: '    await this.catchUp(state);\n    const lease',
    replace: '    const lease',
  },
  {
    name: 'the journal answers before it has written',
    file: `${GATEWAY}/journal/journal.ts`,
    find: 'const outcome = await this.#writeBatch(batch);',
    replace: 'for (const { settle } of batch) settle({ ok: true });\n      const outcome = await this.#writeBatch(batch);',
  },
  {
    name: 'a call on the server is begun by a node that it was not given to',
    file: `${SERVER}/runner/server-calls.ts`,
    find: 'else if (dispatch.instanceId !== node)',
    replace: "else if (dispatch.instanceId === '')",
  },
];
