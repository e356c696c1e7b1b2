import { ToolFault } from '../tools/faults.ts';

/** What playwright says when something cannot be done, and what would help. Looked for in this order. */
const FAULTS: readonly (readonly [RegExp, string, string])[] = [
  [/intercepts pointer events/i, 'covered', 'Something lies over the element, so it cannot be reached. Close what covers it (a dialog, a banner), or scroll.'],
  [/element is not enabled/i, 'not_enabled', 'The element is disabled. Do first what enables it, such as filling the fields before it.'],
  [/element is not editable/i, 'not_a_field', 'The field can only be read. Choose another one, or do first what opens it for writing.'],
  [
    /element is not an <input>|not an <?input|Cannot type text into|Malformed value|cannot be filled/i,
    'not_a_field',
    'No such text can be put into this element. Choose a field (textbox, searchbox, combobox, spinbutton) and give what its kind takes, such as 2026-12-31 for a date; a checkbox takes "true" or "false". For a list use browser_select.',
  ],
  [/not a checkbox or radio/i, 'not_a_field', 'Only a checkbox or a radio button can be ticked.'],
  [
    /not a <select>|did not find some options|option being selected is not enabled/i,
    'no_such_option',
    'There is no such option, or this is no list of options. Take the options from the snapshot; for a list that the page has built itself, click it and then the option.',
  ],
  [/Unknown key/i, 'unknown_key', 'There is no such key. Examples: Enter, Escape, Tab, Backspace, ArrowDown, PageDown, F5, a, Control+a, Shift+Tab.'],
  [
    /element is not visible|not visible|outside of the viewport|element is not stable/i,
    'not_visible',
    'The element cannot be seen right now. Scroll to it, open what contains it, or wait.',
  ],
  [
    /not an HTMLInputElement|Node is not|non-multiple file input/i,
    'not_a_file_field',
    'This element takes no such files. Choose the button or field that the page asks for files with; a field for one file takes one.',
  ],
  [/crashed/i, 'page_crashed', 'The page crashed. Open it again with browser_navigate.'],
  [
    /has been closed|browser has ended|Target closed|disconnected/i,
    'page_closed',
    'The page was closed while this ran. Look with browser_tabs, or open one with browser_navigate.',
  ],
  [/frame was detached|Execution context was destroyed/i, 'page_changed', 'The page changed while this ran. Take the refs from the snapshot below.'],
  [/Timeout \d+ms exceeded/i, 'timeout', 'The page did not come to it in time. Wait with browser_wait, or look whether something is in the way.'],
];

/** What the caller can mend as a `ToolFault`; anything else as it came: a bug. */
export function pageFault(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const known = FAULTS.find(([pattern]) => pattern.test(error.message));
  if (known) return new ToolFault(known[1], known[2], { cause: error });
  // What it says of itself, without the log of how it tried.
  const own = /^(?:locator|page|keyboard|fileChooser|browserContext)\.\w+: (?:Error: )?(.+)/i.exec(error.message)?.[1];
  return own === undefined
    ? error
    : new ToolFault('not_done', `The page did not allow it: ${own.slice(0, 500)}. Take another way; the page as it is stands below.`, { cause: error });
}
