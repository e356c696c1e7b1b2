/**
 * Drives a session with nothing but socket.io-client and the wire protocol: it imports nothing of Tendon. A client in another
 * language does the same things in the same order. Usage and a walk through it: README.md beside this file.
 */
import { randomUUID } from 'node:crypto';
import { stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { io, type Socket } from 'socket.io-client';

type Json = Record<string, unknown>;
type Answer = { ok: true; data: Json } | { ok: false; error: { code: string; message: string } };
type Call = { id: string; tool: string; input: Json; inputHash: string; state: string; result?: { status: string } };
type Event = { sessionId: string; seq: number; type: string; data: Json };
type Message = { id: string; role: string; parts: { type: string; text?: string }[] };
type Session = { id: string; seq: number; status: string; lastError?: { code: string; message: string } };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: process.env.TENDON_URL ?? 'http://127.0.0.1:7420' },
    key: { type: 'string', default: process.env.TENDON_API_KEY ?? '' },
    session: { type: 'string' },
    approve: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const text = positionals.join(' ');
if (values.help || text === '') {
  stdout.write('usage: node examples/plain-client.ts [--url URL] [--key API_KEY] [--session ID] [--approve] MESSAGE\n');
  process.exit(values.help ? 0 : 2);
}

/** Refusals at the handshake after which trying again cannot help. */
const FINAL = ['unauthorized', 'forbidden_origin', 'unsupported_protocol'];
const RETRY = ['rate_limited', 'unavailable', 'internal'];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const print = (line: string) => stdout.write(`${line}\n`);
const readline = createInterface({ input: stdin, output: stdout });

const socket: Socket = io(`${values.url}/agent`, {
  auth: { protocol: 1, client: { name: 'plain-client', version: '1' }, ...(values.key === '' ? {} : { token: values.key }) },
  transports: ['websocket', 'polling'],
  tryAllTransports: true,
  reconnectionDelay: 500,
  reconnectionDelayMax: 30_000,
});

let sessionId = values.session;
/** The last durable event that was applied: where to go on after a lost connection. */
let seq = 0;
let session: Session | undefined;
let isFollowing = false;
/** The number of our message's event, once it is acknowledged. */
let sentSeq: number | undefined;
const calls = new Map<string, Call>();
const asked = new Set<string>();
/** Per message (or call) and part, how much of it was printed. */
const printed = new Map<string, number>();

/** One request. A lost connection or acknowledgement is an answer too: `unavailable`. */
async function request(name: string, payload: Json): Promise<Answer> {
  try {
    return await socket.timeout(10_000).emitWithAck(name, payload);
  } catch {
    return { ok: false, error: { code: 'unavailable', message: 'no answer in time' } };
  }
}

/** A request that may be sent again: the same one, until it is answered. */
async function insist(name: string, payload: Json): Promise<Json> {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await request(name, payload);
    if (answer.ok) return answer.data;
    if (!RETRY.includes(answer.error.code)) return fail(`${name}: ${answer.error.code}: ${answer.error.message}`);
    await pause(Math.random() * Math.min(30_000, 500 * 2 ** attempt));
  }
}

function fail(message: string): never {
  print(`\n${message}`);
  socket.close();
  readline.close();
  process.exit(1);
}

/** Joins the session's room and brings this client up to date: everything the first time, afterwards what came since. */
async function attach(): Promise<void> {
  if (sessionId === undefined) return;
  isFollowing = false;
  const data = await insist('session:attach', { sessionId, ...(seq > 0 ? { afterSeq: seq } : {}) });
  const events = data.events as Event[] | undefined;
  if (events && seq > 0) for (const event of events) apply(event);
  else {
    // A snapshot. Of a session that was there before, only what is open now concerns us.
    for (const call of data.calls as Call[]) calls.set(call.id, call);
  }
  seq = data.seq as number;
  session = data.session as Session;
  if (data.live) showText((data.live as { message: Message }).message);
  isFollowing = true;
  look();
}

function apply(event: Event): void {
  if (event.seq <= seq) return;
  if (event.seq > seq + 1) return void attach();
  seq = event.seq;
  if (event.type === 'session.updated') session = event.data.session as Session;
  if (event.type === 'call.requested' || event.type === 'call.updated') showCall(event.data.call as Call);
  if (event.type === 'turn.failed') print(`\n[failed] ${(event.data.error as { message: string }).message}`);
  if (event.type === 'message.completed') showMessage(event.data.message as Message);
}

function showCall(call: Call): void {
  const known = calls.get(call.id);
  calls.set(call.id, call);
  if (known?.state !== call.state) print(`[${call.tool}] ${call.state}`);
}

