import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** One line of JSON per finished test: what `run-tests.ts` reads. A group that only passes on the failure of its tests is left out. */
export interface TestOutcome {
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly error?: string;
}

/** A `--test-reporter` of Node. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const event of events) {
    if (event.type === 'test:start') path.splice(event.data.nesting, Infinity, event.data.name);
    const outcome = outcomeOf(event, path);
    if (outcome) yield `${JSON.stringify(outcome)}\n`;
  }
}

/** An exception that belongs to no test any more fails the file, and is told in this way alone. */
const LATE = /^Error: .* generated asynchronous activity after the test ended\./;

function outcomeOf(event: TestEvent, path: readonly string[]): TestOutcome | undefined {
  if (event.type === 'test:diagnostic' && LATE.test(event.data.message))
    return { title: 'an exception after its test', outcome: 'failed', error: event.data.message };
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { name, nesting, details, skip, todo } = event.data;
  const title = [...path.slice(0, nesting), name].join(' > ');
  if (event.type === 'test:pass') {
    if (details.type === 'suite') return undefined;
    return { title, outcome: isSet(skip) || isSet(todo) ? 'skipped' : 'passed' };
  }
  const error: Error & { failureType?: string } = event.data.details.error;
  if (error.failureType === 'subtestsFailed') return undefined;
  return { title, outcome: 'failed', error: inspect(error.cause ?? error, { depth: 6 }).slice(0, 8_000) };
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}
