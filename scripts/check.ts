// npm run check: everything that is quick: format, lint, types, borders, unused code, SPEC, generated files, unit tests.
import { availableParallelism } from 'node:os';
import { closingLine } from './closing-line.ts';
import { runSuites, sum } from './run-tests.ts';
import { runStaticChecks } from './static-checks.ts';
import { QUICK_UNITS } from './suites.ts';

process.chdir(`${import.meta.dirname}/..`);
const statics = await runStaticChecks();
const units = await runSuites([QUICK_UNITS], availableParallelism());
process.exitCode = closingLine(sum([statics, units]));
