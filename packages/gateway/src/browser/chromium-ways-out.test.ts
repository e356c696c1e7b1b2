import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, describe, test } from 'node:test';
import { canonicalHost } from '@tendon/network';
import { PRIVATE_HOSTS, PRIVATE_NAMES, until } from '@tendon/testing';
import { type Canary, openCanary } from './canary-rig.ts';
import { openPages, type PageRig } from './page-rig.ts';
import { FURTHER_LOADS, isDialled, LOADS, MOVES, OPENS_WINDOW, STAYS, type Way } from './ways-out-rig.ts';

const HOSTS = [...PRIVATE_HOSTS, ...Object.keys(PRIVATE_NAMES), 'app.localhost'];
/**
 * For what moves a page, which costs the browser a process for every site, and for further ways to load: how an address is read has nothing to do
 * with who asks for it. All of them are moved to by browser_navigate in chromium-network.test.ts.
 */
const HOSTS_OF_EACH_KIND = ['127.0.0.1', '0', '[::1]', '10.0.0.1', '169.254.169.254', '[fe80::1]', 'localhost', 'here.example'];

const LOADING = Object.keys(LOADS);
const FURTHER = Object.keys(FURTHER_LOADS);
const MOVING = [...Object.keys(MOVES), OPENS_WINDOW];
const STAYING = Object.keys(STAYS);
const MARKUP: Readonly<Record<string, Way>> = {
  ...LOADS,
  ...FURTHER_LOADS,
  ...MOVES,
  ...Object.fromEntries(Object.entries(STAYS).map(([name, [way]]) => [name, way])),
};
const WAYS_OF_A_PAGE = 9;
const DEADLINE_MS = 50_000;

interface Going {
  readonly ways: readonly string[];
  readonly hosts: readonly string[];
}

/** One page that goes to hosts by ways, and a canary for each way: its port says by which way somebody came. */
class Ground {
  readonly #rig: PageRig;
  readonly #canaries: ReadonlyMap<string, Canary>;
  readonly #told: EventTarget;
  readonly #refused = new Set<string>();
  readonly #page: { markup: string };

  private constructor(made: { rig: PageRig; canaries: ReadonlyMap<string, Canary>; told: EventTarget; page: { markup: string } }) {
    this.#rig = made.rig;
    this.#canaries = made.canaries;
    this.#told = made.told;
    this.#page = made.page;
  }

