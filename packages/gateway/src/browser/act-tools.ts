import type { Locator } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import type { LocalTool } from '../tools/tool.ts';
import { locate } from './elements.ts';
import { actOnPage } from './use-page.ts';

const ACTION_MS = 8_000;

export const browserClick: LocalTool<'browser_click'> = {
  name: 'browser_click',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      const element = await locate(work, input);
      work.session.dialogAnswer = input.acceptDialog === true ? 'accept' : 'dismiss';
      const how = { button: input.button ?? 'left', timeout: ACTION_MS, signal: work.signal };
      try {
        await (input.double === true ? element.dblclick(how) : element.click(how));
      } finally {
        work.session.dialogAnswer = 'dismiss';
      }
      return `Clicked ${nameOf(input)}.`;
    }),
};

export const browserFill: LocalTool<'browser_fill'> = {
  name: 'browser_fill',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      const element = await locate(work, input);
      const how = { timeout: ACTION_MS, signal: work.signal };
      const type = await element.evaluate((node) => (node.tagName === 'INPUT' ? (node.getAttribute('type') ?? '') : '').toLowerCase(), undefined, how);
      if (['checkbox', 'radio'].includes(type) && ['true', 'false'].includes(input.text)) await element.setChecked(input.text === 'true', how);
      else {
        await element.fill(input.text, how);
        await checkTaken(element, input.text);
      }
      if (input.submit === true) await element.press('Enter', how);
      return `Filled ${nameOf(input)}.`;
    }),
};

export const browserType: LocalTool<'browser_type'> = {
  name: 'browser_type',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      if (input.ref !== undefined) {
        const element = await locate(work, { ref: input.ref, element: input.element });
        await element.focus({ timeout: ACTION_MS, signal: work.signal });
      }
      for (const key of input.text.match(/\P{M}\p{M}*/gsu) ?? []) {
        work.signal.throwIfAborted();
        if (key === '\n') await work.page.keyboard.press('Enter');
        else await work.page.keyboard.type(key);
      }
      if (input.submit === true) await work.page.keyboard.press('Enter');
      return `Typed ${input.text.length} characters.`;
    }),
};

export const browserSelect: LocalTool<'browser_select'> = {
  name: 'browser_select',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      const element = await locate(work, input);
      // Playwright would wait for an option that is not there.
      const chosen = await element.selectOption([...input.values], { timeout: 3_000, signal: work.signal });
      return `Chose ${chosen.length === 0 ? 'nothing' : chosen.map((value) => JSON.stringify(value)).join(', ')} in ${nameOf(input)}.`;
    }),
};

export const browserPress: LocalTool<'browser_press'> = {
  name: 'browser_press',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      if (input.ref === undefined) await work.page.keyboard.press(input.key);
      else await (await locate(work, { ref: input.ref, element: input.element })).press(input.key, { timeout: ACTION_MS, signal: work.signal });
      return `Pressed ${input.key}.`;
    }),
};

export const browserHover: LocalTool<'browser_hover'> = {
  name: 'browser_hover',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      await (await locate(work, input)).hover({ timeout: ACTION_MS, signal: work.signal });
      return `The pointer is over ${nameOf(input)}.`;
    }),
};

export const browserScroll: LocalTool<'browser_scroll'> = {
  name: 'browser_scroll',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      if (input.ref !== undefined) {
        await (await locate(work, { ref: input.ref })).scrollIntoViewIfNeeded({ timeout: ACTION_MS, signal: work.signal });
        return `Scrolled to ${input.ref}.`;
      }
      const direction = input.direction ?? 'down';
      const place = await work.page.evaluate((where) => {
        const all = document.documentElement.scrollHeight;
        const step = window.innerHeight * 0.85;
        const target = { up: window.scrollY - step, down: window.scrollY + step, top: 0, bottom: all }[where];
        window.scrollTo({ top: target, behavior: 'instant' });
        return `${Math.round(window.scrollY)} to ${Math.round(window.scrollY + window.innerHeight)} of ${all}`;
      }, direction);
      return `Scrolled ${direction}. Shown now: pixels ${place}.`;
    }),
};

/** Fields of a kind, such as dates, quietly stay empty when the text is none of it. */
async function checkTaken(element: Locator, text: string): Promise<void> {
  const taken = await element.evaluate((node) => (node instanceof HTMLInputElement ? node.value : undefined)).catch(() => undefined);
  if (text === '' || taken !== '') return;
  throw new ToolFault(
    'not_a_field',
    'The field did not take this text and is empty. Give what its kind takes, such as 2026-12-31 for a date, 13:45 for a time, or digits for a number.',
  );
}

function nameOf({ ref, element }: { readonly ref: string; readonly element?: string | undefined }): string {
  return element ?? ref;
}
