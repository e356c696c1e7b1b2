import { StartError } from '@tendon/server/settings';
import { Command, CommanderError } from 'commander';
import { fail, note } from './output.ts';
import { VERSION } from './version.ts';

/** Reads the command line and does what it says. Sets the exit code; never throws. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await buildProgram().parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exit(error.exitCode === 0 ? 0 : 2);
    }
    if (isStartError(error)) {
      fail(error.message);
      process.exit(2);
    }
    fail(unexpectedWords(error));
    if (process.env['TENDON_LOG_LEVEL'] === 'debug' && error instanceof Error) note(String(error.stack));
    process.exit(1);
  }
}

function unexpectedWords(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  if (isNoRoom(error)) return `there is no room on the disk (${said}): free some for the home (TENDON_HOME) and for temporary files, then start again`;
  return `something unexpected went wrong: ${said} (TENDON_LOG_LEVEL=debug shows more)`;
}

const SQLITE_FULL = 13;

function isNoRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && ['ENOSPC', 'EDQUOT'].includes(String(error.code))) || ('errcode' in error && error.errcode === SQLITE_FULL);
}

/** By name for the gateway's: its class is not loaded unless a gateway runs. */
function isStartError(error: unknown): error is Error {
  return error instanceof StartError || (error instanceof Error && error.name === 'GatewayStartError');
}

function buildProgram(): Command {
  const program = new Command('tendon')
    .description('A self-hosted agent: its mind on a server, its hands on your own machine.')
    .version(VERSION)
    .showSuggestionAfterError(false)
    .exitOverride();
  addServing(program);
  addGateway(program);
  addKeys(program);
  addSecrets(program);
  addTools(program);
  refuseInOneLine(program, program.name());
  return program;
}

/** What is wrong on a command line, and where the right words stand. */
function refuseInOneLine(command: Command, words: string): void {
  command.configureOutput({ outputError: (text) => fail(`${text.replace(/^error: /, '').trim()}: see ${words} --help`) });
  for (const inner of command.commands) refuseInOneLine(inner, `${words} ${inner.name()}`);
}

function addServing(program: Command): void {
  const served = (command: Command) =>
    common(command)
      .option('--host <HOST>', 'where to listen (TENDON_HOST, 127.0.0.1)')
      .option('--port <PORT>', 'which port, 0 for a free one (TENDON_PORT, 7420)')
      .option('--public-url <URL>', 'the address that people use (TENDON_PUBLIC_URL)')
      .option('--database-url <URL>', 'a PostgreSQL server instead of our own (TENDON_DATABASE_URL)')
      .option('--model <NAME>', 'provider/model for new sessions (TENDON_MODEL)')
      .option('--ready-file <PATH>', 'write { url, pid, port } there when ready');
  served(program.command('start').description('everything on this machine: server, gateway for a folder, web page; prints a sign-in link'))
    .option('--workspace <DIR>', 'the folder that the agent may work in (TENDON_WORKSPACE, the current one)')
    .option('--no-open', 'do not open the link in a browser')
    .action(async (flags) => (await import('./commands/start.ts')).start(flags));
  served(program.command('server').description('a server node alone')).action(async (flags) => (await import('./commands/server.ts')).server(flags));
}

function addGateway(program: Command): void {
  const handed = (command: Command) =>
    common(command)
      .requiredOption('--server <URL>', 'the address of the server')
      .option('--workspace <DIR>', 'a folder that the agent may work in; may be repeated', (value: string, list: string[] = []) => [...list, value])
      .option('--name <NAME>', 'what to call this machine')
      .option('--at-login', 'once connected, also start like this whenever you log in')
      .option('--no-at-login', 'not any more')
      .option('--ready-file <PATH>', 'write { url, pid, port, relayUrl? } there when connected');
  handed(program.command('gateway').description("this machine's hands for a server elsewhere"))
    .option('--relay', 'also show the page to a browser on this machine, on loopback (TENDON_RELAY_PORT, 7421)')
    .action(async (flags) => (await import('./commands/gateway.ts')).gateway(flags));
  handed(program.command('desktop').description("this machine's hands for a server elsewhere, and the page in a window of its own"))
    .option('--session <ID>', 'open this session')
    .action(async (flags) => (await import('./commands/desktop.ts')).desktop(flags));
}

function addKeys(program: Command): void {
  const key = program.command('key').description('API keys, for gateways elsewhere and for scripts');
  const keyed = (command: Command) => common(command).option('--server <URL>', 'a server elsewhere, with TENDON_API_KEY');
  keyed(key.command('create').argument('<name>', 'what it is for').description('make a key and print it, once'))
    .option('--gateway-id <UUID>', 'only for this gateway')
    .option('--scope <SCOPE>', 'only for this: read, write, approve or manage; may be repeated', (value: string, list: string[] = []) => [...list, value])
    .option('--expires-in-days <DAYS>', 'end it by itself')
    .action(async (name, flags) => (await import('./commands/key.ts')).createKey(name, flags));
  keyed(key.command('list').description('all your keys')).action(async (flags) => (await import('./commands/key.ts')).listKeys(flags));
  keyed(key.command('revoke').argument('<id>', 'as tendon key list shows it').description('end a key at once')).action(async (id, flags) =>
    (await import('./commands/key.ts')).revokeKey(id, flags),
  );
}

function addSecrets(program: Command): void {
  const secrets = program.command('secrets').description('the secret key, which encrypts stored secrets');
  common(secrets.command('status').description('how many secrets each key has sealed, and whether it is here'))
    .option('--server <URL>', 'a server elsewhere, with TENDON_API_KEY')
    .action(async (flags) => (await import('./commands/secrets.ts')).secretsStatus(flags));
  common(secrets.command('rotate').description("replace this home's secret key while no server runs; browsers sign in again")).action(async (flags) =>
    (await import('./commands/secrets.ts')).rotateSecrets(flags),
  );
}

function addTools(program: Command): void {
  const factor = program.command('second-factor').description('the codes that are asked for after the password');
  common(factor.command('reset').description('switch it off for the first owner, who has lost their app; on the server’s machine')).action(async (flags) =>
    (await import('./commands/second-factor.ts')).resetSecondFactor(flags),
  );
  common(program.command('doctor').description('check everything that Tendon needs, and say how to mend it'))
    .option('--workspace <DIR>', 'the folder that the agent may work in')
    .action(async (flags) => (await import('./commands/doctor.ts')).doctor(flags));
  common(program.command('chat').description('a session in the terminal').argument('[session]', "a session's id; a new one when left out"))
    .option('--server <URL>', 'the server, which this terminal is paired with at first; the one of this machine when left out')
    .option('--model <NAME>', 'provider/model for a new session')
    .action(async (session, flags) => (await import('./commands/chat.ts')).chat(session, flags));
}

function common(command: Command): Command {
  return command
    .option('--home <DIR>', 'data, keys and logs (TENDON_HOME, ~/.tendon)')
    .option('--log-level <LEVEL>', 'how much to log (TENDON_LOG_LEVEL, info)');
}
