import type { Random } from '../simulation/random.ts';

/** What stands where something else should. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER + 2, -0, '', ' ', '\u0000', '\ud800', '\u202e'],
  ...['__proto__', 'constructor', '../../etc/passwd', "' or 1=1 --", '$(id)', '<script>alert(1)</script>', '%00', '0192a7c0-0000-7000-8000-000000000001'],
  ...['NaN', 'null', '[object Object]', '1'.repeat(400), [], {}, [[]], [null], { length: -1 }, { toString: 1 }, JSON.parse('{"then":1}'), { $ne: null }],
  ...[
    { _placeholder: true, num: 0 },
    { _placeholder: true, num: 1e9 },
    { type: 'Buffer', data: [1] },
  ],
];

/** More than a message may have (P2). */
const TOO_LONG = 'x'.repeat(300_000);

/** A copy of a packet with one to three things in it wrong. `undefined`: no packet at all. */
export function damaged(random: Random, packet: unknown): unknown {
  let copy: unknown = structuredClone(packet);
  for (let left = 1 + random.below(3); left > 0; left -= 1) copy = damagedOnce(random, copy);
  // Last, because what is repeated is one and the same thing: a damage to it would be repeated too.
  if (random.chance(0.15)) widenOne(random, copy);
  return copy;
}

function widenOne(random: Random, packet: unknown): void {
  const places = placesIn(packet);
  if (places.length === 0) return;
  const { holder, key } = random.pick(places);
  holder[key] = wide(random, holder[key]);
}

function damagedOnce(random: Random, packet: unknown): unknown {
  const places = placesIn(packet);
  const place = random.chance(0.95) && places.length > 0 ? random.pick(places) : undefined;
  if (!place) return structuredClone(random.pick([undefined, nested(random.pick([5, 40])), ...ODD]));
  const { holder, key } = place;
  const kind = random.below(5);
  if (key === 'text' && random.chance(0.1)) holder[key] = TOO_LONG;
  else if (kind === 0) delete holder[key];
  else if (kind === 1) holder[`${key}x`] = holder[key];
  else if (kind === 2) holder[key] = [holder[key]];
  else if (kind === 3) holder[key] = nested(random.pick([3, 40]));
  else holder[key] = structuredClone(random.pick(ODD));
  return packet;
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** Every place inside, however deep. */
function placesIn(packet: unknown): Place[] {
  if (typeof packet !== 'object' || packet === null) return [];
  const holder = packet as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

function nested(depth: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
}

/** Most that a value may grow to by repeating it: the common case is small, so that many packets can be sent. */
const WIDE = [200, 2_000, 20_000, 400_000] as const;

/** Much of the same. */
function wide(random: Random, value: unknown): unknown {
  const times = Math.ceil((random.chance(0.01) ? WIDE[3] : random.pick(WIDE.slice(0, 3))) / (1 + JSON.stringify(value ?? null).length));
  return typeof value === 'string' ? value.repeat(times) : Array.from({ length: times }, () => value);
}

/** Texts that are no packet of a request: of Engine.IO, of Socket.IO, or of nothing. */
export function garbage(random: Random): string {
  const texts = [
    ...['', '4', '42', '43', '44', '45', '46', '49', '3', '3probe', '2probe', '5', '6', 'b', 'bAAAA', '\u0000', '\ufffd', '4\u0000', '40', '40/', '40/agent'],
    ...[
      '40/agent,',
      '40/agent,null',
      '40/agent,[]',
      '40/nowhere,{}',
      '42/agent,',
      '42/agent,[]',
      '42/agent,{}',
      '42/agent,["a"',
      '42/agent,1',
      '42[]',
      '42["a"]',
      '42/agent,["connect",{}]',
      '42/agent,1["disconnect",{}]',
    ],
    ...[
      '42/agent,99999999999999999999["session:list",{}]',
      '42/agent,-1["session:list",{}]',
      '43/agent,0[]',
      '43/agent,1[{}]',
      '451-/agent,["a",{"_placeholder":true,"num":0}]',
    ],
    ...[
      '459999-/agent,["a"]',
      '461-/agent,1[]',
      `42/agent,["${'x'.repeat(50_000)}"]`,
      `42/agent,1${'['.repeat(20_000)}`,
      '{"a":1}',
      'GET / HTTP/1.1\r\n\r\n',
      '\u{1F98A}',
    ],
  ];
  return random.pick(texts);
}
