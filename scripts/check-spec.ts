// Every rule of SPEC has a test that cites it, every citation exists, the map of OWASP's lists names none that is gone, and the rules are numbered without gaps.
import { testFiles } from './run-tests.ts';
import { readCitations, readFamilies, readMapped, specFaults } from './spec.ts';

process.chdir(`${import.meta.dirname}/..`);
const files = testFiles('packages/*/src/**/{*.test,*.test-kit,*-rig,contract-*}.ts', 'testing/src/**/*.test.ts', 'tests/**/*.test.ts', 'scripts/**/*.test.ts');
const families = readFamilies();
const known = new Set(families.flatMap(({ rules }) => rules.map(({ id }) => id)));
const gone = readMapped('docs/asvs.md').filter(({ id }) => !known.has(id));
const faults = [...specFaults(families, readCitations(files)), ...gone.map(({ file, id }) => `${file}: names ${id}, which SPEC does not have`)];
for (const fault of new Set(faults)) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
