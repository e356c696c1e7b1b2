import { Random } from './random.ts';

/** What people do. The number is how often, compared with the others. */
const ACTIONS = {
  say: 30,
  interrupt: 6,
  stop: 8,
  go_on: 6,
  approve: 40,
  deny: 6,
  decide_wrongly: 3,
  answer: 12,
  resolve: 6,
  cancel_message: 4,
  edit_title: 2,
  reload: 4,
  leave_and_return: 4,
  revoke_rule: 3,
} as const;

/** Played beside the actions in some of the plans. Drawn after everything else, so that a seed's other steps are what they were before there were forks. */
const FORK = 'fork';
const FORKING_PLANS = 0.2;
const MOST_FORKS = 2;

/** Drawn last of all, for the same reason. */
const PLANS_WITH_SERVER_TOOLS = 0.25;

/** What goes wrong. */
const FAULTS = {
  kill_node: 6,
  terminate_node: 3,
  stop_node: 3,
  kill_gateway: 6,
  close_gateway: 2,
  cut_power: 2,
  lose_journal: 1,
  stop_gateway: 2,
  cut_connections: 6,
  stall_connections: 3,
  slow_network: 3,
  database_fails: 4,
  database_slow: 2,
  disk_fails: 3,
  disk_full: 2,
  clock_jumps: 2,
} as const;

export type ActionKind = keyof typeof ACTIONS | typeof FORK;
export type FaultKind = keyof typeof FAULTS;

export interface PlannedStep {
  readonly atMs: number;
  readonly kind: ActionKind | FaultKind;
  /** Chooses among what there is at that moment. */
  readonly pick: number;
}

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly machines: number;
  /** Somebody else is there, with a session and a page of their own. */
  readonly hasStranger: boolean;
  /** An MCP server runs on each node. */
  readonly hasServerTools: boolean;
  readonly steps: readonly PlannedStep[];
  /** When faults end and everything is put right. */
  readonly endsAtMs: number;
}

/** Nodes on one database. */
const MOST_NODES = 3;

function weighted<Kind extends string>(random: Random, weights: Readonly<Record<Kind, number>>, kinds: readonly Kind[]): Kind {
  const total = kinds.reduce((sum, kind) => sum + weights[kind], 0);
  let at = random.next() * total;
  for (const kind of kinds) {
    at -= weights[kind];
    if (at <= 0) return kind;
  }
  return kinds[0] as Kind;
}

/** The plan that a seed stands for. */
export function planOfSeed(seed: number): Plan {
  return planOf(seed, new Random(seed), MOST_NODES);
}

/** Every seed leaves a random half of the faults out, so that rare combinations of the others are reached. */
function planOf(seed: number, random: Random, maxNodes: number): Plan {
  const faults = (Object.keys(FAULTS) as FaultKind[]).filter(() => random.chance(0.5));
  const actions = Object.keys(ACTIONS) as (keyof typeof ACTIONS)[];
  const steps: PlannedStep[] = [];
  const endsAtMs = random.between(1_500, 7_000);
  const pace = random.between(30, 250);
  for (let atMs = random.between(1, 50); atMs < endsAtMs; atMs += random.between(1, 2 * pace))
    steps.push({ atMs, kind: weighted(random, ACTIONS, actions), pick: random.below(1_000_000) });
  if (faults.length > 0) {
    const faultPace = random.between(200, 2_000);
    for (let atMs = random.between(50, faultPace); atMs < endsAtMs; atMs += random.between(1, 2 * faultPace))
      steps.push({ atMs, kind: weighted(random, FAULTS, faults), pick: random.below(1_000_000) });
  }
  const population = { nodes: 1 + random.below(maxNodes), machines: random.chance(0.8) ? 1 : 2, hasStranger: random.chance(0.2) };
  const forks = random.chance(FORKING_PLANS) ? 1 + random.below(MOST_FORKS) : 0;
  for (let made = 0; made < forks; made += 1) steps.push({ atMs: random.between(0.3 * endsAtMs, endsAtMs), kind: FORK, pick: random.below(1_000_000) });
  const hasServerTools = random.chance(PLANS_WITH_SERVER_TOOLS);
  return { seed, ...population, hasServerTools, steps: steps.toSorted((a, b) => a.atMs - b.atMs), endsAtMs };
}

/** The plan of a seed that was found before forks were played. */
export function planWithoutForks(seed: number): Plan {
  const plan = planWithoutServerTools(seed);
  return { ...plan, steps: plan.steps.filter(({ kind }) => kind !== FORK) };
}

/** The plan of a seed that was found before nodes had tools of their own. */
export function planWithoutServerTools(seed: number): Plan {
  return { ...planOfSeed(seed), hasServerTools: false };
}
