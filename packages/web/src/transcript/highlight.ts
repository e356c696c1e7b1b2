import { common, createLowlight } from 'lowlight';

export interface CodeSpan {
  readonly text: string;
  readonly className?: string;
}

type Nodes = ReturnType<ReturnType<typeof createLowlight>['highlight']>['children'];

const lowlight = createLowlight(common);
/** Past this size colours cost more than they help. */
const MOST_CHARACTERS = 60_000;

/** Loaded on demand: none of it is needed for the first sight of a transcript. */
export function highlight(code: string, language: string): CodeSpan[] {
  if (code.length > MOST_CHARACTERS || !lowlight.registered(language)) return [{ text: code }];
  return flatten(lowlight.highlight(language, code).children, undefined);
}

function flatten(nodes: Nodes, inherited: string | undefined): CodeSpan[] {
  return nodes.flatMap((node): CodeSpan[] => {
    if (node.type === 'text') return [inherited === undefined ? { text: node.value } : { text: node.value, className: inherited }];
    if (node.type !== 'element') return [];
    const own = node.properties['className'];
    return flatten(node.children, Array.isArray(own) ? own.join(' ') : inherited);
  });
}
