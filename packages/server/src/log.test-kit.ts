import { createLog } from './log.ts';

/** A process that goes on after it has logged, wherever that goes. */
const log = createLog({ level: 'info', pretty: false });
for (let line = 0; line < 100; line += 1) log.info({ reason: 'x'.repeat(1_000) }, `line ${line}`);
process.stdout.write('still here');
