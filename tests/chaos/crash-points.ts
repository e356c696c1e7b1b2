/** A named place in the real source where a process is killed, as by `kill -9`. */
export interface CrashPoint {
  readonly name: string;
  /** Which process dies there. */
  readonly part: 'server' | 'gateway';
  /** What is going on: a message with a command, a stop of a command, or a gateway that comes back after one died in mid-command. */
  readonly leg: 'work' | 'stop' | 'return';
  /** Path below the repository's root. */
  readonly file: string;
  /** The process dies just before this. Must stand in the file exactly once. */
  readonly before: string;
  /** An expression in that place: it dies only when this holds. */
  readonly when?: string;
}

const SERVER = 'packages/server/src';
const GATEWAY = 'packages/gateway/src';

/** The three moments of a commit: not written, written and told to nobody, told and not acted upon. */
function aroundCommit(leg: CrashPoint['leg'], input: string): CrashPoint[] {
  const write = { part: 'server', leg, file: `${SERVER}/store/committer.ts`, when: `request.input.type === '${input}'` } as const;
  return [
    { ...write, name: `${leg}: ${input} is decided and not written`, before: '    const rows = await run(database, writeChange,' },
    { ...write, name: `${leg}: ${input} is written and nobody knows`, before: '    return rows.length === 1;' },
    {
      ...write,
      name: `${leg}: ${input} is told and not acted upon`,
      file: `${SERVER}/runner/session-actor.ts`,
      before: '    this.#act(state, outcome.owed);\n',
      when: `input.type === '${input}'`,
    },
  ];
}

function request(leg: CrashPoint['leg'], name: string): CrashPoint[] {
  const file = `${SERVER}/transport/requests.ts`;
  const when = `packet.name === '${name}'`;
  return [
    {
      name: `${leg}: ${name} has come and is not handled`,
      part: 'server',
      leg,
      file,
      before: '  acknowledge(packet, desk, await run(route, payload, desk));',
      when,
    },
    { name: `${leg}: ${name} is handled and not acknowledged`, part: 'server', leg, file, before: '  if (!packet.acknowledge) return;\n', when },
  ];
}

/** The three moments of a line in the gateway's journal. */
function aroundLine(leg: CrashPoint['leg'], kind: string): CrashPoint[] {
  const file = `${GATEWAY}/journal/journal.ts`;
  const when = `batch[0].line.kind === '${kind}'`;
  const point = (name: string, before: string): CrashPoint => ({ name: `${leg}: ${kind} is ${name}`, part: 'gateway', leg, file, before, when });
  return [
    point('not in the journal', '      await this.#handle.appendFile(data);'),
    point('in the journal and not synced', '      await this.#handle.datasync();\n    } catch (error) {\n      await this.#cutBack(error);'),
    point('synced', '    for (const { line } of batch) fold(this.#state, line);'),
  ];
}

/** Several places of one file, by their names. */
function placesIn(where: Pick<CrashPoint, 'part' | 'leg' | 'file'>, places: Readonly<Record<string, string>>): CrashPoint[] {
  return Object.entries(places).map(([name, before]) => ({ ...where, name: `${where.leg}: ${name}`, before }));
}

export const CRASH_POINTS: readonly CrashPoint[] = [
  ...['execute', 'turn_completed', 'decide', 'call_started', 'call_finished'].flatMap((input) => aroundCommit('work', input)),
  ...['agent:execute', 'tool:decide', 'tool:result'].flatMap((name) => request('work', name)),
  ...placesIn(
    { part: 'server', leg: 'work', file: `${SERVER}/runner/turn-run.ts` },
    {
      'the model is not asked yet': '    const outcome = await context.models.step(\n',
      'the model has answered': '    await this.#commit(await this.#inputOf(outcome, machine, machine && keptFolder(history, machine)));',
    },
  ),
  ...placesIn(
    { part: 'server', leg: 'work', file: `${SERVER}/runner/dispatcher.ts` },
    {
      'the hand-over is stored and not sent': '    machine.sent.add(call.id);',
      'the machine has answered the hand-over': '      if (answer.accepted) return;\n',
    },
  ),
  ...['stop', 'call_finished'].flatMap((input) => aroundCommit('stop', input)),
  ...request('stop', 'agent:stop'),
  ...placesIn(
    { part: 'server', leg: 'return', file: `${SERVER}/runner/gateway-desk.ts` },
    {
      'the hello has come': '  const greeting = await greetings.inOrder(',
      'the journal is not yet laid beside the rows': '  const answer = await reconcile(options, machine, { hello, open });',
      'the machine has arrived': '  // What was handed over to the connection before',
    },
  ),
  ...aroundCommit('return', 'call_finished'),

  ...placesIn(
    { part: 'gateway', leg: 'work', file: `${GATEWAY}/calls/call-desk.ts` },
    {
      'a dispatch has come': '    const shape = checkShape(payload);',
      'the policy is not asked yet': '    const refusal = (await this.#checkPolicySurely(call))',
      'a call is accepted and not begun': '    const run = this.#run(call, abort)',
      'the result is there and not journaled': '    if (!isRead) {\n',
    },
  ),
  ...['started', 'done', 'forgotten'].flatMap((kind) => aroundLine('work', kind)),
  ...placesIn(
    { part: 'gateway', leg: 'work', file: `${GATEWAY}/tools/bash.ts` },
    {
      'the command is not spawned': '  const child = startShell({ ...what, shell }, pipe, {',
      'the command is spawned and not known': '  const leader = await leaderOf(child, context);',
      'the command runs': '  const end = await ended;',
      'the command has ended': '  const { isHeld } = await pipe.drain();',
    },
  ),
  ...placesIn(
    { part: 'gateway', leg: 'work', file: `${GATEWAY}/link/outbox.ts` },
    {
      'the result is not sent': "    const answer = await acknowledged('tool:result',",
      'the result is acknowledged': '      this.#options.acknowledged(callId);\n      return this.pump();',
    },
  ),
  ...placesIn(
    { part: 'gateway', leg: 'stop', file: `${GATEWAY}/calls/call-desk.ts` },
    { 'a cancellation has come': "    if (this.book.abort(callId, { kind: 'cancelled' })" },
  ),
  ...aroundLine('stop', 'done'),
  ...placesIn(
    { part: 'gateway', leg: 'return', file: `${GATEWAY}/journal/leftovers.ts` },
    {
      'what was left running is not ended': '      await endProcesses({ callId, leader });',
      'what was left running is ended and not noted': "      const result: ToolResult = textResult('unknown', OUTCOME_UNKNOWN);",
    },
  ),
  ...placesIn(
    { part: 'gateway', leg: 'return', file: `${GATEWAY}/link/greeting.ts` },
    {
      'the hello is not sent': "  const answer = await acknowledged('gateway:hello',",
      'the hello is answered': '  for (const callId of answer.data.forget) {',
    },
  ),
];
