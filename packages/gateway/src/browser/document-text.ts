export interface Link {
  readonly text: string;
  readonly href: string;
}

/** What stands in one document or element, without the frames in it. */
export interface DocumentText {
  readonly text: string;
  /** Characters that were left out. */
  readonly cut: number;
  readonly links: readonly Link[];
  /** Links that were left out. */
  readonly further: number;
}

export interface TextLimits {
  readonly maxUnits: number;
  readonly maxLinks: number;
}

/** Runs a function in the page. What comes back is whatever the page makes of it. */
export type Evaluate = (read: (node: Node, limits: TextLimits) => DocumentText, limits: TextLimits) => Promise<unknown>;

/** Text and links. A page may have put other things in the place of the functions that this uses: it is not believed. */
export async function readDocument(evaluate: Evaluate, limits: TextLimits): Promise<DocumentText> {
  const said = (await evaluate(documentText, limits)) as Partial<Record<keyof DocumentText, unknown>> | undefined;
  const links = Array.isArray(said?.links) ? said.links.slice(0, limits.maxLinks) : [];
  return {
    text: shortened(said?.text, limits.maxUnits),
    cut: counted(said?.cut),
    links: links.map((link: Partial<Record<keyof Link, unknown>> | null) => ({ text: shortened(link?.text, 200), href: shortened(link?.href, 1_000) })),
    further: counted(said?.further),
  };
}

/** Runs in the page. */
function documentText(node: Node, { maxUnits, maxLinks }: TextLimits): DocumentText {
  const element = node as Element;
  const text = element instanceof HTMLElement ? element.innerText : (element.textContent ?? '');
  const anchors = [...element.querySelectorAll<HTMLAnchorElement>('a[href]')];
  const links = anchors.slice(0, maxLinks).map((anchor) => ({ text: anchor.innerText.trim().slice(0, 200), href: anchor.href.slice(0, 1_000) }));
  return { text: text.slice(0, maxUnits), cut: Math.max(0, text.length - maxUnits), links, further: anchors.length - links.length };
}

function shortened(said: unknown, most: number): string {
  return typeof said === 'string' ? said.slice(0, most) : '';
}

function counted(said: unknown): number {
  return typeof said === 'number' && said > 0 && Number.isSafeInteger(said) ? said : 0;
}
