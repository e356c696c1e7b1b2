import { createInterface } from 'node:readline';
import { AgentClient } from '@tendon/client';
import { type Config, StartError } from '@tendon/server/settings';
import { z } from 'zod';
import { ChatSession } from '../chat/chat-session.ts';
import { type ControlClient, clientOf, requireUrl } from '../control-client.ts';
import { runningServer } from '../home-lock.ts';
import { note } from '../output.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';
import { VERSION } from '../version.ts';

export interface ChatFlags extends SettingFlags {
  readonly server?: string;
}

/** A second Ctrl+C within this time leaves, whatever the agent does. */
const SECOND_INTERRUPT_MS = 1_500;

interface Access {
  readonly url: string;
  readonly token: string;
  /** Gives back what was borrowed. */
  end(): Promise<void>;
}

/** `tendon chat [session]`: streaming text, approvals, questions; Ctrl+C stops the agent, and leaves when there is nothing to stop. */
export async function chat(sessionId: string | undefined, flags: ChatFlags): Promise<void> {
  const config = await requireSettings(flags);
  if (sessionId !== undefined && !z.uuid().safeParse(sessionId).success)
    throw new StartError(`"${sessionId.slice(0, 60)}" is no session's id: leave it out for a new one`);
  const access = await openAccess(config, flags.server);
  const client = new AgentClient({ url: access.url, token: access.token, client: { name: 'tendon-chat', version: VERSION } });
  try {
    await connected(client);
    const session = new ChatSession(client, sessionId ?? (await createSession(client, config.model)), { write: (text) => process.stdout.write(text) });
    await converse(session);
    session.close();
  } finally {
    client.close();
    await access.end();
  }
}

/** A key for this chat alone, when the server of this home runs; otherwise the given one. */
async function openAccess(config: Config, serverUrl: string | undefined): Promise<Access> {
  const running = runningServer(config.home);
  if (serverUrl !== undefined || config.apiKey !== undefined) {
    const url = serverUrl ?? running?.url;
    if (url === undefined) throw new StartError('no server runs on this home: start one with "tendon start", or name one with --server');
    if (config.apiKey === undefined) throw new StartError('TENDON_API_KEY is missing: give the key of the server that --server names');
    return { url: requireUrl(url), token: config.apiKey, end: async () => undefined };
  }
  if (running?.url === undefined || running.controlKey === undefined)
    throw new StartError('no server runs on this home: start one with "tendon start", or name one with --server');
  const control: ControlClient = clientOf(running.url, running.controlKey);
  const { key, id } = z.object({ key: z.string(), id: z.string() }).parse(await control.call('POST', '/api/keys', { name: 'tendon chat', expiresInDays: 1 }));
  return {
    url: control.url,
    token: key,
    end: async () => {
      await control.call('DELETE', `/api/keys/${id}`).catch(() => undefined);
    },
  };
}

function connected(client: AgentClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const state = client.connection.get();
      if (state.kind === 'connecting') return;
      stop();
      if (state.kind === 'online') resolve();
      else reject(new StartError(state.kind === 'closed' ? 'the connection was closed' : `the server refused the connection: ${state.reason.message}`));
    };
    const stop = client.connection.subscribe(look);
    look();
  });
}

async function createSession(client: AgentClient, model: string | undefined): Promise<string> {
  const listed = await client.request('gateway:list', {});
  const gateway = listed.ok ? listed.data.gateways.find((candidate) => candidate.online) : undefined;
  const workspace = gateway?.workspaces[0]?.path;
  const made = await client.request('session:create', {
    ...(model === undefined ? {} : { model }),
    ...(gateway === undefined ? {} : { gatewayId: gateway.id }),
    ...(workspace === undefined ? {} : { workspace }),
  });
  if (!made.ok) throw new StartError(`a session could not be made: ${made.error.message}`);
  note(
    `Session ${made.data.session.id} with ${made.data.session.model}${workspace === undefined ? '' : ` in ${workspace}`}. Ctrl+C stops the agent, Ctrl+D leaves.`,
  );
  return made.data.session.id;
}

/** Reads lines until the input ends and the agent has nothing more to do, or the person leaves. */
async function converse(session: ChatSession): Promise<void> {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const lines = createInterface({ input: process.stdin, ...(isTerminal ? { output: process.stdout, prompt: '' } : {}) });
  const left = Promise.withResolvers<void>();
  const waiting: string[] = [];
  let isEnding = false;
  const canTake = () => !session.isBusy || session.pending.kind !== 'nothing';
  /** Lines of a script wait their turn; those of a person are queued by the server, where they can be seen. */
  const look = () => {
    if (session.isOver) return left.resolve();
    if (waiting.length > 0 && canTake()) void session.line(String(waiting.shift()));
    else if (isEnding && waiting.length === 0 && canTake()) left.resolve();
  };
  const stopLooking = session.subscribe(look);
  lines.on('line', (line) => {
    if (isTerminal) return void session.line(line);
    waiting.push(line);
    look();
  });
  let isStopping = false;
  lines.on('SIGINT', () => {
    if (isStopping || !session.isBusy) return left.resolve();
    isStopping = true;
    void session.stop().finally(() => setTimeout(() => (isStopping = false), SECOND_INTERRUPT_MS).unref());
  });
  lines.on('close', () => {
    isEnding = true;
    if (isTerminal) left.resolve();
    else look();
  });
  if (isTerminal) decideByKey(session, lines);
  await left.promise;
  stopLooking();
  lines.close();
}

/** An approval needs one key and no Enter: `y` or `a` on an empty line. `n` waits for Enter, for a reason may follow. */
function decideByKey(session: ChatSession, lines: ReturnType<typeof createInterface>): void {
  process.stdin.on('keypress', (text: string | undefined) => {
    if (session.pending.kind !== 'approval' || (text !== 'y' && text !== 'a') || lines.line !== text) return;
    lines.write(null, { ctrl: true, name: 'u' });
    void session.line(text);
  });
}
