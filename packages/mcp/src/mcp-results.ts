import { type ToolContent, type ToolResult, utf8Bytes } from '@tendon/protocol';
import { z } from 'zod';

const text = z.object({ type: z.literal('text'), text: z.string() });
const image = z.object({ type: z.literal('image'), data: z.string(), mimeType: z.string() });
const audio = z.object({ type: z.literal('audio'), data: z.string(), mimeType: z.string() });
const link = z.object({ type: z.literal('resource_link'), uri: z.string(), name: z.string().optional(), description: z.string().optional() });
const contents = z.object({ uri: z.string(), mimeType: z.string().optional(), text: z.string().optional(), blob: z.string().optional() });
const resource = z.object({ type: z.literal('resource'), resource: contents });
const block = z.discriminatedUnion('type', [text, image, audio, link, resource]);

/** A result holds so many pieces; the others are counted. */
const MAX_PIECES = 200;
const MESSAGE_LENGTH = 2_000;

/** What a server answered to `tools/call`, as a result of a call. */
export function toolResultOf(answer: Record<string, unknown>): ToolResult {
  const content = piecesOf(answer['content']);
  const { structuredContent } = answer;
  // Servers repeat the structure as text for those who cannot read it; one that did not is given as text here.
  if (structuredContent !== undefined && !content.some((piece) => piece.type === 'text'))
    content.push({ type: 'text', text: JSON.stringify(structuredContent, null, 2) });
  if (content.length === 0) content.push({ type: 'text', text: '(no output)' });
  if (answer['isError'] !== true) return { status: 'succeeded', content };
  const said = content.map((piece) => (piece.type === 'text' ? piece.text : '')).join('\n');
  return { status: 'failed', content, error: { code: 'mcp_error', message: said.slice(0, MESSAGE_LENGTH).toWellFormed() } };
}

/** What `resources/read` answered. */
export function resourceResultOf(answer: Record<string, unknown>): ToolResult {
  const read = Array.isArray(answer['contents']) ? answer['contents'] : [];
  const content = piecesOf(read.map((item: unknown) => ({ type: 'resource', resource: item })));
  return { status: 'succeeded', content: content.length === 0 ? [{ type: 'text', text: '(empty)' }] : content };
}

/** What `prompts/get` answered: the messages in order, each with who says it. */
export function promptResultOf(answer: Record<string, unknown>): ToolResult {
  const messages = Array.isArray(answer['messages']) ? answer['messages'] : [];
  const content = messages.slice(0, MAX_PIECES).flatMap((message: unknown): ToolContent[] => {
    const checked = z.looseObject({ role: z.string(), content: z.unknown() }).safeParse(message);
    if (!checked.success) return [];
    return [{ type: 'text', text: `[${checked.data.role}]` }, ...piecesOf([checked.data.content])];
  });
  if (messages.length > MAX_PIECES) content.push({ type: 'text', text: `[${messages.length - MAX_PIECES} further messages were left out.]` });
  return { status: 'succeeded', content: content.length === 0 ? [{ type: 'text', text: '(empty)' }] : content };
}

/** What a list of resources or prompts answered, as it is. */
export function listResultOf(answer: Record<string, unknown>): ToolResult {
  const { _meta, ...rest } = answer;
  return { status: 'succeeded', content: [{ type: 'text', text: JSON.stringify(rest, null, 2) }] };
}

function piecesOf(blocks: unknown): ToolContent[] {
  const all: unknown[] = Array.isArray(blocks) ? blocks : [];
  const pieces = all.slice(0, MAX_PIECES).map(pieceOf);
  if (all.length > MAX_PIECES) pieces.push({ type: 'text', text: `[${all.length - MAX_PIECES} further pieces were left out.]` });
  return pieces;
}

function pieceOf(value: unknown): ToolContent {
  const checked = block.safeParse(value);
  if (!checked.success) return { type: 'text', text: '[A piece of a kind that is not known here was left out.]' };
  const piece = checked.data;
  if (piece.type === 'audio') return { type: 'text', text: `[Audio of ${utf8Bytes(piece.data)} bytes in base64 (${piece.mimeType}) was left out.]` };
  if (piece.type === 'resource_link') {
    const about = [piece.name, piece.description].filter((word) => word !== undefined).join(': ');
    return { type: 'text', text: `[Resource ${piece.uri}${about === '' ? '' : `, ${about}`}]` };
  }
  if (piece.type !== 'resource') return piece;
  const { uri, mimeType, text: written, blob } = piece.resource;
  const kind = mimeType === undefined ? {} : { mimeType };
  if (written !== undefined) return { type: 'resource', resource: { uri, ...kind, text: written } };
  return { type: 'resource', resource: { uri, ...kind, ...(blob === undefined ? {} : { blob }) } };
}
