import { textResult } from '@tendon/protocol';
import type { Page } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import type { LocalTool, ToolContext } from '../tools/tool.ts';
import type { BrowserSession } from './browser-session.ts';
import { pageState, tabLines } from './page-state.ts';
import { underWay } from './use-page.ts';

export const browserTabs: LocalTool<'browser_tabs'> = {
  name: 'browser_tabs',
  async run({ action, index }, context) {
    if (action === 'select' && index === undefined)
      throw new ToolFault('invalid_input', 'To select a tab its index is needed. browser_tabs with action "list" shows them.');
    if (index !== undefined && (action === 'list' || action === 'new'))
      throw new ToolFault('invalid_input', `"${action}" takes no index. Leave it out, or use "select" or "close".`);
    const session = await sessionFor(action, context);
    return underWay(context, session, async () => {
      if (action === 'new') await session.newTab();
      else if (action === 'select') await bringForward(session, tabAt(session, index));
      else if (action === 'close') await tabAt(session, index).close();
      if (!session.current) return textResult('succeeded', 'No tab is open any more.');
      if (action === 'list') return textResult('succeeded', ['Tabs:', ...(await tabLines(session))].join('\n'));
      return textResult('succeeded', await pageState(session));
    });
  },
};

async function sessionFor(action: string, context: ToolContext): Promise<BrowserSession> {
  return action === 'new' ? context.browser.open(context.sessionId, context.onSpawned) : context.browser.find(context.sessionId);
}

async function bringForward(session: BrowserSession, page: Page): Promise<void> {
  session.select(page);
  await page.bringToFront();
}

function tabAt(session: BrowserSession, index: number | undefined): Page {
  if (index === undefined) return session.page();
  const page = session.tabs[index];
  if (page) return page;
  const count = session.tabs.length;
  throw new ToolFault(
    'no_such_tab',
    `There is no tab ${index}: ${count === 0 ? 'none is open' : `the last one is ${count - 1}`}. browser_tabs with action "list" shows them.`,
  );
}
