interface OnwardWays {
  /** Where the browser goes by itself. */
  readonly goOnTo?: string;
  /** A page of ours that the person can go to. */
  readonly link?: { readonly path: `/${string}`; readonly text: string };
}

/** A page for the few things that must be said without the web UI. No script, no link to elsewhere. All texts are ours. */
export function plainPage(title: string, paragraphs: readonly string[], { goOnTo, link }: OnwardWays = {}): string {
  const refresh = goOnTo === undefined ? '' : `<meta http-equiv="refresh" content="0;url=${escapeHtml(goOnTo)}">`;
  const body = paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join('');
  const onward = link ? `<p><a href="${escapeHtml(link.path)}">${escapeHtml(link.text)}</a></p>` : '';
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="/favicon.svg"><meta name="viewport" content="width=device-width">${refresh}<title>${escapeHtml(title)} · Tendon</title><style>
:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.35rem;font-weight:600;margin:0 0 .75rem}p{margin:0 0 .75rem;opacity:.85}a{color:inherit;display:inline-block;padding:.6rem 0}
</style></head><body><main><h1>${escapeHtml(title)}</h1>${body}${onward}</main></body></html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
