import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const SUITE = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const CLIENT = join(root, 'packages/mcp/src/conformance-client-rig.ts');
const LIMIT_MS = 30_000;

export interface Scenario {
  readonly name: string;
  /** The versions of the specification that it is about; `draft` and `extension` are no part of one. */
  readonly versions: readonly string[];
}

export interface Outcome {
  readonly isPassed: boolean;
  readonly failedChecks: readonly string[];
  /** All that suite and client have said. */
  readonly log: string;
}

/** Those that the suite has for clients. */
export async function clientScenarios(): Promise<Scenario[]> {
  const { output } = await run(['list', '--client']);
  const listed = output.slice(output.indexOf('Client scenarios'));
  return [...listed.matchAll(/^ {2}- (\S+) \[(.*)\]$/gm)].map(([, name = '', versions = '']) => ({ name, versions: versions.split(',') }));
}

/** Runs one scenario: the suite starts a server, and our client with its address. */
export async function runScenario(name: string): Promise<Outcome> {
  const command = [process.execPath, CLIENT].map((word) => JSON.stringify(word)).join(' ');
  const { code, output, errors } = await run(['client', '--command', command, '--scenario', name, '--timeout', String(LIMIT_MS - 5_000), '--verbose']);
  const checks = checksOf(output).filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  return { isPassed: code === 0, failedChecks: checks.map(({ id }) => id), log: `${errors}${output}` };
}

const checkSchema = z.object({ id: z.string(), status: z.string() });

function checksOf(output: string): z.infer<typeof checkSchema>[] {
  try {
    return z.array(checkSchema).parse(JSON.parse(output));
  } catch {
    return [];
  }
}

interface Run {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, [SUITE, ...args], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const end = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(end);
      resolve({ code: code ?? 1, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() });
    });
  });
}
