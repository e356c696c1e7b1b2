import {
  endedEarly,
  endReason,
  Gateway,
  type GatewaySocket,
  Journal,
  type OpenSocket,
  type PreparedCall,
  Snapshots,
  settleLeftovers,
  type ToolContext,
  type ToolRegistry,
} from '@tendon/gateway/parts';
import { type GatewayCommand, type GatewayRequestName, LOCAL_TOOLS, type ToolEffect, type ToolResult, textResult } from '@tendon/protocol';
import { z } from 'zod';
import { SimulatedDisk } from './disk.ts';
import type { ServerNode } from './server-node.ts';
import { SimulatedProcess } from './virtual-time.ts';
import type { World } from './world.ts';

const WORKSPACE = '/home/someone/project';
const JOURNAL = '/home/someone/.tendon/journal';

/** Nothing that begins with this word may run on any machine, whoever approves it. */
const POLICY = { version: 1 as const, rules: [{ action: 'deny' as const, tool: 'bash', subject: 'forbidden*' }] };

const TOOLS = { bash: 'execute', write_file: 'write', read_file: 'read' } as const satisfies Record<string, ToolEffect>;

const ANNOUNCED = Object.entries(TOOLS).map(([name, effect]) => {
  const { description, input } = LOCAL_TOOLS[name as keyof typeof TOOLS];
  return { name, description, inputSchema: z.toJSONSchema(input, { io: 'input' }) as Record<string, unknown>, effect, source: 'builtin' };
});

interface Child {
  /** What only reads is a part of the gateway, and dies with it. */
  readonly isOfGateway: boolean;
  readonly process: SimulatedProcess;
  readonly runId: string;
}

/** A person's machine: the real gateway with its real journal, over a disk, processes and a network of the world. */
export class Machine {
  readonly gatewayId: string;
  readonly userId: string;
  readonly disk: SimulatedDisk;
  readonly #world: World;
  readonly #nodes: () => readonly ServerNode[];
  readonly #children = new Map<string, Child>();
  #atNextStart: (() => void) | undefined;
  #process = new SimulatedProcess('gateway');
  #gateway: Gateway | undefined;

  constructor(world: World, { userId, nodes }: { userId: string; nodes: () => readonly ServerNode[] }) {
    this.#world = world;
    this.userId = userId;
    this.#nodes = nodes;
    this.gatewayId = world.newId();
    this.disk = new SimulatedDisk({ time: world.time, random: world.random, health: world.diskHealth });
    this.#process.isDead = true;
  }

  get isUp(): boolean {
    return !this.#process.isDead;
  }

  /** Running, and not stopped. */
  get isAwake(): boolean {
    return this.isUp && !this.#process.held;
  }

  get process(): SimulatedProcess {
    return this.#process;
  }

  /** Starts the gateway as `startGateway` does. A disk that fails keeps it from starting: it is tried again a little later. */
  boot(): void {
    if (this.isUp) return;
    const own = new SimulatedProcess('gateway');
    this.#process = own;
    const world = this.#world;
    world.judge.note(() => `machine ${this.gatewayId.slice(-3)} boots`);
    const start = async () => {
      const journal = await Journal.open({ path: JOURNAL, log: world.log, newId: world.newId, files: this.disk.files, compactBytes: 6_000 });
      await settleLeftovers(journal, world.log, ({ callId }) => this.#endChild(callId));
      world.judge.gatewayBooted(this.gatewayId, journal.instanceId);
      this.#gateway = new Gateway(
        {
          serverUrl: 'http://simulated',
          token: 'x',
          home: '/',
          name: 'machine',
          workspaces: [WORKSPACE],
          log: world.log,
          version: '1',
          random: world.random.next,
        },
        {
          lock: { close: () => undefined },
          journal,
          policy: { current: async () => ({ ok: true, policy: POLICY }) },
          workspaces: [{ root: WORKSPACE, given: WORKSPACE, name: 'project', forbidden: '/home/someone/.tendon', hasProc: true }],
          gatewayId: this.gatewayId,
          registry: this.#registry(journal.instanceId),
          openSocket: this.#openSocket(own),
          browserFolder: '/home/someone/.tendon/browser',
          snapshots: new Snapshots({ folder: '/home/someone/.tendon/undo', log: world.log, now: () => new Date() }),
        },
      );
    };
    world.time.within(own, () => {
      start().catch(() => {
        own.isDead = true;
        world.time.after(1_000, () => this.boot(), null);
      });
    });
  }

