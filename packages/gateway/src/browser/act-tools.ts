import type { Locator, Page } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import type { LocalTool } from '../tools/tool.ts';
import { type Aim, locate } from './elements.ts';
import { actOnPage, type PageWork } from './use-page.ts';

export const browserClick: LocalTool<'browser_click'> = {
  name: 'browser_click',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      const element = await locate(work, input);
      work.session.dialogAnswer = input.acceptDialog === true ? 'accept' : 'dismiss';
      const how = { button: input.button ?? 'left', timeout: work.session.limits.actionMs, signal: work.signal };
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
      const how = { timeout: work.session.limits.actionMs, signal: work.signal };
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
  async run(input, context) {
    checkAim(input);
    return actOnPage(context, async (work) => {
      if (input.ref !== undefined) await focusOn(work, { ref: input.ref, element: input.element });
      for (const key of input.text.match(/\P{M}\p{M}*/gsu) ?? []) {
        work.signal.throwIfAborted();
        if (key === '\n') await work.page.keyboard.press('Enter');
        else await work.page.keyboard.type(key);
      }
      if (input.submit === true) await work.page.keyboard.press('Enter');
      return `Typed ${input.text.length} characters.`;
    });
  },
};

export const browserSelect: LocalTool<'browser_select'> = {
  name: 'browser_select',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      const element = await locate(work, input);
      // Playwright would wait for an option that is not there.
      const chosen = await element.selectOption([...input.values], { timeout: work.session.limits.optionMs, signal: work.signal });
      return `Chose ${chosen.length === 0 ? 'nothing' : chosen.map((value) => JSON.stringify(value)).join(', ')} in ${nameOf(input)}.`;
    }),
};

export const browserPress: LocalTool<'browser_press'> = {
  name: 'browser_press',
  async run(input, context) {
    checkAim(input);
    return actOnPage(context, async (work) => {
      if (input.ref !== undefined) await focusOn(work, { ref: input.ref, element: input.element });
      await work.page.keyboard.press(input.key);
      return `Pressed ${input.key}.`;
    });
  },
};

export const browserHover: LocalTool<'browser_hover'> = {
  name: 'browser_hover',
  run: (input, context) =>
    actOnPage(context, async (work) => {
      await (await locate(work, input)).hover({ timeout: work.session.limits.actionMs, signal: work.signal });
      return `The pointer is over ${nameOf(input)}.`;
    }),
};

export const browserScroll: LocalTool<'browser_scroll'> = {
  name: 'browser_scroll',
  async run(input, context) {
    if (input.ref !== undefined && input.direction !== undefined)
      throw new ToolFault(
        'invalid_input',
        'Both ref and direction were given. Give one of them: ref to bring an element into view, direction to move the page.',
      );
    return actOnPage(context, async (work) => {
      if (input.ref !== undefined) {
        const how = { timeout: work.session.limits.actionMs, signal: work.signal };
        await (await locate(work, { ref: input.ref })).scrollIntoViewIfNeeded(how);
        return `Scrolled to ${input.ref}.`;
      }
      const direction = input.direction ?? 'down';
      const { place, hasMoved } = await scroll(work.page, direction);
      const still = 'The page did not move: it is at its end there, or only a part of it scrolls. For a part, give the ref of an element in it.';
      return `${hasMoved ? `Scrolled ${direction}.` : still} Shown now: pixels ${place}.`;
    });
  },
};

function scroll(page: Page, direction: 'up' | 'down' | 'top' | 'bottom'): Promise<{ place: string; hasMoved: boolean }> {
  return page.evaluate((where) => {
    const all = document.documentElement.scrollHeight;
    const before = window.scrollY;
    const step = window.innerHeight * 0.85;
    const target = { up: before - step, down: before + step, top: 0, bottom: all }[where];
    window.scrollTo({ top: target, behavior: 'instant' });
    return { place: `${Math.round(window.scrollY)} to ${Math.round(window.scrollY + window.innerHeight)} of ${all}`, hasMoved: window.scrollY !== before };
  }, direction);
}

function checkAim({ ref, element }: { readonly ref?: string | undefined; readonly element?: string | undefined }): void {
  if (ref === undefined && element !== undefined)
    throw new ToolFault(
      'invalid_input',
      'An element was named without its ref, so nobody knows which one it is. Give its ref from the snapshot, or leave element out.',
    );
}

/** Keys go where the focus is: an element that does not take it would send them elsewhere. Errors: `ToolFault`. */
async function focusOn(work: PageWork, aim: Aim): Promise<void> {
  const element = await locate(work, aim);
  const how = { timeout: work.session.limits.actionMs, signal: work.signal };
  await element.focus(how);
  const hasFocus = await element.evaluate(
    (node) => {
      const active = (node.getRootNode() as Document | ShadowRoot).activeElement;
      return active !== null && (node === active || node.contains(active));
    },
    undefined,
    how,
  );
  if (!hasFocus)
    throw new ToolFault(
      'not_a_field',
      'The element does not take the focus, so the keys would go elsewhere. Nothing was pressed. Choose a field, button or link that is not disabled; to press keys on the page itself, leave ref out.',
    );
}

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
