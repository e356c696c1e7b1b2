// npm run conformance: runs every client scenario of the public MCP conformance suite against the gateway's MCP client, one after the other, and writes
// the table of results into docs/mcp.md. With names of scenarios it runs those alone, shows what was said, and writes nothing.
import { EXPECTED_FAILURES } from './expected-failures.ts';
import { tableOf, writeTable } from './results-table.ts';
import { clientScenarios, type Outcome, runScenario } from './suite.ts';

const named = process.argv.slice(2);
const scenarios = await clientScenarios();
const results = new Map<string, Outcome>();
for (const { name } of scenarios.filter((scenario) => named.length === 0 || named.includes(scenario.name))) {
  const outcome = await runScenario(name);
  results.set(name, outcome);
  const isExpected = outcome.isPassed !== Object.hasOwn(EXPECTED_FAILURES, name);
  if (!isExpected) process.exitCode = 1;
  process.stdout.write(`${outcome.isPassed ? 'passes       ' : 'does not pass'} ${name}${isExpected ? '' : '  UNEXPECTED'}\n`);
  if (named.length > 0 || !isExpected) process.stdout.write(outcome.log);
}
if (named.length === 0) await writeTable(tableOf(scenarios, results));
