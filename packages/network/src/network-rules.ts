import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isAllowed, parseAllowed } from './network-allow.ts';
import { canonicalHost, isLoopback, isOwn, isPublic } from './own-addresses.ts';

/** Where a request goes: the host as it is written, and a port. */
export interface NetworkTarget {
  readonly host: string;
  readonly port: number;
}

export type Verdict =
  /** `addresses` were checked, and are the only ones to connect to: asking for the name again could bring others. */
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly code: 'address_refused' | 'unknown_host'; readonly message: string };

export type Resolve = (host: string) => Promise<readonly string[]>;

/** What somebody allows besides public addresses, as it is at this moment. */
export interface NetworkPolicy {
  current(): Promise<
    | { readonly ok: true; readonly policy: { readonly network?: { readonly allow?: readonly string[] | undefined } | undefined } }
    | { readonly ok: false; readonly message: string }
  >;
}

export interface NetworkRulesOptions {
  readonly policy: NetworkPolicy;
  /** How somebody would let an address in, for the words of a refusal; the machine's policy file when left out. */
  readonly wayIn?: (entry: string) => string;
  /** Besides what the policy allows, in the same words. */
  readonly allow?: readonly string[];
  /**
   * Doors of Tendon itself, which no policy opens: neither a page nor a command may talk to the server that steers it. The list is looked at with
   * each judgement: one may be added when its port is known.
   */
  readonly reserved: readonly NetworkTarget[];
  /** The system's own when left out, the hosts file included. */
  readonly resolve?: Resolve;
}

/** Decides about one connection: resolves the name once, and every address it leads to must be allowed. Never rejects. */
export async function judgeTarget(target: NetworkTarget, options: NetworkRulesOptions): Promise<Verdict> {
  const found = await lookUp(target, options);
  if (!found.ok) return found;
  const { asked, addresses } = found;
  if (addresses.every(isPublic)) return { ok: true, addresses };
  const policy = await options.policy.current();
  if (!policy.ok) return refuse(policy.message);
  const entries = [...(options.allow ?? []), ...(policy.policy.network?.allow ?? [])].flatMap((entry) => parseAllowed(entry) ?? []);
  const barred = addresses.find((address) => !isPublic(address) && !isAllowed(entries, { ...asked, address }));
  return barred === undefined ? { ok: true, addresses } : refuse(barredText(asked, barred, options.wayIn ?? byPolicyFile));
}

type Refusal = Extract<Verdict, { ok: false }>;
type Found = { readonly ok: true; readonly asked: NetworkTarget; readonly addresses: readonly string[] } | Refusal;

/** Where a name leads. No judgement, but that doors of Tendon are refused. Never rejects. */
export async function lookUp(target: NetworkTarget, { reserved, resolve = systemResolve }: Pick<NetworkRulesOptions, 'reserved' | 'resolve'>): Promise<Found> {
  const host = canonicalHost(isIP(target.host) === 6 ? `[${target.host}]` : target.host);
  if (host === undefined) return { ok: false, code: 'unknown_host', message: `${JSON.stringify(target.host)} is not the name of a host.` };
  const addresses = await addressesOf(host, resolve);
  if (addresses.length === 0)
    return { ok: false, code: 'unknown_host', message: `There is no host named ${host}, or its name could not be looked up. Check how it is spelled.` };
  const asked = { host, port: target.port };
  const doors = reserved.filter(({ port }) => port === asked.port);
  const areDoors = await Promise.all(doors.map((door) => isDoor(door, { host, addresses }, resolve)));
  return areDoors.includes(true) ? refuse(`${nameOf(asked)} is a door of Tendon itself, which its tools never open.`) : { ok: true, asked, addresses };
}

function refuse(message: string): Refusal {
  return { ok: false, code: 'address_refused', message };
}

const byPolicyFile = (entry: string): string => `the owner of the machine can allow this one in its gateway-policy.json: "network": {"allow": [${entry}]}.`;

function barredText(asked: NetworkTarget, address: string, wayIn: (entry: string) => string): string {
  const where = isOwn(address) ? 'on this machine' : 'not a public address';
  const entry = JSON.stringify(isLoopback(address) && isIP(asked.host) !== 0 ? `localhost:${asked.port}` : nameOf(asked));
  return `${nameOf(asked)} leads to ${address}, which is ${where}. Only public addresses are opened; ${wayIn(entry)}`;
}

export function nameOf({ host, port }: NetworkTarget): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** By its name, or by any address that they share: another name for it leads there as well. */
async function isDoor(door: NetworkTarget, asked: { host: string; addresses: readonly string[] }, resolve: Resolve): Promise<boolean> {
  if (door.host === asked.host) return true;
  const isHere = door.host === 'localhost' || door.host.endsWith('.localhost') || (isIP(door.host) !== 0 && isOwn(door.host));
  if (isHere) return asked.addresses.some(isOwn);
  const known = (await doorAddresses(door.host, resolve)).map(plainAddress);
  return asked.addresses.some((address) => known.includes(plainAddress(address)) || (isOwn(address) && known.some(isOwn)));
}

/** `::ffff:10.1.1.1` as `10.1.1.1`. */
function plainAddress(address: string): string {
  return ipaddr.process(address).toString();
}

const DOOR_MS = 30_000;
/** Asked for with every connection to the same port, which for 443 is nearly all of them. */
const knownDoors = new WeakMap<Resolve, Map<string, KnownDoor>>();

interface KnownDoor {
  readonly addresses: Promise<readonly string[]>;
  readonly untilMs: number;
}

function doorAddresses(host: string, resolve: Resolve): Promise<readonly string[]> {
  const doors = knownDoors.get(resolve) ?? new Map<string, KnownDoor>();
  knownDoors.set(resolve, doors);
  const known = doors.get(host);
  if (known && performance.now() < known.untilMs) return known.addresses;
  const addresses = addressesOf(host, resolve);
  doors.set(host, { addresses, untilMs: performance.now() + DOOR_MS });
  return addresses;
}

async function addressesOf(host: string, resolve: Resolve): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return await resolve(host);
  } catch {
    return [];
  }
}

const systemResolve: Resolve = async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** The host and port that an address of the web leads to; undefined for every scheme but http and https. */
export function targetOf(url: string): NetworkTarget | undefined {
  const parsed = URL.parse(url);
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol)) return undefined;
  const host = canonicalHost(parsed.host.replace(/:\d+$/, ''));
  return host === undefined ? undefined : { host, port: parsed.port === '' ? (parsed.protocol === 'https:' ? 443 : 80) : Number(parsed.port) };
}
