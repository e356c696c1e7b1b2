import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** Two outputs are called alike: the cards that they stand in, which have names of their own, tell them apart. */
const NAMED_ALIKE = 'landmark-unique';

/** Faults that axe calls moderate, serious or critical, in both colour schemes, as "where: rule element". The page is judged at rest: nothing on its way to another colour. */
export async function seriousFaults(page: Page, where: string): Promise<string[]> {
  const faults: string[] = [];
  await page.evaluate(() => {
    const still = new CSSStyleSheet();
    still.replaceSync('*, ::before, ::after { transition: none !important; animation: none !important; }');
    document.adoptedStyleSheets.push(still);
  });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe.source);
    const violations = await page.evaluate(async () => {
      const { axe: loaded } = window as unknown as { axe: typeof axe };
      return (await loaded.run(document, { resultTypes: ['violations'] })).violations;
    });
    for (const { id, impact, nodes } of violations) {
      if (impact === 'minor' || id === NAMED_ALIKE) continue;
      for (const node of nodes) faults.push(`${where}, ${colorScheme}: ${id} ${node.html.slice(0, 160)} ${node.failureSummary?.split('\n')[1]?.trim()}`);
    }
  }
  await page.evaluate(() => document.adoptedStyleSheets.pop());
  await page.emulateMedia({ colorScheme: 'light' });
  return faults;
}