/** The finished message: whatever of it was not streamed to us, and the end of the line. */
function showMessage(message: Message): void {
  if (message.role !== 'assistant') return;
  showText(message);
  stdout.write('\n');
}

function showText(message: Message): void {
  message.parts.forEach((part, index) => {
    if (part.text !== undefined) printPiece({ key: `${message.id}/${index}`, kind: part.type, offset: 0, text: part.text });
  });
}

function onDelta(delta: { sessionId: string; messageId: string; part: number; kind: string; offset: number; text: string }): void {
  if (delta.sessionId !== sessionId || !isFollowing || delta.kind === 'tool_input') return;
  printPiece({ key: `${delta.messageId}/${delta.part}`, kind: delta.kind, offset: delta.offset, text: delta.text });
}

/** Prints what is new of a part. `offset` says where the text belongs, in UTF-16 units; what was printed already is left out. */
function printPiece({ key, kind, offset, text }: { key: string; kind: string; offset: number; text: string }): void {
  const end = printed.get(key) ?? 0;
  const fresh = text.slice(Math.max(0, end - offset));
  printed.set(key, Math.max(end, offset + text.length));
  if (fresh !== '') stdout.write(kind === 'reasoning' ? `\u001b[2m${fresh}\u001b[0m` : fresh);
}

/** What is to be done now: decide, answer, or leave. */
function look(): void {
  for (const call of calls.values()) {
    if (asked.has(call.id)) continue;
    if (call.state === 'awaiting_approval') void decide(call);
    if (call.state === 'awaiting_answer') void answer(call);
  }
  // Idle again after our message, and not still idle from before it.
  if (sentSeq !== undefined && session?.status === 'idle' && session.seq > sentSeq) leave();
}

async function decide(call: Call): Promise<void> {
  asked.add(call.id);
  print(`\n[${call.tool}] wants to run: ${JSON.stringify(call.input)}`);
  const isAllowed = values.approve || /^y/i.test(await readline.question('Approve? [y/N] '));
  const decision = isAllowed ? 'approve' : 'deny';
  // The hash says what was shown: on anything else the server answers `conflict`.
  const result = await request('tool:decide', { sessionId, callId: call.id, inputHash: call.inputHash, decision });
  if (!result.ok) print(`[${call.tool}] ${result.error.code}: ${result.error.message}`);
  if (!result.ok && RETRY.includes(result.error.code)) asked.delete(call.id);
}

async function answer(call: Call): Promise<void> {
  asked.add(call.id);
  const questions = (call.input.questions ?? []) as { question: string; options?: { label: string }[] }[];
  const answers: { question: string; answer: string }[] = [];
  for (const { question, options } of questions) {
    const choice = options ? ` (${options.map((option) => option.label).join(', ')})` : '';
    answers.push({ question, answer: await readline.question(`\n${question}${choice} `) });
  }
  await insist('tool:result', { sessionId, callId: call.id, result: { answers } });
}

function leave(): void {
  const error = session?.lastError;
  if (error) fail(`${error.code}: ${error.message}`);
  print(`[session ${sessionId}]`);
  socket.close();
  readline.close();
}

socket.on('session:delta', onDelta);
socket.on('session:event', (event: Event) => {
  if (event.sessionId !== sessionId || !isFollowing) return;
  apply(event);
  look();
});
socket.on('server:notice', (notice: { message: string }) => print(`[server] ${notice.message}`));
socket.on('connect_error', (error: Error & { data?: { code?: string; message?: string; retryAfterMs?: number } }) => {
  const code = error.data?.code ?? 'unavailable';
  if (FINAL.includes(code)) fail(`${code}: ${error.data?.message ?? ''}`);
  // socket.io tries again by itself after a transport failure, not after a refusal.
  if (!socket.active) setTimeout(() => socket.connect(), (error.data?.retryAfterMs ?? 1_000) + Math.random() * 1_000);
});
socket.on('disconnect', (reason) => {
  isFollowing = false;
  if (reason === 'io client disconnect') return;
  print(`\n[connection lost: ${reason}]`);
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1_000);
});

await new Promise<void>((resolve) => socket.once('connect', resolve));
sessionId ??= ((await insist('session:create', { title: text.slice(0, 80) })).session as Session).id;
await attach();
socket.on('connect', () => void attach());
// The id makes it safe to send this as often as needed: the server adds the message once.
sentSeq = (await insist('agent:execute', { sessionId, messageId: randomUUID(), text })).seq as number;
look();
