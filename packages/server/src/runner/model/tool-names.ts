import { createHash } from 'node:crypto';

/** What every provider takes as a tool's name: OpenAI's rule is the narrowest. */
const LONGEST = 64;
const REFUSED = /[^a-zA-Z0-9_-]/g;

/** A name that every provider takes. Names that already are stay as they are; others keep a hash, so that two never become one. */
export function modelToolName(name: string): string {
  if (name !== '' && name.length <= LONGEST && name.search(REFUSED) < 0) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.replace(REFUSED, '_').slice(0, LONGEST - 9)}_${hash}`;
}

/** Turns a name that the model used back into ours. A name that the model made up comes back unchanged. */
export function ownToolNames(tools: readonly { readonly name: string }[]): (name: string) => string {
  const own = new Map<string, string>();
  for (const tool of tools) own.set(modelToolName(tool.name), tool.name);
  return (name) => own.get(name) ?? name;
}
