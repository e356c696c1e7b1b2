import { type Delta, isFinalCallState, type Message, type Part, utf8Bytes } from '@tendon/protocol';
import type { LiveOutput } from '../types.ts';
import { type Applied, type Transcript, withoutLive } from './transcript.ts';

/** How much of a running call's output is kept, in UTF-16 units. Cut only when a quarter more has come, so that cutting costs O(1) per delta. */
export const OUTPUT_KEPT = 256 * 1024;
const OUTPUT_SLACK = OUTPUT_KEPT / 4;

/**
 * Adds a piece of text where it belongs. What is already here is trimmed from it, by offsets alone; one that starts later than
 * the end is a gap. Constant time per delta whatever the length so far (strings grow as ropes, nothing is copied).
 */
export function applyDelta(transcript: Transcript, delta: Delta): Applied {
  return delta.kind === 'tool_output' ? applyOutput(transcript, delta) : applyLive(transcript, delta);
}

function applyLive(transcript: Transcript, delta: Delta): Applied {
  if (transcript.live?.id === delta.messageId) return grow(transcript, transcript.live, delta);
  // A late one, of a message that is finished or of a turn that is over.
  if (transcript.session?.status !== 'running') return transcript;
  if (transcript.messages.some((message) => message.id === delta.messageId)) return transcript;
  return grow(withoutLive(transcript), newLive(transcript, delta), delta);
}

function newLive(transcript: Transcript, delta: Delta): Message {
  return {
    id: delta.messageId,
    sessionId: delta.sessionId,
    seq: transcript.seq + 1,
    role: 'assistant',
    // As the server has it in a snapshot: unfinished is what stands in `live`.
    state: 'complete',
    parts: [],
    ...(transcript.session ? { model: transcript.session.model } : {}),
    createdAt: transcript.session?.updatedAt ?? '',
  };
}

function grow(transcript: Transcript, live: Message, delta: Delta): Applied {
  const { parts } = live;
  if (delta.part > parts.length) return 'gap';
  const part = parts[delta.part];
  if (part && partKind(part) !== delta.kind) return 'gap';
  const end = part ? (transcript.liveEnds[delta.part] ?? 0) : 0;
  const fresh = freshText(delta, end);
  if (fresh === 'gap') return 'gap';
  if (part && fresh === '') return transcript;
  const liveEnds = replaced(transcript.liveEnds, delta.part, end + fresh.length);
  const grown = grownPart(part, delta, fresh);
  const next = grown === part && transcript.live ? transcript : { ...transcript, live: { ...live, parts: replaced(parts, delta.part, grown) } };
  if (delta.kind !== 'tool_input') return { ...next, liveEnds };
  const input = (transcript.liveInputs[delta.part] ?? '') + fresh;
  return { ...next, liveEnds, liveInputs: { ...transcript.liveInputs, [delta.part]: input } };
}

function partKind(part: Part): Delta['kind'] | 'attachment' {
  return part.type === 'tool_call' ? 'tool_input' : part.type;
}

function grownPart(part: Part | undefined, delta: Delta, fresh: string): Part {
  if (part && 'text' in part) return { ...part, text: part.text + fresh };
  if (part) return part;
  if (delta.kind === 'text' || delta.kind === 'reasoning') return { type: delta.kind, text: fresh };
  return { type: 'tool_call', callId: delta.callId ?? '' };
}

/** The part of the text that lies behind `end`. */
function freshText(delta: Delta, end: number): string | 'gap' {
  if (delta.offset > end) return 'gap';
  return delta.offset === end ? delta.text : delta.text.slice(end - delta.offset);
}

function replaced<T>(list: readonly T[], index: number, value: T): T[] {
  return index < list.length ? list.with(index, value) : [...list, value];
}

function applyOutput(transcript: Transcript, delta: Delta): Applied {
  const callId = delta.messageId;
  const call = Object.hasOwn(transcript.calls, callId) ? transcript.calls[callId] : undefined;
  if (!call || isFinalCallState(call.state)) return transcript;
  const end = transcript.outputEnds[callId] ?? 0;
  const fresh = freshText(delta, end);
  if (fresh === 'gap') return 'gap';
  if (fresh === '') return transcript;
  const known = transcript.outputs[callId] ?? { text: '', droppedBytes: 0 };
  return {
    ...transcript,
    outputs: { ...transcript.outputs, [callId]: lastOf({ text: known.text + fresh, droppedBytes: known.droppedBytes }) },
    outputEnds: { ...transcript.outputEnds, [callId]: end + fresh.length },
  };
}

function lastOf(output: LiveOutput): LiveOutput {
  if (output.text.length <= OUTPUT_KEPT + OUTPUT_SLACK) return output;
  const cut = output.text.length - OUTPUT_KEPT;
  // Not in the middle of a surrogate pair.
  const start = isLowSurrogate(output.text.charCodeAt(cut)) ? cut + 1 : cut;
  return { text: output.text.slice(start), droppedBytes: output.droppedBytes + utf8Bytes(output.text.slice(0, start)) };
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
