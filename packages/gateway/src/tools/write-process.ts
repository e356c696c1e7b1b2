import { textResult, utf8Bytes } from '@tendon/protocol';
import type { KeptCommand } from './background.ts';
import { ToolFault } from './faults.ts';
import { pieceOf, requireKept } from './process-tools.ts';
import { sentBy } from './terminal-keys.ts';
import { endedEarly, endReason, type LocalTool } from './tool.ts';

/** A terminal that hands on whole lines takes no more at once (MAX_CANON). */
const MOST_BYTES = 4_000;
const WAIT_MS = 2_000;
/** What answers goes on talking for a while: a program has said what it has to say when it has been quiet for so long. */
const QUIET_MS = 200;
/** All but tab and new line: they are keys, and a person could not see them in a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

export const writeProcessTool: LocalTool<'write_process'> = {
  name: 'write_process',
  run: async ({ id, text = '', keys = [], waitMs = WAIT_MS }, context) => {
    const kept = requireKept(context, id);
    if (text === '' && keys.length === 0) throw new ToolFault('invalid_input', 'There is nothing to type. Give a text, or keys, or both.');
    if (CONTROLS.test(text))
      throw new ToolFault('invalid_input', 'The text has control characters in it. Leave them out and name keys instead, such as ctrl_c.');
    if (utf8Bytes(text) > MOST_BYTES)
      throw new ToolFault('too_large', `The text has more than ${MOST_BYTES} bytes, which is more than a terminal takes at once. Type it in pieces.`);
    const from = kept.spool.keptBytes;
    typeInto(kept, `${text.replaceAll('\n', '\r')}${sentBy(keys)}`);
    const until = performance.now() + waitMs;
    const left = (): number => Math.max(0, until - performance.now());
    let seen = -1;
    while (!context.signal.aborted && kept.ended === undefined && left() > 0 && seen !== kept.spool.totalBytes) {
      seen = kept.spool.totalBytes;
      await context.background.changed(kept, Math.max(1, Math.min(seen === from ? left() : QUIET_MS, left())));
    }
    const said = `Typed into ${id}.\n${pieceOf(kept, { fromByte: from })}`;
    return context.signal.aborted ? endedEarly(endReason(context.signal), said) : textResult('succeeded', said);
  },
};

function typeInto(kept: KeptCommand, text: string): void {
  if (kept.ended) throw new ToolFault('already_over', `${kept.id} has ended: nothing can be typed into it. Start the command again.`);
  if (!kept.terminal)
    throw new ToolFault(
      'no_terminal',
      `${kept.id} does not run in a terminal, so nothing can be typed into it. Stop it, and start it with background and terminal.`,
    );
  if (!kept.terminal.type(text)) throw new ToolFault('already_over', `The terminal of ${kept.id} has closed: nothing can be typed into it.`);
}
