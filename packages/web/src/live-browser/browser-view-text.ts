import type { BrowserView } from '@tendon/client';
import { visibleText } from '../approvals/hidden-characters.ts';

export interface BrowserViewText {
  /** It goes on by itself, and soon. */
  readonly isBusy: boolean;
  readonly title: string;
  readonly hint: string;
  /** Asking again may help. */
  readonly canAskAgain?: boolean;
}

/** Why there is no picture, and what a person can do about it. Undefined when there is one. */
export function browserViewText(view: BrowserView, machine: string | undefined): BrowserViewText | undefined {
  const name = machine ?? 'The machine';
  switch (view.kind) {
    case 'picture':
      return undefined;
    case 'off':
    case 'starting':
      return { isBusy: true, title: 'Waiting for the picture…', hint: `${name} is asked for what its browser shows.` };
    case 'offline':
      return { isBusy: true, title: 'No connection to the server', hint: 'The picture comes back by itself with it.' };
    case 'no_page':
      return { isBusy: false, title: 'No page is open', hint: 'When the agent opens one in this session, it is shown here.' };
    case 'away':
      return {
        isBusy: false,
        title: machine === undefined ? 'No machine is connected' : `${machine} is offline`,
        hint: 'What its browser shows comes by itself when it is back.',
      };
    case 'refused':
      return {
        isBusy: false,
        title: `${name} does not show its browser`,
        hint: 'Its policy file forbids it. To allow it, its owner writes "browser": { "live": true } into gateway-policy.json, and takes out what denies browser_screenshot.',
      };
    case 'silent':
      return {
        isBusy: false,
        title: `${name} does not answer`,
        hint: 'An older version of Tendon cannot show its browser: update it there. Otherwise restart its gateway.',
      };
    case 'failed':
      return { isBusy: false, title: 'The browser cannot be watched', hint: view.error.message, canAskAgain: true };
  }
}

const MOST_TEXT = 300;

/** What a screen reader says of the picture: the words of a page, of which nothing hides. */
export function pictureText({ title, url }: { readonly title: string; readonly url: string }): string {
  return `The agent’s browser: ${short(title === '' ? 'a page without a title' : title)}, ${short(url)}`;
}

function short(text: string): string {
  const visible = visibleText(text);
  return visible.length > MOST_TEXT ? `${visible.slice(0, MOST_TEXT).toWellFormed()}…` : visible;
}
