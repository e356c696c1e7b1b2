import type { SessionView } from '@tendon/client';
import { type Call, isFinalCallState, type Message } from '@tendon/protocol';
import { oneLine } from '../output.ts';
import { subjectOf } from './call-text.ts';

const RESULT_LINES = 8;

/**
 * Turns a growing session into text, not yet safe for a terminal, that is only ever added to: each `update` answers what is new since the last one. A message or
 * an output is printed once, however often the view that holds it changes.
 */
export class TranscriptWriter {
  /** How much of a part, or of a call's output, is printed. */
  readonly #printed = new Map<string, number>();
  readonly #calls = new Map<string, Call['state']>();
  readonly #own: (messageId: string) => boolean;

  /** `isOwn`: messages typed here stand on the screen already. */
  constructor(isOwn: (messageId: string) => boolean) {
    this.#own = isOwn;
  }

  update(view: SessionView): string {
    const messages = view.live ? [...view.messages, view.live] : view.messages;
    return messages.map((message) => this.#message(message, view)).join('');
  }

  #message(message: Message, view: SessionView): string {
    if (message.state === 'queued') return '';
    if (message.role === 'user') return this.#own(message.id) ? '' : this.#once(`${message.id}`, () => `\n> ${textOf(message)}\n`);
    let added = '';
    message.parts.forEach((part, index) => {
      if (part.type === 'text') added += this.#grown(`${message.id} ${index}`, part.text, '\n');
      if (part.type === 'tool_call') added += this.#call(view.calls[part.callId], view);
    });
    const isOver = message.id !== view.live?.id;
    return isOver && message.parts.length > 0 ? added + this.#once(`${message.id} end`, () => '\n') : added;
  }

  #call(call: Call | undefined, view: SessionView): string {
    if (!call) return '';
    let added = this.#once(`call ${call.id}`, () => `\n[${oneLine(call.tool)}] ${subjectOf(call)}\n`);
    const output = view.outputs[call.id];
    if (output) added += this.#grown(`output ${call.id}`, output.text, '');
    if (this.#calls.get(call.id) === call.state) return added;
    this.#calls.set(call.id, call.state);
    return isFinalCallState(call.state) ? added + this.#ending(call) : added;
  }

  #ending(call: Call): string {
    if (call.state === 'succeeded' && this.#printed.has(`output ${call.id}`)) return `\n[${oneLine(call.tool)}: done]\n`;
    const lines = (call.result?.content ?? []).flatMap((content) => (content.type === 'text' ? content.text.split('\n') : [`(${content.type})`]));
    const shown = lines.slice(0, RESULT_LINES).map((line) => `  ${line.slice(0, 300)}\n`);
    const more = lines.length > RESULT_LINES ? `  ... ${lines.length - RESULT_LINES} more lines\n` : '';
    return `${shown.join('')}${more}[${oneLine(call.tool)}: ${call.state === 'succeeded' ? 'done' : call.state}]\n`;
  }

  #grown(key: string, text: string, lead: string): string {
    const before = this.#printed.get(key) ?? 0;
    if (text.length <= before) return '';
    this.#printed.set(key, text.length);
    return (before === 0 ? lead : '') + text.slice(before);
  }

  #once(key: string, make: () => string): string {
    if (this.#printed.has(key)) return '';
    this.#printed.set(key, 0);
    return make();
  }
}

function textOf(message: Message): string {
  return message.parts
    .map((part) => (part.type === 'text' ? part.text : ''))
    .join('')
    .replaceAll('\n', '\n> ');
}
