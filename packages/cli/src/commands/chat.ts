import { AgentClient } from '@tendon/client';
import { type Config, StartError } from '@tendon/server/settings';
import { z } from 'zod';
import { type ChatAccess, openAccess } from '../chat/chat-access.ts';
import { ChatSession } from '../chat/chat-session.ts';
import { converse } from '../chat/conversation.ts';
import { note, oneLine, whenUnread, write } from '../output.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';
import { VERSION } from '../version.ts';

export interface ChatFlags extends SettingFlags {
  readonly server?: string;
}

interface Connected {
  readonly access: ChatAccess;
  readonly client: AgentClient;
}

/** `tendon chat [session]`: streaming text, approvals, questions; Ctrl+C stops the agent, and leaves when there is nothing to stop. */
export async function chat(sessionId: string | undefined, flags: ChatFlags): Promise<void> {
  const config = await requireSettings(flags);
  if (sessionId !== undefined && !z.uuid().safeParse(sessionId).success)
    throw new StartError(`"${sessionId.slice(0, 60)}" is no session's id: leave it out for a new one`);
  const { access, client } = await connect(config, flags.server);
  try {
    const id = sessionId ?? (await createSession(client, config.model));
    const now = () => performance.now();
    const session = new ChatSession(client, id, { write, now });
    const echo = process.stdin.isTTY && process.stdout.isTTY ? process.stdout : undefined;
    await converse(session, client.connection, { input: process.stdin, echo, now, whenUnread });
    session.close();
    await requireStillIn({ access, client }, id);
    if (session.ending !== undefined) throw new StartError(`session ${id} ${session.ending}`);
  } finally {
    client.close();
    await access.end();
  }
}

/** A terminal whose pairing has ended asks for another one at once. */
async function connect(config: Config, serverUrl: string | undefined): Promise<Connected> {
  const access = await openAccess(config, serverUrl);
  const client = new AgentClient({ url: access.url, token: access.token, client: { name: 'tendon-chat', version: VERSION } });
  const refusal = await refusalOf(client);
  if (refusal === undefined) return { access, client };
  client.close();
  await access.end();
  if (refusal.code !== 'unauthorized' || access.pairing !== 'kept') throw new StartError(`the server refused the connection: ${refusal.message}`);
  await access.forget();
  note('The server no longer accepts this terminal: its key was revoked. It asks to be let in again.');
  return connect(config, serverUrl);
}

/** Waits for the first answer; undefined when the server lets this client in. */
function refusalOf(client: AgentClient): Promise<{ readonly code: string; readonly message: string } | undefined> {
  return new Promise((resolve) => {
    const look = () => {
      const state = client.connection.get();
      if (state.kind === 'connecting') return;
      stop();
      if (state.kind === 'online') resolve(undefined);
      else resolve(state.kind === 'closed' ? { code: 'unavailable', message: 'it was closed' } : state.reason);
    };
    const stop = client.connection.subscribe(look);
    look();
  });
}

/** Throws StartError when the server has refused this client for good meanwhile. */
async function requireStillIn({ access, client }: Connected, sessionId: string): Promise<void> {
  const state = client.connection.get();
  if (state.kind !== 'failed') return;
  if (state.reason.code !== 'unauthorized' || access.pairing === undefined) throw new StartError(`the server refused the connection: ${state.reason.message}`);
  await access.forget();
  throw new StartError(
    `the server no longer accepts this terminal: its key was revoked. To pair it again and go on: tendon chat ${sessionId} --server ${access.url}`,
  );
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
    `Session ${made.data.session.id} with ${oneLine(made.data.session.model)}${workspace === undefined ? '' : ` in ${oneLine(workspace)}`}. Ctrl+C stops the agent, Ctrl+D leaves.`,
  );
  return made.data.session.id;
}