  static async open(): Promise<Ground> {
    const told = new EventTarget();
    const canaries = new Map<string, Canary>();
    for (const way of [...LOADING, ...FURTHER, ...MOVING, ...STAYING]) canaries.set(way, await openCanary(() => told.dispatchEvent(new Event('told'))));
    const page = { markup: '' };
    const rig = await openPages(
      { '/': (_asked, answer) => answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page.markup) },
      { resolve: async (host) => PRIVATE_NAMES[host] ?? [] },
    );
    await rig.open('/');
    const ground = new Ground({ rig, canaries, told, page });
    ground.#watchRefusals();
    return ground;
  }

  /** Only the first hundred are kept for a call. */
  #watchRefusals(): void {
    const session = this.#rig.bench.browser.find('one session');
    const refuse = session.refuse.bind(session);
    session.refuse = (refused) => {
      refuse(refused);
      this.#refused.add(refused.target);
      this.#told.dispatchEvent(new Event('told'));
    };
  }

  port(way: string): number {
    return this.#canaries.get(way)?.port ?? Number.NaN;
  }

  /** What the page asked its own server for. */
  get asked(): readonly string[] {
    return this.#rig.asked;
  }

  /** The ways by which somebody came. */
  get heard(): string[] {
    return [...this.#canaries].filter(([, canary]) => canary.touched() > 0).map(([way]) => way);
  }

  allowAll(): void {
    this.#rig.bench.allow.push(...[...this.#canaries.values()].map(({ port }) => `localhost:${port}`));
  }

  async go({ ways, hosts }: Going): Promise<void> {
    const places = (way: string): string[] => hosts.map((host) => `${host}:${this.port(way)}`);
    this.#page.markup = ways.map((way) => MARKUP[way]?.(places(way)) ?? '').join('\n');
    await this.#rig.open('/');
    if (!ways.includes(OPENS_WINDOW)) return;
    const opener = this.#rig.bench.browser.find('one session').page();
    // What is evaluated counts as done by a person.
    for (const place of places(OPENS_WINDOW)) await opener.evaluate(`void open('http://${place}/')`);
  }

  /** Resolves when the proxy has refused everything that the page was to try. */
  async refusedAll({ ways, hosts }: Going): Promise<void> {
    const isRefused = (host: string, way: string): boolean => this.#refused.has(`${host.includes(':') ? `[${host}]` : host}:${this.port(way)}`);
    const tried = new Set(hosts.map((host) => canonicalHost(host) ?? ''));
    const missing = (): string[] =>
      ways.flatMap((way) => [...tried].filter((host) => isDialled(way, host) && !isRefused(host, way)).map((host) => `${way} to ${host}`));
    await this.#until('all that the page tries to be refused', missing);
  }

  /** Resolves when somebody has come by all of these ways. */
  async heardAll(ways: readonly string[]): Promise<void> {
    await this.#until('the page to reach the canaries', () => ways.filter((way) => !this.heard.includes(way)));
  }

  async #until(what: string, missing: () => readonly string[]): Promise<void> {
    const on = (listener: () => void): (() => void) => {
      this.#told.addEventListener('told', listener);
      return () => this.#told.removeEventListener('told', listener);
    };
    await until({ what, on, check: () => missing().length === 0, deadlineMs: DEADLINE_MS }).catch((error: unknown) => {
      throw new Error(`missing: ${missing().slice(0, 40).join(', ')}`, { cause: error });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rig[Symbol.asyncDispose]();
    await Promise.all([...this.#canaries.values()].map((canary) => canary[Symbol.asyncDispose]()));
  }
}

const GOINGS: readonly Going[] = [
  ...Array.from({ length: Math.ceil(LOADING.length / WAYS_OF_A_PAGE) }, (_, page) => ({
    ways: LOADING.slice(page * WAYS_OF_A_PAGE, (page + 1) * WAYS_OF_A_PAGE),
    hosts: HOSTS,
  })),
  { ways: FURTHER, hosts: HOSTS_OF_EACH_KIND },
  { ways: MOVING, hosts: HOSTS_OF_EACH_KIND },
];

describe('W14: nothing of this machine or a private network hears of what a page tries', () => {
  let ground: Ground;
  before(async () => {
    ground = await Ground.open();
  });
  after(() => ground[Symbol.asyncDispose]());

  for (const going of GOINGS) {
    test(`W14: ${going.hosts.length} addresses by ${going.ways.join(', ')}`, async () => {
      await ground.go(going);
      await ground.refusedAll(going);
      assert.deepEqual(ground.heard, []);
    });
  }

  test('W14: ways that reach nothing whatever is allowed, and all the others, which do as soon as the owner allows it', async (t) => {
    await ground.go({ ways: STAYING, hosts: HOSTS });
    assert.deepEqual(ground.heard, []);
    ground.allowAll();
    const reaching = [...LOADING, ...FURTHER, ...MOVING];
    await ground.go({ ways: [...STAYING, ...reaching], hosts: ['127.0.0.1'] });
    await ground.heardAll(reaching);
    assert.deepEqual(ground.heard.toSorted(), reaching.toSorted());
    assert.deepEqual(
      ground.asked.filter((line) => !/^GET \/(?:favicon\.ico)?$/.test(line)),
      [],
    );
    for (const [way, [, because]] of Object.entries(STAYS)) t.diagnostic(`${way} reaches nothing: ${because}`);
    // The canary of what was sent by UDP, if it was, would have heard it.
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    udp.send('x', ground.port('STUN'), '127.0.0.1');
    await ground.heardAll(['STUN']);
    udp.close();
  });
});
