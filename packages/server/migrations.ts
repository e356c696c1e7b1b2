import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { argv, execPath, exit, stderr, stdout } from 'node:process';

/**
 * `generate` writes the migration that leads from the last snapshot to the schema. `check` does the same in a copy and fails when
 * there was anything to write, when the history is not one chain, or when a file was made or named by hand.
 */
const here = import.meta.dirname;
const migrations = join(here, 'src/store/migrations');
const schema = 'src/store/schema/index.ts';

interface Journal {
  entries: { idx: number; tag: string; when: number }[];
}

function drizzleKit(args: readonly string[]): string {
  const bin = join(dirname(createRequire(import.meta.url).resolve('drizzle-kit')), 'bin.cjs');
  const run = spawnSync(execPath, ['--import', join(here, 'resolve-drizzle.ts'), bin, ...args], {
    cwd: here,
    encoding: 'utf8',
    env: { ...process.env, NODE_PATH: join(here, 'node_modules') },
  });
  const said = run.stdout + run.stderr;
  if (run.status !== 0 || said.includes('Error')) throw new Error(`drizzle-kit ${args.join(' ')} failed:\n${said}`);
  return said;
}

function check(): string[] {
  const draft = mkdtempSync(join(here, '.migrations-'));
  try {
    cpSync(migrations, draft, { recursive: true });
    const before = readdirSync(draft, { recursive: true }).length;
    const config = join(draft, 'drizzle.config.json');
    writeFileSync(config, JSON.stringify({ dialect: 'postgresql', schema, out: relative(here, draft) }));
    drizzleKit(['generate', '--config', relative(here, config)]);
    drizzleKit(['check', '--config', relative(here, config)]);
    const drift = readdirSync(draft, { recursive: true }).length - before - 1;
    return [...(drift > 0 ? ['The schema has changed since the last migration. Run npm run migrations:generate.'] : []), ...chainFaults()];
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function chainFaults(): string[] {
  const journal: Journal = JSON.parse(readFileSync(join(migrations, 'meta/_journal.json'), 'utf8'));
  const faults: string[] = [];
  const tags = journal.entries.map((entry) => `${entry.tag}.sql`);
  const files = readdirSync(migrations).filter((name) => name.endsWith('.sql'));
  for (const name of files) if (!tags.includes(name)) faults.push(`${name} is not in the journal: migrations are generated, never written by hand.`);
  for (const tag of tags) if (!files.includes(tag)) faults.push(`${tag} is in the journal and its file is missing.`);
  let parent = '00000000-0000-0000-0000-000000000000';
  journal.entries.forEach((entry, index) => {
    const number = String(index).padStart(4, '0');
    const snapshot: { id: string; prevId: string } = JSON.parse(readFileSync(join(migrations, `meta/${number}_snapshot.json`), 'utf8'));
    if (!entry.tag.startsWith(`${number}_`) || snapshot.prevId !== parent)
      faults.push(`${entry.tag} does not follow the one before it: two were made side by side.`);
    parent = snapshot.id;
  });
  return faults;
}

if (argv[2] === 'generate') stdout.write(drizzleKit(['generate']));
else if (argv[2] === 'check') {
  const faults = check();
  for (const fault of faults) stderr.write(`${fault}\n`);
  if (faults.length > 0) exit(1);
} else {
  stderr.write('usage: node migrations.ts generate|check\n');
  exit(2);
}
