import { day } from '../ui/day.ts';

export interface Provider {
  readonly provider: string;
  readonly variables: readonly string[];
  readonly isFromEnvironment: boolean;
  readonly stored?: StoredKey;
}

export interface StoredKey {
  readonly setAt: string;
  readonly setBy?: string;
  /** Empty: too short to show a part of. Undefined: there is none, or it cannot be read. */
  readonly lastCharacters?: string;
  readonly url?: string;
  readonly fault?: string;
}

const LABELS: Readonly<Record<string, string>> = { openai: 'OpenAI', anthropic: 'Anthropic', google: 'Google', compatible: 'Compatible server' };

export function labelOf(provider: string): string {
  return (Object.hasOwn(LABELS, provider) ? LABELS[provider] : undefined) ?? provider;
}

/** The parts of the line under a provider's name: where its key comes from, as much of it as may be shown, when it was set and by whom. */
export function keyFacts({ provider, isFromEnvironment, variables, stored }: Provider): readonly string[] {
  const fromEnvironment = isFromEnvironment ? [`Set by the environment (${variables.join(', ')}): it cannot be changed here`] : [];
  if (!stored) return isFromEnvironment ? fromEnvironment : [provider === 'compatible' ? 'No address yet' : 'No key yet'];
  const shown = stored.fault !== undefined ? [] : [...(stored.url === undefined ? [] : [stored.url]), keyText(stored.lastCharacters)];
  const set = `Set ${day(stored.setAt)}${stored.setBy === undefined ? '' : ` by ${stored.setBy}`}`;
  return isFromEnvironment ? [...fromEnvironment, 'A stored key is not used'] : [...shown, set];
}

function keyText(lastCharacters: string | undefined): string {
  return lastCharacters === undefined ? 'Without a key' : `Key ••••${lastCharacters}`;
}
