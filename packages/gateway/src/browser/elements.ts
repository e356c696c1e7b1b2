import type { Locator } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import { snapshotOf } from './page-state.ts';
import type { PageWork } from './use-page.ts';

export interface Aim {
  readonly ref: string;
  readonly element?: string | undefined;
}

/**
 * The element of a ref. When the call names what it is, that must be so: the person has decided about the name, and the page may have
 * changed since. Errors: `ToolFault`.
 */
export async function locate({ page }: Pick<PageWork, 'page'>, { ref, element }: Aim): Promise<Locator> {
  const locator = page.getByRef(ref);
  if ((await locator.count().catch(() => 0)) === 0)
    throw new ToolFault('stale_ref', `There is no element ${ref} on the page any more, or it is hidden now. Take its ref from the snapshot below.`);
  if (element === undefined) return locator;
  const tree = await snapshotOf(page);
  const truly = headOf(tree, ref);
  if (truly === undefined)
    throw new ToolFault('stale_ref', `There is no element ${ref} on the page any more, or it is hidden now. Take its ref from the snapshot below.`);
  if (!isNamedSo(truly, element))
    throw new ToolFault(
      'other_element',
      `${ref} is ${truly} and not ${JSON.stringify(element)}. Nothing was done. Take ref and element from the snapshot below.`,
    );
  return locator;
}

/** `button "Save"` of the line `- button "Save" [ref=e12] [cursor=pointer]:`. */
export function headOf(tree: string, ref: string): string | undefined {
  for (const line of tree.split('\n')) {
    // What the page says itself may look like a ref: it stands in the quoted name, or after the colon.
    const match = /^\s*-\s+'?([a-z]+(?: "(?:[^"\\]|\\.)*")?)(?: \[(?!ref=)[^\]]*\])* \[ref=([a-z0-9]+)\]/.exec(line);
    if (match?.[2] === ref) return match[1];
  }
  return undefined;
}

/** The words of the model hold the name that the element has; one without a name is known by its role. */
export function isNamedSo(truly: string, claimed: string): boolean {
  const [, role = '', name] = /^(\S+)(?: "(.*)")?$/s.exec(truly) ?? [];
  return plain(claimed).includes(plain(name ?? role));
}

/** As whole words between spaces: `On` is not in `button`. */
function plain(text: string): string {
  const words = text
    .replaceAll(/["'\\\s]+/g, ' ')
    .trim()
    .toLowerCase();
  return ` ${words} `;
}
