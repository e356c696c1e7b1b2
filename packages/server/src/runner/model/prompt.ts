import type { LanguageModelV4FilePart, LanguageModelV4Message, LanguageModelV4Prompt, LanguageModelV4TextPart } from '@ai-sdk/provider';
import { type Call, isPersonTool, type Message, type Part } from '@tendon/protocol';
import type { AttachmentContent, HistoryItem } from './model-port.ts';
import { modelToolName } from './tool-names.ts';
import { hasPicture, type ImageMode, toolOutput, undoText } from './tool-output.ts';

export interface PromptOptions {
  readonly instructions: string;
  readonly history: readonly HistoryItem[];
  /** How many older messages the window left out. */
  readonly omitted: number;
  readonly images: ImageMode;
  /** Messages whose pictures the provider has refused: a line stands in their place. */
  readonly refused?: (messageId: string) => boolean;
  /** Marks the instructions and the last message as the end of what the provider may cache. */
  readonly cachesPrompt: boolean;
}

type UserContent = Extract<LanguageModelV4Message, { role: 'user' }>['content'];
type AssistantContent = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'];
type ToolContent = Extract<LanguageModelV4Message, { role: 'tool' }>['content'];
type ProviderOptions = NonNullable<LanguageModelV4Message['providerOptions']>;

const CACHE: ProviderOptions = { anthropic: { cacheControl: { type: 'ephemeral' } } };
const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/**
 * History as a prompt that every provider accepts, whatever became of its calls: each call is answered exactly once, directly after
 * the message that asks for it; nothing is empty; the first message and the last are not the assistant's own words. Pure.
 */
export function buildPrompt(options: PromptOptions): LanguageModelV4Prompt {
  const messages: LanguageModelV4Message[] = [];
  const seen = new Set<string>();
  const items = options.history.filter((item) => item.message.state !== 'queued');
  for (const [index, item] of items.entries()) {
    const isRefused = options.refused?.(item.message.id) ?? false;
    if (item.message.role === 'user') pushUser(messages, userContent(item, isRefused));
    else if (isUndo(item)) pushUser(messages, undoContent(item));
    else if (!isRetried(item, nextOf(items, index))) pushAssistant(messages, { item, images: isRefused ? 'refused' : options.images, seen });
  }
  if (messages[0]?.role === 'assistant') messages.unshift(user('(The beginning of this conversation is left out.)'));
  const last = messages.at(-1);
  if (!last || last.role === 'assistant') messages.push(user('Please go on.'));
  const marked = options.cachesPrompt ? withCacheMark(messages) : messages;
  const instructions = systemText(options);
  if (instructions === '') return marked;
  return [{ role: 'system', content: instructions, ...(options.cachesPrompt ? { providerOptions: CACHE } : {}) }, ...marked];
}

/** Whether something of the item goes to a provider as a picture. */
export function carriesPicture({ message, calls, attachments }: HistoryItem, images: ImageMode): boolean {
  if (message.role === 'user') return Object.values(attachments ?? {}).some(isPicture);
  return images === 'inline' && calls.some(hasPicture);
}

function systemText({ instructions, omitted }: PromptOptions): string {
  const note =
    omitted > 0 ? 'The oldest messages of this conversation are left out here because it is long. Ask the person when you need what was in them.' : '';
  return [instructions.trim(), note]
    .filter((text) => text !== '')
    .join('\n\n')
    .toWellFormed();
}

/** A person has taken file changes back. The model did not ask for it: it is told as what a person did. */
function isUndo({ calls }: HistoryItem): boolean {
  return calls.length > 0 && calls.every(({ tool, kind }) => kind === 'local' && isPersonTool(tool));
}

function undoContent({ calls }: HistoryItem): UserContent {
  return calls.flatMap((call) => textPart(undoText(call) ?? ''));
}

function nextOf(items: readonly HistoryItem[], index: number): HistoryItem | undefined {
  return items.find((item, place) => place > index && !isUndo(item));
}

/** A broken answer directly before another try, or at the end when this is the next try, is not part of the conversation. What ran, stays. */
function isRetried(item: HistoryItem, next: HistoryItem | undefined): boolean {
  const isBroken = item.message.state === 'interrupted' || item.message.state === 'failed';
  return isBroken && item.calls.length === 0 && next?.message.role !== 'user';
}

function withCacheMark(messages: readonly LanguageModelV4Message[]): LanguageModelV4Message[] {
  const last = messages.at(-1);
  return last ? [...messages.slice(0, -1), { ...last, providerOptions: CACHE }] : [];
}

