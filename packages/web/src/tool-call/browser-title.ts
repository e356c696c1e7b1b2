import type { Call } from '@tendon/protocol';
import { visibleText } from '../approvals/hidden-characters.ts';
import { field, numberField, textField } from './call-input.ts';
import type { CallTitle } from './call-title.ts';

type Describe = (call: Call) => CallTitle | undefined;

/** What the browser does, to what. An element is called by the name that the model gives it, which the machine checks, or else by its ref. */
export const BROWSER_TITLES: Record<string, Describe> = {
  browser_navigate: (call) => {
    const url = textField(call.input, 'url');
    if (url === undefined) return undefined;
    if (['back', 'forward'].includes(url)) return { verb: `Go ${url}`, detail: 'in the browser' };
    return url === 'reload' ? { verb: 'Reload', detail: 'the page' } : { verb: 'Open', object: url };
  },
  browser_snapshot: () => ({ verb: 'Look at', object: 'the page' }),
  browser_click: onElement('Click'),
  browser_fill: onElement('Fill'),
  browser_type: (call) => {
    const object = textField(call.input, 'text');
    return object === undefined ? undefined : { verb: 'Type', object };
  },
  browser_select: onElement('Choose in'),
  browser_press: (call) => {
    const object = textField(call.input, 'key');
    return object === undefined ? undefined : { verb: 'Press', object };
  },
  browser_hover: onElement('Point at'),
  browser_scroll: (call) => {
    const ref = textField(call.input, 'ref');
    return ref === undefined ? { verb: 'Scroll', detail: visibleText(textField(call.input, 'direction') ?? 'down') } : { verb: 'Scroll to', object: ref };
  },
  browser_wait: (call) => {
    const text = textField(call.input, 'text') ?? textField(call.input, 'gone');
    return text === undefined ? { verb: 'Wait', detail: `${numberField(call.input, 'ms') ?? 0} ms` } : { verb: 'Wait for', object: text };
  },
  browser_screenshot: (call) => ({ verb: 'Take a picture of', object: textField(call.input, 'ref') ?? 'the page' }),
  browser_tabs: (call) => {
    const action = textField(call.input, 'action');
    const index = numberField(call.input, 'index');
    const verbs: Record<string, string> = { list: 'List tabs', select: 'Change tab', new: 'Open a tab', close: 'Close tab' };
    const verb = action !== undefined && Object.hasOwn(verbs, action) ? verbs[action] : undefined;
    if (verb === undefined) return undefined;
    return index === undefined ? { verb } : { verb, object: String(index) };
  },
  browser_extract: (call) => ({ verb: 'Read', object: textField(call.input, 'ref') ?? 'the page' }),
  browser_upload: (call) => {
    const paths = field(call.input, 'paths');
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) return undefined;
    return { verb: 'Upload', object: paths.join(', ') };
  },
  browser_download: onElement('Download'),
};

function onElement(verb: string): Describe {
  return (call) => {
    const object = textField(call.input, 'element') ?? textField(call.input, 'ref');
    return object === undefined ? undefined : { verb, object };
  };
}
