import {
  type GatewayTool,
  isAlwaysAsked,
  isServerToolName,
  LIMITS,
  outlineFault,
  PAUSE_TOOLS,
  REMOTE_TOOLS,
  ruleSubject,
  toolDefinition,
  toolKind,
  utf8Bytes,
} from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { checkToolInput, outlineWords, wrongInput } from '@tendon/protocol/tool-input';
import { z } from 'zod';
import { decideCall, type PolicyRule, type RequestedCall, type Verdict } from '../kernel/index.ts';
import { withFolder } from './kept-folder.ts';
import type { ModelTool, StepPart } from './model/model-port.ts';
import type { ServerTools } from './server-tools.ts';

/** Where a session's local tools run now. */
export interface Machine {
  readonly gatewayId: string;
  readonly workspace: string;
  readonly tools: readonly GatewayTool[];
}

export interface CallContext {
  readonly sessionId: string;
  readonly machine: Machine | undefined;
  readonly mcp: Pick<ServerTools, 'announced' | 'definitionOf'>;
  readonly rules: readonly PolicyRule[];
  /** Where a command starts that names no folder; the workspace when left out. */
  readonly folder?: string | undefined;
}

const SERVER_TOOLS: readonly ModelTool[] = Object.entries({ ...REMOTE_TOOLS, ...PAUSE_TOOLS }).map(([name, definition]) => ({
  name,
  description: definition.description,
  inputSchema: z.toJSONSchema(definition.input, { io: 'input' }) as Record<string, unknown>,
}));

/** What the model is offered: the server's own tools, those of its MCP servers, and those of the session's machine. */
export function offeredTools({ machine, mcp }: Pick<CallContext, 'machine' | 'mcp'>): ModelTool[] {
  const local = (machine?.tools ?? []).filter(({ name }) => !isServerToolName(name));
  return [...[...local, ...mcp.announced].map(({ name, description, inputSchema }) => ({ name, description, inputSchema })), ...SERVER_TOOLS];
}

/** Checks what the model asked for: known tool, JSON, schema, size, rules. Never throws; a faulty call becomes one the model is told about. */
export function requestedCall(id: string, part: Extract<StepPart, { type: 'tool_call' }>, context: CallContext): RequestedCall {
  const parsed = parseInput(part);
  const target = targetOf(part.tool, context);
  const input = parsed.ok ? withFolder(part.tool, parsed.input, context.folder) : parsed.shown;
  const place = placeOf(target, context.machine);
  const call = {
    id,
    tool: part.tool,
    kind: target?.kind ?? ('remote' as const),
    effect: target?.effect ?? ('read' as const),
    input,
    inputHash: inputHash({ tool: part.tool, input, ...place }),
    ...place,
    ...(part.metadata === undefined ? {} : { metadata: part.metadata }),
  };
  if (!target) return { ...call, verdict: invalid('unknown_tool', unknownTool(part.tool, context)) };
  if (!parsed.ok) return { ...call, verdict: invalid('invalid_input', parsed.reason) };
  const subject = ruleSubject(part.tool, input);
  // What a person has seen and allowed for good is not what this tool says of itself now.
  if (target.isChanged || isAlwaysAsked(part.tool)) return { ...call, verdict: { kind: 'ask' } };
  return { ...call, verdict: decideCall({ ...call, sessionId: context.sessionId, subject }, context.rules) };
}

function invalid(code: string, message: string): Verdict {
  return { kind: 'invalid', error: { code, message } };
}

function unknownTool(name: string, context: CallContext): string {
  const names = offeredTools(context).map((tool) => tool.name);
  const why = context.machine ? '' : ' No machine is connected to this session, so there are no file or shell tools.';
  return `There is no tool named "${name.slice(0, 100)}".${why} Tools: ${names.join(', ')}.`;
}

interface Target {
  readonly kind: RequestedCall['kind'];
  readonly effect: RequestedCall['effect'];
  readonly isChanged?: boolean | undefined;
  readonly definition?: string | undefined;
}

/** Where it runs and as what, as far as a decision is bound to that. */
function placeOf(target: Target | undefined, machine: Machine | undefined): Pick<RequestedCall, 'gatewayId' | 'workspace' | 'definition'> {
  if (target?.kind === 'local' && machine) return { gatewayId: machine.gatewayId, workspace: machine.workspace };
  return target?.definition === undefined ? {} : { definition: target.definition };
}

function targetOf(name: string, { machine, mcp }: CallContext): Target | undefined {
  if (isServerToolName(name)) {
    const isThere = mcp.announced.some((tool) => tool.name === name);
    return isThere ? { kind: 'remote', effect: 'execute', definition: mcp.definitionOf(name) } : undefined;
  }
  const kind = toolKind(name);
  const definition = toolDefinition(name);
  if (kind !== undefined && kind !== 'local' && definition) return { kind, effect: definition.effect };
  const announced = machine?.tools.find((tool) => tool.name === name);
  if (!announced) return undefined;
  // A machine's word on what its tool does is not taken for less than what we know of it.
  if (definition) return { kind: 'local', effect: definition.effect };
  return { kind: 'local', effect: announced.effect === 'read' ? 'execute' : announced.effect, isChanged: announced.isChanged };
}

/** RFC 8785 has no form for what is not Unicode text, and an approval must be bound to a form. */
function isHashable(input: unknown): boolean {
  try {
    inputHash({ tool: '', input });
    return true;
  } catch {
    return false;
  }
}

/** `shown` is what the history has of an input that is refused: the model's own words, as long as they are JSON that can be kept. */
type ParsedInput = { readonly ok: true; readonly input: unknown } | { readonly ok: false; readonly reason: string; readonly shown: unknown };

/** A call stands some levels deep in the packets that carry it, which have a limit of their own. */
const PACKET_LEVELS = 8;
const SHOWN_UNITS = 2_000;

function parseInput({ tool, inputText }: Extract<StepPart, { type: 'tool_call' }>): ParsedInput {
  const unreadable = { unreadable: inputText.slice(0, SHOWN_UNITS).toWellFormed() };
  if (utf8Bytes(inputText) > LIMITS.toolInputBytes)
    return { ok: false, reason: `The input is over ${LIMITS.toolInputBytes} bytes. Split it into smaller calls.`, shown: unreadable };
  const schema = toolDefinition(tool)?.input ?? ANY_OBJECT;
  const json = readJson(inputText === '' ? '{}' : inputText);
  if (!json.ok) return { ok: false, reason: wrongInput(tool, schema, [json.fault]), shown: unreadable };
  // Also of one that fits its tool: a packet that cannot be read is refused whole, and the session with it.
  const outline = outlineFault(json.value, LIMITS.depth - PACKET_LEVELS);
  if (outline) return { ok: false, reason: wrongInput(tool, schema, [outlineWords(outline)]), shown: unreadable };
  const shown = isHashable(json.value) ? json.value : unreadable;
  const checked = checkToolInput(tool, schema, json.value);
  if (!checked.ok) return { ok: false, reason: checked.message, shown };
  if (!isHashable(checked.input)) return { ok: false, reason: 'The input holds half of a surrogate pair, which is no text. Send whole characters.', shown };
  return checked;
}

const ANY_OBJECT = z.record(z.string(), z.unknown());

function readJson(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    const words = error instanceof Error ? error.message : 'unreadable';
    const isCut = /^(Unexpected end|Unterminated)/.test(words) || words.includes(`at position ${text.length} `);
    return { ok: false, fault: isCut ? 'it is not valid JSON, because it ends too early' : `it is not valid JSON (${words})` };
  }
}
