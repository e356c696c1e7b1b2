import type { Call } from '@tendon/protocol';
import type { Device } from './device.ts';
import type { Machine } from './machine.ts';
import type { ActionKind, FaultKind, PlannedStep } from './plan.ts';
import type { Population } from './run-plan.ts';

type Perform = (population: Population, pick: number) => void;

const choose = <T>(items: readonly T[], pick: number): T | undefined => (items.length === 0 ? undefined : items[pick % items.length]);

/** A device and one of the sessions it has open. */
function place({ devices }: Population, pick: number): { device: Device; sessionId: string } | undefined {
  const device = choose(devices, pick);
  const sessionId = device && choose(device.sessionIds, Math.floor(pick / 16));
  return device && sessionId !== undefined ? { device, sessionId } : undefined;
}

/** Runs `act` where the pick says, and lets its answer come when it comes. */
function at(act: (device: Device, sessionId: string, population: Population & { pick: number }) => unknown): Perform {
  return (population, pick) => {
    const here = place(population, pick);
    if (here) void act(here.device, here.sessionId, { ...population, pick: Math.floor(pick / 64) });
  };
}

/** On a call that waits for a person, at whichever device shows one. */
function onCall(state: Call['state'], act: (device: Device, call: Call, population: Population & { pick: number }) => unknown): Perform {
  return (population, pick) => {
    const waiting = population.devices.flatMap((device) => device.callsIn(state).map((call) => ({ device, call })));
    const chosen = choose(waiting, pick);
    if (chosen) void act(chosen.device, chosen.call, { ...population, pick: Math.floor(pick / 64) });
  };
}

const ACTIONS: Readonly<Record<ActionKind, Perform>> = {
  say: at((device, sessionId, { world }) => device.say(sessionId, `words ${world.newId()}`, 'queue')),
  interrupt: at((device, sessionId, { world }) => device.say(sessionId, `words ${world.newId()}`, 'interrupt')),
  stop: at((device, sessionId) => device.ask('agent:stop', { sessionId })),
  go_on: at((device, sessionId) => device.ask('agent:continue', { sessionId })),
  approve: onCall('awaiting_approval', (device, call, { pick }) => {
    const scope = pick % 7 === 0 ? 'always' : pick % 5 === 0 ? 'session' : 'once';
    return device.ask('tool:decide', { sessionId: call.sessionId, callId: call.id, inputHash: call.inputHash, decision: 'approve', scope });
  }),
  deny: onCall('awaiting_approval', (device, { sessionId, id: callId, inputHash }) =>
    device.ask('tool:decide', { sessionId, callId, inputHash, decision: 'deny', reason: 'no' }),
  ),
  decide_wrongly: onCall('awaiting_approval', async (device, { sessionId, id: callId, inputHash }, { world }) => {
    const otherHash = `${inputHash.startsWith('x') ? 'y' : 'x'}${inputHash.slice(1)}`;
    const result = await device.ask('tool:decide', { sessionId, callId, inputHash: otherHash, decision: 'approve' });
    world.judge.check('I11', !result.ok, () => `call ${callId} was approved by a decision about something else`);
  }),
  answer: onCall('awaiting_answer', (device, { sessionId, id: callId }) =>
    device.ask('tool:result', { sessionId, callId, result: { answers: [{ question: 'Which?', answer: 'a' }] } }),
  ),
  resolve: onCall('unknown', (device, { sessionId, id: callId }, { pick }) =>
    device.ask('tool:resolve', { sessionId, callId, outcome: choose(['done', 'failed', 'again', 'again'] as const, pick) ?? 'done' }),
  ),
  cancel_message: at((device, sessionId, { pick }) => {
    const queued = device.view(sessionId)?.messages.filter((message) => message.state === 'queued') ?? [];
    const message = choose(queued, pick);
    return message && device.ask('message:cancel', { sessionId, messageId: message.id });
  }),
  edit_title: at((device, sessionId, { world }) => device.ask('session:update', { sessionId, title: `title ${world.newId()}` })),
  reload: (population, pick) => choose(population.devices, pick)?.reload(),
  leave_and_return: (population, pick) => choose(population.devices, pick)?.disconnect(),
  fork: at(async (device, sessionId, { devices, world, pick }) => {
    const message = choose(device.view(sessionId)?.messages ?? [], pick);
    if (!message) return;
    const forked = await device.ask('session:fork', { sessionId, messageId: message.id });
    if (!forked.ok) return;
    world.judge.forkedAt(message.id, forked.data.session.id);
    for (const own of devices) if (own.userId === device.userId) own.open(forked.data.session.id);
  }),
  revoke_rule: at(async (device) => {
    const rules = await device.ask('rule:list', {});
    const rule = rules.ok ? rules.data.rules[0] : undefined;
    return rule && device.ask('rule:revoke', { ruleId: rule.id });
  }),
};

/** A fault that passes by itself. */
const MOMENTS_MS = [200, 1_000, 4_000, 12_000];

