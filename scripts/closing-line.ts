import type { Tally } from './run-tests.ts';

/** Tells every failure again, prints `N passed, N failed` as the last line, and answers with the exit code. */
export function closingLine({ passed, failures, reasons = [] }: Tally): 0 | 1 {
  for (const reason of reasons) console.log(`\n${reason.replace(/\n/g, '\n    | ')}`);
  if (failures.length > 0) console.log(`\nfailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
  console.log(`\n${passed} passed, ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}
