import Anser from 'anser';

/** A run of output in one style. Colours are palette numbers (`0` to `7`, bright ones folded in) or `r, g, b`. */
export interface TerminalSpan {
  readonly text: string;
  readonly foreground?: string;
  readonly background?: string;
  readonly isBold?: boolean;
  readonly isDim?: boolean;
  readonly isItalic?: boolean;
  readonly isUnderlined?: boolean;
  readonly isInverse?: boolean;
}

const PALETTE = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/* biome-ignore-start lint/suspicious/noControlCharactersInRegex: terminal output is made of them */
/** OSC, DCS, SOS, PM and APC strings (titles, links, clipboard), ended by BEL or ST, or cut off. Source: ECMA-48. */
const STRINGS = /\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\|$)?/g;
/** CSI sequences but SGR (`m`): cursor moves and erasing mean nothing in a log. */
const MOVES = /\u001b\[[0-?]*[ -/]*[@-ln-~]/g;
/** Private SGR forms such as `ESC[>4m` are no colours. */
const PRIVATE_STYLES = /\u001b\[[<-?][0-?]*[ -/]*m/g;
const OTHER_ESCAPES = /\u001b(?!\[[0-9;:]*m)[ -/]*[0-Z\\^-~]?/g;
/** What is left of C0 and C1, and bidi controls: shown as one visible sign each. */
const CONTROLS = /[\u0000-\u0007\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
/* biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above */

/** Makes output safe and readable: only colours, newlines and tabs keep a meaning; a carriage return rewrites its line as a terminal does. */
export function cleanTerminalText(text: string): string {
  const plain = text.replace(STRINGS, '').replace(PRIVATE_STYLES, '').replace(MOVES, '').replace(OTHER_ESCAPES, '');
  return plain.replace(/\r+\n/g, '\n').split('\n').map(settleLine).join('\n').replace(CONTROLS, controlPicture);
}

/** Progress bars write one line over and over: the last writing is what stands there. */
function settleLine(line: string): string {
  if (!line.includes('\r') && !line.includes('\b')) return line;
  const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  return last.includes('\b') ? withoutBackspaces(last) : last;
}

function withoutBackspaces(line: string): string {
  const kept: string[] = [];
  for (const character of line) {
    if (character === '\b') kept.pop();
    else kept.push(character);
  }
  return kept.join('');
}

/** U+2400 to U+241F are pictures of C0; the replacement character stands for the others. */
function controlPicture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

export function terminalSpans(text: string): TerminalSpan[] {
  const clean = cleanTerminalText(text);
  if (!clean.includes('\u001b[')) return clean === '' ? [] : [{ text: clean }];
  return Anser.ansiToJson(clean, { json: true, use_classes: true, remove_empty: true }).map(spanOf);
}

function spanOf(entry: Anser.AnserJsonEntry): TerminalSpan {
  const has = (name: Anser.DecorationName) => entry.decorations.includes(name);
  const foreground = colour(entry.fg, entry.fg_truecolor);
  const background = colour(entry.bg, entry.bg_truecolor);
  return {
    text: entry.content.replaceAll('\u001b', '\u241b'),
    ...(foreground !== undefined && { foreground }),
    ...(background !== undefined && { background }),
    ...(has('bold') && { isBold: true }),
    ...(has('dim') && { isDim: true }),
    ...(has('italic') && { isItalic: true }),
    ...(has('underline') && { isUnderlined: true }),
    ...(has('reverse') && { isInverse: true }),
  };
}

function colour(name: string | null, truecolor: string | null): string | undefined {
  // The library keeps the last true colour when the style is reset: only its name says whether it holds.
  if (name === 'ansi-truecolor' && truecolor && /^\d{1,3}, ?\d{1,3}, ?\d{1,3}$/.test(truecolor)) return truecolor;
  if (!name) return undefined;
  const index = PALETTE.findIndex((colourName) => name.endsWith(colourName));
  return index >= 0 ? String(index) : paletteColour(name);
}

/** The 6 × 6 × 6 cube and the greys of the 256 colours. Source: xterm. */
function paletteColour(name: string): string | undefined {
  const index = Number(/^ansi-palette-(\d+)$/.exec(name)?.[1]);
  if (!Number.isInteger(index) || index < 16 || index > 255) return undefined;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `${grey}, ${grey}, ${grey}`;
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return `${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)}`;
}

export interface TextTail {
  readonly text: string;
  /** Lines before `text`. */
  readonly hiddenLines: number;
}

/** The last lines of a text, found from its end: a growing output costs no more than what is shown. */
export function lastLines(text: string, count: number): TextTail {
  const end = text.endsWith('\n') ? text.length - 1 : text.length;
  let from = end;
  for (let found = 0; from > 0; ) {
    const newline = text.lastIndexOf('\n', from - 1);
    found += 1;
    if (newline < 0) return { text: text.slice(0, end), hiddenLines: 0 };
    if (found === count) {
      const hidden = text.slice(0, newline + 1);
      return { text: text.slice(newline + 1, end), hiddenLines: hidden.split('\n').length - 1 };
    }
    from = newline;
    if (newline === 0) break;
  }
  return { text: text.slice(0, end), hiddenLines: 0 };
}
