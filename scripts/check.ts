// npm run check: everything that is quick: format, lint, types, borders, unused code, SPEC, generated files, unit tests.
import { closingLine } from './closing-line.ts';
import { sum } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { runUnitTests } from './suites.ts';

process.chdir(`${import.meta.dirname}/..`);
const statics = await runStaticChecks();
const units = await runUnitTests('quick');
process.exitCode = closingLine(sum([statics, units]));
