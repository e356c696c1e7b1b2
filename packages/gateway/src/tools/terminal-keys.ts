import type { TerminalKey } from '@tendon/protocol';

/** What the keys of a terminal send. Source: ECMA-48, and what xterm does. */
const SENDS: Readonly<Record<TerminalKey, string>> = {
  enter: '\r',
  tab: '\t',
  escape: '\u001b',
  backspace: '\u007f',
  delete: '\u001b[3~',
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  home: '\u001b[H',
  end: '\u001b[F',
  page_up: '\u001b[5~',
  page_down: '\u001b[6~',
  ctrl_a: '\u0001',
  ctrl_c: '\u0003',
  ctrl_d: '\u0004',
  ctrl_e: '\u0005',
  ctrl_k: '\u000b',
  ctrl_l: '\u000c',
  ctrl_n: '\u000e',
  ctrl_o: '\u000f',
  ctrl_p: '\u0010',
  ctrl_r: '\u0012',
  ctrl_u: '\u0015',
  ctrl_w: '\u0017',
  ctrl_x: '\u0018',
};

export function sentBy(keys: readonly TerminalKey[]): string {
  return keys.map((key) => SENDS[key]).join('');
}