  /** `kill -9`: its tools' processes live on, as they do. */
  crash(): void {
    if (!this.isUp) return;
    this.#process.isDead = true;
    this.#gateway = undefined;
    this.#world.judge.machineDied(this.gatewayId);
    for (const node of this.#nodes()) node.peerDied(this.#process);
    for (const [callId, child] of [...this.#children]) if (child.isOfGateway) this.#kill(callId);
    this.#world.judge.sometimes(this.#children.size > 0 ? 'a gateway dies while a tool runs' : 'a gateway dies');
  }

  /** The power of the whole machine: processes and what was not synced are gone. */
  cutPower(): void {
    this.crash();
    for (const callId of [...this.#children.keys()]) this.#kill(callId);
    this.disk.cutPower();
    this.#world.judge.sometimes('a machine loses its power');
  }

  /** Does something to this machine just after a tool has begun: the moment that journals are for. */
  atNextStart(work: () => void): void {
    this.#atNextStart = work;
  }

  loseJournal(): void {
    this.crash();
    this.disk.wipe();
    this.#world.judge.journalLost(this.gatewayId);
    this.#world.judge.sometimes('a journal is lost');
  }

  /** SIGSTOP, and SIGCONT after a while. */
  stop(ms: number): void {
    const own = this.#process;
    if (own.isDead || own.held) return;
    this.#world.time.stop(own);
    this.#world.judge.machineIsAway(this.gatewayId, Number.POSITIVE_INFINITY);
    this.#world.time.after(ms, () => this.#goOn(own), null);
  }

  #goOn(own: SimulatedProcess): void {
    if (own.isDead || !own.held) return;
    this.#world.time.goOn(own);
    this.#world.judge.machineIsAway(this.gatewayId, this.#world.time.nowMs);
  }

  close(): void {
    const gateway = this.#gateway;
    if (gateway && this.isUp) this.#world.time.within(this.#process, () => void gateway.close().catch(() => undefined));
  }

  get runningTools(): number {
    return this.#children.size;
  }

  #registry(instanceId: string): ToolRegistry {
    return {
      announced: ANNOUNCED,
      prepare: (tool, input) => {
        if (!Object.hasOwn(TOOLS, tool)) return { ok: false, code: 'unknown_tool', message: `There is no ${tool}.` };
        const subject = String((input as { command?: string; path?: string }).command ?? (input as { path?: string }).path);
        const call: PreparedCall = {
          effect: TOOLS[tool as keyof typeof TOOLS],
          subject: () => ({ written: subject, readings: [], commands: [] }),
          run: (context) => this.#runTool({ tool, input, subject, instanceId }, context),
        };
        return { ok: true, call };
      },
    };
  }

  /** A process of its own, which an end of the gateway does not end. */
  #runTool(what: { tool: string; input: unknown; subject: string; instanceId: string }, context: ToolContext): Promise<ToolResult> {
    const { time, random, judge, newId } = this.#world;
    const { callId, signal } = context;
    const child: Child = {
      process: new SimulatedProcess(`child of ${callId}`),
      runId: newId(),
      isOfGateway: TOOLS[what.tool as keyof typeof TOOLS] === 'read',
    };
    this.#children.set(callId, child);
    judge.effectStarted({ ...what, callId, gatewayId: this.gatewayId, runId: child.runId });
    context.onSpawned({ pid: this.#children.size, startedAt: child.runId, bootId: 'simulated' });
    context.onOutput(`output of ${child.runId}\n`);
    const own = this.#process;
    const planned = this.#atNextStart;
    this.#atNextStart = undefined;
    if (planned) time.after(random.between(0, 3), planned, null);
    return new Promise((resolve) => {
      const settle = (result: ToolResult) => {
        judge.resultMade(callId, { instanceId: what.instanceId, result });
        resolve(result);
      };
      const lastsMs = what.subject.startsWith('hang') ? 600_000 : random.between(1, random.chance(0.2) ? 3_000 : 200);
      const cancel = time.after(
        lastsMs,
        () => {
          this.#endedByItself(callId, child);
          time.after(0.1, () => settle(textResult('succeeded', `done by ${child.runId}`)), own);
        },
        child.process,
      );
      signal.addEventListener('abort', () => {
        cancel();
        // TERM, and KILL three seconds later for those that do not listen.
        time.after(random.chance(0.2) ? 3_000 : random.between(1, 100), () => {
          this.#kill(callId);
          settle(endedEarly(endReason(signal), `output of ${child.runId}\n`));
        });
      });
    });
  }

  #endedByItself(callId: string, child: Child): void {
    if (this.#children.get(callId) === child) this.#children.delete(callId);
    this.#world.judge.effectEnded(child.runId);
  }

  #kill(callId: string): void {
    const child = this.#children.get(callId);
    if (!child) return;
    child.process.isDead = true;
    this.#children.delete(callId);
    this.#world.judge.effectEnded(child.runId);
  }

  async #endChild(callId: string): Promise<void> {
    await this.#world.time.wait(this.#world.random.between(1, 100));
    this.#kill(callId);
  }

  #openSocket(own: SimulatedProcess): OpenSocket {
    const { time, random, judge } = this.#world;
    return (_options, events) => {
      const node = random.pick(this.#nodes());
      if (node.isDown) {
        const cancel = time.after(random.between(1, 20), () => events.ended({ kind: 'lost', cause: 'refused' }));
        return { request: () => Promise.reject(new Error('not connected')), isWritable: false, hint: () => undefined, close: cancel };
      }
      const connection = this.#world.connect(own, node.process);
      const atServer = node.acceptGateway(connection, {
        userId: this.userId,
        process: own,
        command: (name, payload, answer) => {
          judge.note(() => `machine ${this.gatewayId.slice(-3)} hears ${name} ${(payload as { callId: string }).callId.slice(-3)}`);
          if (name === 'tool:cancel') judge.cancelHeard((payload as GatewayCommand<'tool:cancel'>).callId);
          events.command(name, payload, answer);
        },
      });
      let hasEnded = false;
      connection.listen('dialler', {
        closed: (cause) => {
          if (hasEnded) return;
          hasEnded = true;
          events.ended({ kind: 'lost', cause });
        },
      });
      connection.send('listener', () => connection.send('dialler', () => events.connected()));
      const socket: GatewaySocket = {
        isWritable: true,
        request: (name, payload, timeoutMs) =>
          connection.request('listener', { timeoutMs, handle: (answer) => void atServer.handle(name as GatewayRequestName, payload).then(answer) }),
        hint: (name, payload) => connection.send('listener', () => void atServer.handle(name, payload)),
        close: () => {
          if (hasEnded) return;
          hasEnded = true;
          connection.close('dialler', 'client namespace disconnect');
        },
      };
      return socket;
    };
  }
}