/** Now, or just after its next tool has begun. It comes back by itself. */
function endMachine({ world, machines }: Population, pick: number, end: (machine: Machine) => void): void {
  const machine = choose(machines, pick);
  if (!machine) return;
  const work = () => {
    end(machine);
    world.time.after(choose([10, 1_000, 5_000], pick >> 4) ?? 10, () => machine.boot(), null);
  };
  if (pick % 2 === 0) machine.atNextStart(work);
  else work();
}

const FAULTS: Readonly<Record<FaultKind, Perform>> = {
  kill_node: ({ world, nodes }, pick) => {
    const node = choose(nodes, pick);
    node?.crash();
    world.time.after(choose([10, 500, 3_000, 14_000], pick >> 4) ?? 10, () => node?.boot(), null);
  },
  terminate_node: ({ world, nodes }, pick) => {
    const node = choose(nodes, pick);
    if (!node || node.isDown) return;
    const own = node.process;
    // A drain that is held up is ended the hard way.
    const end = () => {
      if (node.process === own) node.crash();
      node.boot();
    };
    const cancel = world.time.after(5_000, end, null);
    void node.terminate().then(() => {
      cancel();
      world.time.after(500, end, null);
    });
  },
  stop_node: ({ nodes }, pick) => choose(nodes, pick)?.stop(choose([500, 4_000, 12_000, 14_000], pick >> 4) ?? 500),
  kill_gateway: (population, pick) => endMachine(population, pick, (machine) => machine.crash()),
  close_gateway: ({ world, machines }, pick) => {
    const machine = choose(machines, pick);
    if (!machine?.isUp) return;
    const own = machine.process;
    machine.close();
    const end = () => {
      if (machine.process === own) machine.crash();
      machine.boot();
    };
    world.time.after(4_000, end, null);
  },
  cut_power: (population, pick) => endMachine(population, pick, (machine) => machine.cutPower()),
  lose_journal: ({ world, machines }, pick) => {
    const machine = choose(machines, pick);
    machine?.loseJournal();
    world.time.after(choose([100, 3_000], pick >> 4) ?? 100, () => machine?.boot(), null);
  },
  stop_gateway: ({ machines }, pick) => choose(machines, pick)?.stop(choose([500, 6_000, 20_000], pick >> 4) ?? 500),
  cut_connections: ({ nodes }, pick) => {
    const all = nodes.flatMap((node) => node.connections());
    if (pick % 3 === 0) for (const connection of all) connection.cut();
    else choose(all, pick >> 2)?.cut();
  },
  stall_connections: ({ nodes, world }, pick) => {
    choose(
      nodes.flatMap((node) => node.connections()),
      pick,
    )?.stall();
    world.judge.sometimes('a connection is half-open');
  },
  slow_network: ({ world }, pick) => {
    world.weather.latencyMs = choose([30, 300, 1_500], pick) ?? 30;
    world.time.after(choose(MOMENTS_MS, pick >> 4) ?? 200, () => Object.assign(world.weather, { latencyMs: 3 }), null);
  },
  database_fails: ({ world }, pick) => {
    const rate = choose([0.05, 0.3, 1], pick) ?? 1;
    Object.assign(world.databaseHealth, pick % 2 === 0 ? { failsBefore: rate } : { failsAfter: rate });
    world.time.after(choose(MOMENTS_MS, pick >> 4) ?? 200, () => Object.assign(world.databaseHealth, { failsBefore: 0, failsAfter: 0 }), null);
    world.judge.sometimes(pick % 2 === 0 ? 'statements fail' : 'statements are done and their answers lost');
  },
  database_slow: ({ world }, pick) => {
    world.databaseHealth.latencyMs = choose([50, 500, 4_000], pick) ?? 50;
    world.time.after(choose(MOMENTS_MS, pick >> 4) ?? 200, () => Object.assign(world.databaseHealth, { latencyMs: 2 }), null);
  },
  disk_fails: ({ world }, pick) => {
    world.diskHealth.failsSync = choose([0.3, 1], pick) ?? 1;
    world.time.after(choose(MOMENTS_MS, pick >> 4) ?? 200, () => Object.assign(world.diskHealth, { failsSync: 0 }), null);
    world.judge.sometimes('syncs fail');
  },
  disk_full: ({ world }, pick) => {
    world.diskHealth.isFull = true;
    world.time.after(choose(MOMENTS_MS, pick >> 4) ?? 200, () => Object.assign(world.diskHealth, { isFull: false }), null);
    world.judge.sometimes('a disk is full');
  },
  clock_jumps: ({ world, nodes, machines }, pick) => {
    const owner = choose<{ readonly process: { clockSkewMs: number } }>([...nodes, ...machines], pick);
    if (owner) owner.process.clockSkewMs = choose([-3_600_000, 3_600_000, -86_400_000, 0], pick >> 4) ?? 0;
    world.judge.sometimes('a clock jumps');
  },
};

/** Does one step of a plan to the world as it is now. A step that finds nothing to act on does nothing. */
export function performStep(population: Population, { kind, pick }: PlannedStep): void {
  const perform: Readonly<Record<string, Perform>> = { ...ACTIONS, ...FAULTS };
  perform[kind]?.(population, pick);
}
