// Every rule of SPEC has a test that cites it, every citation exists, and the rules are numbered without gaps.
import { testFiles } from './run-tests.ts';
import { readCitations, readFamilies, specFaults } from './spec.ts';

process.chdir(`${import.meta.dirname}/..`);
const files = testFiles('packages/*/src/**/{*.test,*.test-kit,*-rig,contract-*}.ts', 'testing/src/**/*.test.ts', 'tests/**/*.test.ts', 'scripts/**/*.test.ts');
const faults = specFaults(readFamilies(), readCitations(files));
for (const fault of new Set(faults)) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
