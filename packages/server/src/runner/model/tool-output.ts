import type { LanguageModelV4ToolResultOutput } from '@ai-sdk/provider';
import type { Call, ToolContent } from '@tendon/protocol';

type OutputPart = Extract<LanguageModelV4ToolResultOutput, { type: 'content' }>['value'][number];

/** Whether the provider takes images inside a tool's result, needs them described, or has refused them. */
export type ImageMode = 'inline' | 'described' | 'refused';

const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * What the model is told about a call, whatever became of it. Every state has an answer, so that no history is refused for a call
 * without a result (sessions.md, "History that stays usable").
 */
export function toolOutput(call: Call, images: ImageMode): LanguageModelV4ToolResultOutput {
  switch (call.state) {
    case 'succeeded':
      return succeeded(call, images);
    case 'failed':
      return errorText(failureText(call));
    case 'denied':
      return errorText(denialText(call));
    case 'cancelled':
      return errorText(
        join(
          `The call was cancelled${call.startedAt ? ' while it ran; part of its effect may have happened.' : ' before it started. It did not run.'}`,
          outputText(call),
        ),
      );
    case 'unknown':
      return errorText(
        join(
          resolvedText(call) ??
            'It is not known whether this call finished: contact with the machine was lost while it ran. It may have had its effect. ' +
              'Do not repeat it without asking the person first; look at what is there instead.',
          outputText(call),
        ),
      );
    case 'awaiting_approval':
    case 'awaiting_answer':
    case 'queued':
    case 'running':
      return errorText('No result yet: this call is not over. Do not repeat it.');
  }
}

/** Most results have the words of their error in what they say already: the model is told them once. */
function failureText(call: Call): string {
  const text = outputText(call);
  const error = call.result?.error;
  if (!error) return join('The tool failed.', text);
  const head = `The tool failed (${error.code})`;
  if (text.startsWith(error.message)) return `${head}: ${text}`;
  return text.includes(error.message) ? `${head}.\n${text}` : join(`${head}: ${error.message}`, text);
}

const RESOLVED = {
  done: 'Contact with the machine was lost while this ran. The person has looked: it was done.',
  failed: 'Contact with the machine was lost while this ran. The person has looked: it failed, or did not run.',
  again: 'Contact with the machine was lost while this ran, and its outcome is not known. The person had it run again, as the call of its own that follows.',
} as const;

function resolvedText({ resolution }: Call): string | undefined {
  if (!resolution) return undefined;
  const note = resolution.note?.trim();
  return `${RESOLVED[resolution.outcome]}${note ? ` They say: ${note.toWellFormed()}` : ''}`;
}

function denialText(call: Call): string {
  const reason = call.decision?.reason?.trim();
  const who = call.decision?.by === 'policy' ? 'A rule denied' : 'The person denied';
  return `${who} this call; it did not run.${reason ? ` Reason: ${reason.toWellFormed()}` : ''} Do not try the same again; ask, or find another way.`;
}

function succeeded(call: Call, images: ImageMode): LanguageModelV4ToolResultOutput {
  const content = call.result?.content ?? [];
  const facts = factsText(call);
  const showsImage = images === 'inline' && content.some(isShownImage);
  if (!showsImage) return { type: 'text', value: join(outputText(call), images === 'refused' ? refusalText(call) : '', facts) || '(no output)' };
  const parts = content.map((part): OutputPart => {
    if (part.type === 'image' && isShownImage(part)) return { type: 'file', mediaType: part.mimeType, data: { type: 'data', data: part.data } };
    return { type: 'text', text: contentText(part) || '(empty)' };
  });
  return { type: 'content', value: facts === '' ? parts : [...parts, { type: 'text', text: facts }] };
}

/** What an undo came to, in words for the model. Nothing when the person did not go through with it. */
export function undoText(call: Call): string | undefined {
  if (call.state === 'denied' || (call.startedAt === undefined && call.state !== 'unknown' && call.result === undefined)) return undefined;
  const outcome = call.state === 'unknown' ? 'It is not known how far it came: contact with the machine was lost.' : outputText(call);
  return join('[The person has undone file changes of yours on their machine. Files may be as they were before: read them again before you go on.]', outcome);
}

/** Whether something of it goes to the model as a picture, where the provider takes them. */
export function hasPicture({ state, result }: Call): boolean {
  return state === 'succeeded' && (result?.content ?? []).some(isShownImage);
}

const REFUSED =
  '[The provider of this model refused a request with pictures, so they are left out. They may be damaged or too large: make a smaller copy to see one.]';

function refusalText(call: Call): string {
  return hasPicture(call) ? REFUSED : '';
}

function isShownImage(part: ToolContent): boolean {
  return part.type === 'image' && IMAGE_TYPES.has(part.mimeType) && part.data.length % 4 === 0 && BASE64.test(part.data);
}

function outputText(call: Call): string {
  return (call.result?.content ?? [])
    .map(contentText)
    .filter((text) => text.trim() !== '')
    .join('\n');
}

/** A non-zero exit code is news that the output alone may not tell. */
function factsText(call: Call): string {
  const meta = call.result?.meta;
  const facts: string[] = [];
  if (meta?.exitCode !== undefined && meta.exitCode !== 0) facts.push(`exit code ${meta.exitCode}`);
  if (meta?.signal !== undefined) facts.push(`ended by ${meta.signal}`);
  return facts.length === 0 ? '' : `[${facts.join(', ')}]`;
}

/** A piece of a tool's answer as text; what is not text is described, never dumped. */
export function contentText(part: ToolContent): string {
  if (part.type === 'text') return part.text.toWellFormed();
  if (part.type === 'image') return `[image, ${part.mimeType}, about ${Math.ceil((part.data.length * 3) / 4096)} KiB, not shown to you]`;
  const { uri, mimeType, text } = part.resource;
  if (text !== undefined) return `[${uri}]\n${text}`.toWellFormed();
  return `[resource ${uri}${mimeType ? `, ${mimeType}` : ''}, not shown to you]`.toWellFormed();
}

function errorText(value: string): LanguageModelV4ToolResultOutput {
  return { type: 'error-text', value: value.toWellFormed() };
}

function join(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n');
}
