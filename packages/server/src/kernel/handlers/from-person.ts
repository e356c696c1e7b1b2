import { type Message, type Part, refusal } from '@tendon/protocol';
import type { Draft, Outcome } from '../change.ts';
import type { InputOf } from '../input.ts';
import { isIdle, isStopping, NEW_SESSION_TITLE, type StoredMessage } from '../state.ts';
import { beginTurn, historyMessage, releaseNext, stopWork } from '../turn-flow.ts';

const QUEUE_LIMIT = 100;
const AUTO_TITLE_LENGTH = 80;

export function onExecute(draft: Draft, input: InputOf<'execute'>): Outcome {
  const known = draft.focus.message ?? draft.focus.removed;
  if (known) return repeated(draft, known, input);
  // The answer that is being written has this id and no row yet.
  if (draft.state.turn?.messageId === input.messageId) return refusal('conflict', 'This messageId was used for another message. Make a new id.');
  if (draft.state.queue.length >= QUEUE_LIMIT) return refusal('conflict', `${QUEUE_LIMIT} messages wait already. Remove some, or stop the agent.`);
  if (input.mode === 'interrupt' && !isIdle(draft.state)) stopWork(draft, input.partial);
  if (draft.state.title === NEW_SESSION_TITLE) draft.set({ title: storable(titleFrom(input)) });
  return isIdle(draft.state) ? startNow(draft, input) : enqueue(draft, input);
}

/** The same message again is answered as the first time; the same id with other content is a fault of the client (SPEC S3). */
function repeated(draft: Draft, known: StoredMessage, input: InputOf<'execute'>): Outcome {
  if (known.message.sessionId !== draft.state.id || JSON.stringify(known.message.parts) !== JSON.stringify(userParts(input))) {
    return refusal('conflict', 'This messageId was used for another message. Make a new id.');
  }
  return draft.finish({ type: 'accepted', messageId: input.messageId, seq: known.acceptedSeq, queued: known.wasQueued });
}

function startNow(draft: Draft, input: InputOf<'execute'>): Outcome {
  const placed = draft.placeMessage('message.created', userMessage(draft, input, 'complete'));
  draft.writeMessage(historyMessage(placed));
  draft.set({ held: false, steps: 0 });
  beginTurn(draft);
  return draft.finish({ type: 'accepted', messageId: input.messageId, seq: placed.seq, queued: false });
}

function enqueue(draft: Draft, input: InputOf<'execute'>): Outcome {
  const isFirst = input.mode === 'interrupt';
  const placed = draft.placeMessage('message.created', userMessage(draft, input, 'queued'));
  const ranks = draft.state.queue.map((queued) => queued.queueRank);
  const queueRank = isFirst ? Math.min(0, ...ranks) - 1 : Math.max(0, ...ranks) + 1;
  const stored: StoredMessage = { message: placed, acceptedSeq: placed.seq, wasQueued: true, queueRank };
  draft.writeMessage(stored);
  draft.set({ queue: isFirst ? [stored, ...draft.state.queue] : [...draft.state.queue, stored] });
  if (isFirst) draft.set({ held: false });
  return draft.finish({ type: 'accepted', messageId: input.messageId, seq: placed.seq, queued: true });
}

function userMessage(draft: Draft, input: InputOf<'execute'>, state: Message['state']): Omit<Message, 'seq'> {
  return { id: input.messageId, sessionId: draft.state.id, role: 'user', state, parts: userParts(input), createdAt: draft.stamp.at };
}

function userParts(input: InputOf<'execute'>): Part[] {
  const text: Part[] = input.text === '' ? [] : [{ type: 'text', text: input.text }];
  const attachments = input.attachments.map(({ name, mediaType, attachmentId }): Part => ({ type: 'attachment', name, mediaType, attachmentId }));
  return [...text, ...attachments];
}

function titleFrom(input: InputOf<'execute'>): string {
  const line = input.text.trim().split('\n')[0]?.trim() ?? '';
  if (line === '') return input.attachments[0]?.name ?? NEW_SESSION_TITLE;
  const letters = Array.from(line);
  return letters.length > AUTO_TITLE_LENGTH ? `${letters.slice(0, AUTO_TITLE_LENGTH - 1).join('')}…` : line;
}

/** What a database's text can hold, so that who hears of a title live sees the same as who reads it later. */
function storable(title: string): string {
  return title.toWellFormed().replaceAll('\0', '\uFFFD');
}

export function onStop(draft: Draft, input: InputOf<'stop'>): Outcome {
  const isAtWork = !isIdle(draft.state);
  if (isAtWork) stopWork(draft, input.partial);
  if (isAtWork && draft.state.queue.length > 0) draft.set({ held: true });
  return draft.finish({ type: 'stopped', stopped: !isStopping(draft.state) });
}

export function onContinue(draft: Draft): Outcome {
  if (!isIdle(draft.state)) return refusal('conflict', 'The agent is at work already.');
  if (draft.state.lastError) {
    draft.set({ held: false, steps: 0 });
    beginTurn(draft);
    return draft.finish({ type: 'done' });
  }
  if (draft.state.queue.length === 0) return refusal('conflict', 'There is nothing to go on with. Send a message.');
  draft.set({ held: false });
  releaseNext(draft);
  return draft.finish({ type: 'done' });
}

export function onCancelMessage(draft: Draft, input: InputOf<'cancel_message'>): Outcome {
  const queued = draft.state.queue.find((stored) => stored.message.id === input.messageId);
  if (!queued) {
    const isHere = draft.focus.message?.message.sessionId === draft.state.id;
    return isHere ? refusal('conflict', 'The message has had its turn already.') : refusal('not_found', 'No such message waits in this session.');
  }
  draft.set({ queue: draft.state.queue.filter((stored) => stored !== queued) });
  if (draft.state.queue.length === 0) draft.set({ held: false });
  draft.removeMessage(input.messageId);
  return draft.finish({ type: 'done' });
}

export function onUpdate(draft: Draft, input: InputOf<'update'>): Outcome {
  const { title, model, gatewayId, workspace, archived } = input;
  draft.set({
    ...(title === undefined ? {} : { title: storable(title) }),
    ...(model === undefined ? {} : { model }),
    ...(gatewayId === undefined ? {} : { gatewayId }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(archived === undefined ? {} : { archived }),
  });
  return draft.finish({ type: 'done' });
}
