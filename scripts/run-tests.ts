import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestOutcome } from './test-event-reporter.ts';

export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** For one test. */
  readonly testTimeoutMs: number;
  /** For one file, with the end of its process. A file that leaves something running is killed then, and fails. */
  readonly fileTimeoutMs: number;
  /** Sees to a program that the files need. Answers with what is missing, or undefined. */
  readonly ensure?: () => Promise<string | undefined>;
  /** Takes what time the others leave: for tests that do not mind how late they come. */
  readonly isPatient?: boolean;
}

export interface Tally {
  readonly passed: number;
  readonly failures: readonly string[];
  /** Why, of those that said so, each cut: it is printed again at the end, the only part of a long output that many keep. */
  readonly reasons?: readonly string[];
}

/** Of an error, with what was expected and the way that led to it. */
const REASON_LINES = 20;

interface FileRun extends Tally {
  readonly file: string;
  readonly seconds: number;
  /** What to print when something failed. */
  readonly details: string;
}

export function testFiles(...patterns: string[]): string[] {
  return globSync(patterns, { exclude: (path) => path.includes('node_modules') }).sort();
}

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, tally) => total + tally.passed, 0),
    failures: tallies.flatMap((tally) => tally.failures),
    reasons: tallies.flatMap((tally) => tally.reasons ?? []),
  };
}

interface Waiting {
  readonly suite: Suite;
  readonly file: string;
  readonly report: string;
  /** What is missing of what it needs. */
  readonly missing: Promise<string | undefined>;
}

/** Runs every file of all suites in a process of its own, in their order, so many at once, and prints a line for each. */
export async function runSuites(suites: readonly Suite[], concurrency: number): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'tendon-test-run-'));
  const waiting = queueOf(suites, folder);
  console.log(`\n${suites.map((suite) => suite.name).join(', ')}: ${waiting.length} files, ${concurrency} at once`);
  const tallies: Tally[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) tallies.push(await runWaiting(next));
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  rmSync(folder, { recursive: true, force: true });
  return sum(tallies);
}

/** What a suite needs is seen to one after the other, while the files before it run: there is one lock on what installs packages. */
function queueOf(suites: readonly Suite[], folder: string): Waiting[] {
  let ensured: Promise<unknown> = Promise.resolve();
  return suites.flatMap((suite) => {
    const missing = suite.ensure ? ensured.then(suite.ensure) : Promise.resolve(undefined);
    ensured = suite.ensure ? missing : ensured;
    return suite.files.map((file) => ({ suite, file, missing, report: join(folder, `${file.replaceAll(/\W/g, '-')}.jsonl`) }));
  });
}

async function runWaiting({ suite, file, report, missing }: Waiting): Promise<Tally> {
  const lack = await missing;
  if (lack !== undefined) {
    console.log(`  NOT RUN ${file}: ${lack}`);
    return { passed: 0, failures: [`NOT RUN: ${file}: ${lack}`] };
  }
  const run = await runFile(suite, file, report);
  printRun(run);
  return run;
}

function printRun({ file, passed, failures, seconds, details }: FileRun): void {
  const failed = failures.length > 0 ? `${failures.length} FAILED, ` : '';
  console.log(`  ${failures.length > 0 ? 'FAILED' : 'ok    '} ${file}  (${failed}${passed} passed, ${seconds.toFixed(1)} s)`);
  if (details !== '') console.log(details.replace(/^/gm, '    | '));
}

async function runFile(suite: Suite, file: string, report: string): Promise<FileRun> {
  const startedAt = performance.now();
  const ended = await runProcess(suite, file, report);
  const outcomes = readOutcomes(report);
  const problems = outcomes.filter((outcome) => outcome.outcome !== 'passed');
  const failures = problems.map((outcome) => `${file}: ${outcome.title}${outcome.outcome === 'skipped' ? ' (skipped: every test must run)' : ''}`);
  if (ended.fault !== undefined && failures.length === 0) failures.push(`${file}: ${ended.fault}`);
  if (ended.fault === undefined && outcomes.length === 0) failures.push(`${file}: it holds no test`);
  const errors = problems.map((problem) => `${problem.title}\n${problem.error ?? ''}`);
  const reasons = problems.flatMap(({ title, error }) => (error === undefined ? [] : [`${file}: ${title}\n${firstLines(error)}`]));
  return {
    file,
    passed: outcomes.length - problems.length,
    failures,
    reasons,
    seconds: (performance.now() - startedAt) / 1_000,
    details: failures.length > 0 ? [...errors, ended.fault ?? '', ended.output].filter((text) => text !== '').join('\n') : '',
  };
}

function firstLines(text: string): string {
  return text.split('\n').slice(0, REASON_LINES).join('\n');
}

/** Resolves when the process has ended, and what it has left in its group; ends it with all its children at the deadline. */
function runProcess(suite: Suite, file: string, report: string): Promise<{ readonly fault: string | undefined; readonly output: string }> {
  const reporter = join(import.meta.dirname, 'test-event-reporter.ts');
  const flags = [`--test-timeout=${suite.testTimeoutMs}`, `--test-reporter=${reporter}`, `--test-reporter-destination=${report}`];
  const [program, ...first] = suite.isPatient ? ['nice', '-n', '19', process.execPath] : [process.execPath];
  const child = spawn(program, [...first, ...flags, file], { detached: true, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve) => {
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      void endGroup(child.pid);
    }, suite.fileTimeoutMs);
    child.once('close', async (code, signal) => {
      clearTimeout(deadline);
      await endGroup(child.pid);
      const late = `the process did not end within ${suite.fileTimeoutMs} ms: something was left running, or a test hangs`;
      const ended = code === 0 ? undefined : `the process ended with ${signal ?? `code ${code}`}`;
      resolve({ fault: isLate ? late : ended, output });
    });
  });
}

/** How long a gateway takes at most to end what it runs, and a server its database. */
const END_MS = 12_000;

/**
 * Asks first. The commands of a gateway are in groups of their own, so that killing the file's leaves them running for ever; a gateway that is
 * told to end takes them along. One that stands still hears of it when it goes on.
 */
async function endGroup(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  signalGroup(pid, 'SIGCONT');
  for (const end = performance.now() + END_MS; signalGroup(pid, 0) && performance.now() < end; ) await pause(50);
  signalGroup(pid, 'SIGKILL');
}

/** False when the group is gone already, as it should be. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

function readOutcomes(report: string): TestOutcome[] {
  try {
    const lines = readFileSync(report, 'utf8').split('\n');
    return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as TestOutcome);
  } catch {
    return [];
  }
}

/** Every test file is a process, and many start the product over and over: what one of them has compiled the others need not (1.0 s to 0.6 s for the server's modules). */
const COMPILE_CACHE = join(import.meta.dirname, '../node_modules/.cache/tendon-tests');

/** What the person has configured for a Tendon of their own must not reach the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(TENDON_|OPENAI_|ANTHROPIC_|GOOGLE_|OLLAMA_|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/;
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
  return { ...own, NODE_COMPILE_CACHE: COMPILE_CACHE };
}