function user(text: string): LanguageModelV4Message {
  return { role: 'user', content: [{ type: 'text', text }] };
}

function pushUser(messages: LanguageModelV4Message[], content: UserContent): void {
  if (content.length > 0) messages.push({ role: 'user', content });
}

function userContent(item: HistoryItem, isRefused: boolean): UserContent {
  return item.message.parts.flatMap((part): UserContent => {
    if (part.type === 'text') return textPart(part.text);
    const content = part.type === 'attachment' ? item.attachments?.[part.attachmentId] : undefined;
    if (part.type === 'attachment') return [attachmentPart(part, isRefused && content && isPicture(content) ? undefined : content)];
    return [];
  });
}

function isPicture(content: AttachmentContent): boolean {
  return IMAGE_TYPES.has(content.mediaType);
}

function attachmentPart(
  part: Extract<Part, { type: 'attachment' }>,
  content: AttachmentContent | undefined,
): LanguageModelV4TextPart | LanguageModelV4FilePart {
  if (content && isPicture(content)) {
    return { type: 'file', mediaType: content.mediaType, filename: part.name.toWellFormed(), data: { type: 'data', data: content.base64 } };
  }
  const name = `"${part.name}" (${part.mediaType})`.toWellFormed();
  if (content?.mediaType.startsWith('text/')) {
    return { type: 'text', text: `Attached file ${name}:\n${Buffer.from(content.base64, 'base64').toString('utf8')}` };
  }
  return { type: 'text', text: `[The person attached ${name}; its content is not shown to you.]` };
}

/** Text first, then the calls: some providers refuse text that stands between a call and its result. */
function pushAssistant(messages: LanguageModelV4Message[], context: { item: HistoryItem; images: ImageMode; seen: Set<string> }): void {
  const { item, images, seen } = context;
  const content: AssistantContent = item.message.parts.flatMap((part) => (part.type === 'text' ? textPart(part.text) : []));
  const results: ToolContent = [];
  for (const call of orderedCalls(item)) {
    if (seen.has(call.id)) continue;
    seen.add(call.id);
    const toolName = modelToolName(call.tool);
    const metadata = providerOptions(item.callMetadata?.[call.id]);
    content.push({ type: 'tool-call', toolCallId: call.id, toolName, input: inputObject(call.input), ...(metadata ? { providerOptions: metadata } : {}) });
    results.push({ type: 'tool-result', toolCallId: call.id, toolName, output: toolOutput(call, images) });
  }
  const note = breakNote(item.message);
  if (note && content.length > 0 && results.length === 0) content.push({ type: 'text', text: note });
  if (content.length === 0) return;
  const previous = messages.at(-1);
  if (previous?.role === 'assistant') previous.content.push(...content);
  else messages.push({ role: 'assistant', content });
  if (results.length > 0) messages.push({ role: 'tool', content: results });
}

function breakNote(message: Message): string | undefined {
  if (message.state === 'interrupted') return '[Interrupted here: the rest of this answer was not written.]';
  if (message.state === 'failed') return '[This answer failed here: the rest of it was not written.]';
  return undefined;
}

/** As the parts name them; then those that no part names, for what ran must not be forgotten. */
function orderedCalls(item: HistoryItem): Call[] {
  const byId = new Map(item.calls.map((call) => [call.id, call]));
  const ordered = new Set<Call>();
  for (const part of item.message.parts) {
    const call = part.type === 'tool_call' ? byId.get(part.callId) : undefined;
    if (call) ordered.add(call);
  }
  for (const call of byId.values()) ordered.add(call);
  return [...ordered];
}

function textPart(text: string): LanguageModelV4TextPart[] {
  return text.trim() === '' ? [] : [{ type: 'text', text: text.toWellFormed() }];
}

/** Providers take only an object as a call's input; what the model wrote otherwise is kept inside one. */
function inputObject(input: unknown): unknown {
  const value = wellFormed(input);
  return isRecord(value) ? value : { value: value ?? null };
}

/** Half a surrogate pair, from text cut in its middle, makes some providers refuse the whole request. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key.toWellFormed(), wellFormed(child)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Only a record of records is taken for provider options: it comes out of the database. */
function providerOptions(metadata: unknown): ProviderOptions | undefined {
  if (!isRecord(metadata) || !Object.values(metadata).every(isRecord)) return undefined;
  return metadata as ProviderOptions;
}
