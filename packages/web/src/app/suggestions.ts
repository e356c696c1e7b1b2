export interface Suggestion {
  readonly title: string;
  readonly text: string;
}

const DEMO: readonly Suggestion[] = [
  { title: 'Run a command', text: 'run ls' },
  { title: 'Read a file', text: 'read README.md' },
  { title: 'Write a file', text: 'write notes.txt: hello' },
  { title: 'Be asked', text: 'ask me' },
  { title: 'Watch it stream', text: 'count to 500 slowly' },
];

const REAL: readonly Suggestion[] = [
  { title: 'Look around', text: 'What is in this folder? Tell me in a few lines.' },
  { title: 'Find something', text: 'Find the places that are marked as unfinished and list them.' },
  { title: 'Make something', text: 'Write a short notes.txt about this folder.' },
];

/** What to try first: the demo model understands plain commands only. */
export function suggestions(isDemo: boolean): readonly Suggestion[] {
  return isDemo ? DEMO : REAL;
}
