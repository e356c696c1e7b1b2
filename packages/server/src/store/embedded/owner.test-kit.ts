import { argv, stdout } from 'node:process';
import { pino } from 'pino';
import { StartError } from '../../start-error.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

/** A process that owns a database until it is killed. Says `{ url, pid }` or `{ refused }` on its first line. */
try {
  const { url, pid } = await startEmbeddedPostgres({ dataDir: argv[2] ?? '', log: pino({ level: 'silent' }) });
  stdout.write(`${JSON.stringify({ url, pid })}\n`);
  setInterval(() => undefined, 60_000);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  stdout.write(`${JSON.stringify({ refused: error.message })}\n`);
}
