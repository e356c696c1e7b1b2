import { z } from 'zod';
import { define } from './define-tool.ts';

/**
 * The tools that drive a browser on the person's machine. What only looks at a page that is open already is `read`; whatever can make
 * a page do something is `network`, since nobody knows beforehand what a click sends.
 */
const ref = z
  .string()
  .regex(/^(f\d+)?e\d+$/, 'must be a ref of the latest snapshot, such as e12 or f1e3')
  .describe('The ref of an element in the latest snapshot, such as e12');
const element = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe('What it is, as the snapshot names it, such as: button "Save". Shown to the person, and checked before anything is done');
const path = z.string().min(1).max(4_096);
const target = { ref, element };

/** What a rule about an element holds for. A ref alone means another element on another page, so the name stands with it when it is given. */
function aim(input: { ref?: string | undefined; element?: string | undefined }): string {
  return [input.element, input.ref].filter((word) => word !== undefined).join(' ');
}

export const BROWSER_TOOLS = {
  browser_navigate: define({
    description:
      'Open an address in the browser of this session, or go back, forward, or reload. Answers with address, title and a snapshot of the page. Addresses of this machine and of private networks are refused unless its owner allows them.',
    input: z.strictObject({
      url: z.string().min(1).max(8_192).describe('A whole address that begins with http:// or https://, or one of: back, forward, reload'),
    }),
    effect: 'network',
    subject: (input) => input.url,
  }),
  browser_snapshot: define({
    description:
      'The page that is open, as its accessibility tree: what stands there, with refs to act on. Also lists the tabs. Long pages are cut and say so; ask from a later line then.',
    input: z.strictObject({ fromLine: z.number().int().min(1).max(1_000_000).optional().describe('First line of the tree to show; 1 when left out') }),
    effect: 'read',
    subject: () => 'page',
  }),
  browser_click: define({
    description: 'Click an element. Answers with the page as it is afterwards.',
    input: z.strictObject({
      ...target,
      button: z.enum(['left', 'right', 'middle']).optional(),
      double: z.boolean().optional().describe('Click twice'),
      acceptDialog: z.boolean().optional().describe('Answer a question that the page asks because of the click with OK. It is cancelled when left out'),
    }),
    effect: 'network',
    subject: aim,
  }),
  browser_fill: define({
    description: 'Replace the text of a field, or tick a box with the text "true" or "false". For several fields call it once each.',
    input: z.strictObject({ ...target, text: z.string().max(100_000), submit: z.boolean().optional().describe('Press Enter afterwards') }),
    effect: 'network',
    subject: (input) => `${aim(input)} = ${input.text}`,
  }),
  browser_type: define({
    description: 'Type text key by key, where the focus is or into an element. For pages that listen to keys; otherwise browser_fill is quicker.',
    input: z.strictObject({
      ref: ref.optional(),
      element,
      text: z.string().min(1).max(5_000),
      submit: z.boolean().optional().describe('Press Enter afterwards'),
    }),
    effect: 'network',
    subject: (input) => `${aim(input)} = ${input.text}`,
  }),
  browser_select: define({
    description: 'Choose options of a list (a select element), by their value or their label.',
    input: z.strictObject({ ...target, values: z.array(z.string().max(1_000)).max(100).describe('All that are to be chosen; the others are not any more') }),
    effect: 'network',
    subject: (input) => `${aim(input)} = ${input.values.join(', ')}`,
  }),
  browser_press: define({
    description: 'Press a key or a combination, such as Enter, Escape, ArrowDown or Control+a, on an element or where the focus is.',
    input: z.strictObject({ key: z.string().min(1).max(50), ref: ref.optional(), element }),
    effect: 'network',
    subject: (input) => [input.key, aim(input)].filter((word) => word !== '').join(' '),
  }),
  browser_hover: define({
    description: 'Move the pointer over an element, for menus and hints that open so.',
    input: z.strictObject(target),
    effect: 'network',
    subject: aim,
  }),
  browser_scroll: define({
    description: 'Scroll the page, or an element into view. Pages that load more as they are scrolled do so.',
    input: z.strictObject({
      direction: z.enum(['up', 'down', 'top', 'bottom']).optional().describe('Where to; down when neither this nor ref is given'),
      ref: ref.optional(),
    }),
    effect: 'network',
    subject: (input) => input.ref ?? input.direction ?? 'down',
  }),
  browser_wait: define({
    description: 'Wait until a text stands on the page, until one is gone, or for a time; then answer with the page.',
    input: z.strictObject({
      text: z.string().min(1).max(1_000).optional().describe('Wait until this text can be seen'),
      gone: z.string().min(1).max(1_000).optional().describe('Wait until this text can no longer be seen'),
      ms: z.number().int().min(1).max(60_000).optional().describe('At most so many milliseconds; 10000 when a text is given'),
    }),
    effect: 'read',
    subject: (input) => input.text ?? input.gone ?? `${input.ms ?? 0} ms`,
  }),
  browser_screenshot: define({
    description: 'A picture of what can be seen of the page, of the whole page, or of one element. A snapshot is cheaper when only text matters.',
    input: z.strictObject({ fullPage: z.boolean().optional(), ref: ref.optional() }),
    effect: 'read',
    subject: (input) => input.ref ?? 'page',
  }),
  browser_tabs: define({
    description: 'List the tabs of this session, change to one, open an empty one, or close one.',
    input: z.strictObject({
      action: z.enum(['list', 'select', 'new', 'close']),
      index: z
        .number()
        .int()
        .min(0)
        .max(1_000)
        .optional()
        .describe('Which tab, as the list counts them from 0; needed to select, the current one when left out to close'),
    }),
    effect: 'network',
    subject: (input) => (input.index === undefined ? input.action : `${input.action} ${input.index}`),
  }),
  browser_extract: define({
    description: 'The text of the page, or of one element, with its frames and links. For reading; use browser_snapshot to act.',
    input: z.strictObject({
      ref: ref.optional(),
      links: z.boolean().optional().describe('Also list the links with their addresses'),
      offset: z.number().int().min(0).max(100_000_000).optional().describe('Characters to leave out at the beginning, for what was cut'),
    }),
    effect: 'read',
    subject: (input) => input.ref ?? 'page',
  }),
  browser_upload: define({
    description: 'Put files of the workspace into a file field, or into what a button asks for. The page may send them on.',
    input: z.strictObject({ ...target, paths: z.array(path).min(1).max(20).describe('Files inside the workspace, relative to it') }),
    effect: 'network',
    subject: (input) => `${aim(input)} = ${input.paths.join(', ')}`,
  }),
  browser_download: define({
    description: 'Click an element that starts a download and keep the file in the workspace, in the folder downloads when no path is given.',
    input: z.strictObject({ ...target, path: path.optional().describe('File to save it as, inside the workspace. An existing one is never replaced') }),
    effect: 'network',
    subject: (input) => (input.path === undefined ? aim(input) : `${aim(input)} = ${input.path}`),
  }),
} as const;
