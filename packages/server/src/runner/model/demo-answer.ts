import { answersSchema, type Call } from '@tendon/protocol';
import { contentText } from './tool-output.ts';

const SHOWN_LINES = 20;
const SHOWN_CHARS = 2_000;

export const HELP = `I am **Tendon's demo model**: a small script, not an AI. I need no network and no key, and I use the real tools on your machine.

Try one of these:

| say | what happens |
|---|---|
| \`run ls -la\` | a shell command, after you approve it |
| \`read README.md\` | reads a file |
| \`write notes.txt: hello\` | writes a file, after you approve it |
| \`replace hello with goodbye in notes.txt\` | changes a file |
| \`find *.ts\`, \`search TODO\` | looks for files, looks inside files |
| \`ask me\` | asks you a question and waits |
| \`plan\` | shows a plan |
| \`think\` | shows reasoning |
| \`count to 500 slowly\` | a long answer, to try *stop* |

Join two with *and* to run them side by side: \`run date and read README.md\`.

For a real model enter a key on *Models*, or set \`OPENAI_API_KEY\`, \`ANTHROPIC_API_KEY\` or \`GOOGLE_GENERATIVE_AI_API_KEY\`, start Ollama, or point \`TENDON_COMPATIBLE_URL\` at a server of your own.`;

/** What the demo says before it makes the calls. */
export function announcement(calls: readonly { readonly tool: string; readonly input: unknown }[]): string {
  const [first] = calls;
  if (!first) return '';
  if (calls.length > 1) return `I will do ${calls.length} things side by side.`;
  switch (first.tool) {
    case 'ask_user_questions':
      return 'I have a question for you.';
    case 'update_plan':
      return 'Here is how I would go about it.';
    default:
      return `I will use ${describe(first)}.`;
  }
}

export function missingToolText(tool: string): string {
  return `I would use \`${tool}\` for this, but no machine with that tool is connected to this session. Start a gateway (\`tendon gateway\`) or choose a machine for the session, and ask me again.`;
}

/** The results of the calls in plain words. */
export function resultsText(calls: readonly Call[]): string {
  return calls.map(resultText).join('\n\n');
}

function resultText(call: Call): string {
  const what = describe(call);
  const reason = call.decision?.reason?.trim();
  switch (call.state) {
    case 'succeeded':
      return successText(call);
    case 'failed':
      return `${capital(what)} failed: ${call.result?.error?.message ?? `no reason was given${exitText(call)}`}${block(outputOf(call))}`;
    case 'denied':
      return call.decision?.by === 'policy'
        ? `A rule denied ${what}, so it did not run.${reason ? ` The rule says: ${reason}` : ''}`
        : `You denied ${what}, so it did not run.${reason ? ` Your reason: "${reason}".` : ''} Tell me what to do instead.`;
    case 'cancelled':
      return `${capital(what)} was cancelled.${block(outputOf(call))}`;
    case 'unknown':
      return `I do not know whether ${what} finished: contact with the machine was lost while it ran. I will not repeat it by myself. Look at what is there and tell me how to go on.${block(outputOf(call))}`;
    default:
      return `${capital(what)} is not over yet.`;
  }
}

function successText(call: Call): string {
  const output = outputOf(call);
  switch (call.tool) {
    case 'bash':
      return `${capital(describe(call))} finished${exitText(call) || '.'}${output.trim() === '' ? ' It printed nothing.' : ` It printed:${block(output)}`}`;
    case 'read_file':
      return `Here is ${describe(call)}:${block(output)}`;
    case 'glob':
    case 'grep':
      return output.trim() === '' ? `${capital(describe(call))} found nothing.` : `${capital(describe(call))} found:${block(output)}`;
    case 'ask_user_questions':
      return answersText(output);
    case 'update_plan':
      return 'The plan stands above. Tell me when to begin.';
    default: {
      const diff = call.result?.meta?.diff;
      return `Done: ${describe(call)}.${diff ? block(diff, 'diff') : block(output)}`;
    }
  }
}

function exitText(call: Call): string {
  const { exitCode, signal } = call.result?.meta ?? {};
  if (signal !== undefined) return ` (ended by ${signal}).`;
  return exitCode === undefined ? '' : ` with exit code ${exitCode}.`;
}

function answersText(output: string): string {
  const parsed = answersSchema.safeParse(jsonOf(output));
  if (!parsed.success) return `Thank you. You said:${block(output)}`;
  return `Thank you. You said:\n\n${parsed.data.answers.map(({ question, answer }) => `- ${question} **${answer}**`).join('\n')}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function outputOf(call: Call): string {
  return (call.result?.content ?? []).map(contentText).join('\n');
}

/** The first lines in a code block whose fence is longer than any in them. */
function block(output: string, language = 'text'): string {
  const text = output.trimEnd();
  if (text.trim() === '') return '';
  const lines = text.split('\n');
  const shown = lines.slice(0, SHOWN_LINES).join('\n').slice(0, SHOWN_CHARS).toWellFormed();
  const longestFence = Math.max(2, ...[...shown.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = '`'.repeat(longestFence + 1);
  const hidden = lines.length - SHOWN_LINES;
  const more = hidden > 0 ? `\n\n… and ${hidden} more ${hidden === 1 ? 'line' : 'lines'}.` : shown.length < text.length ? '\n\n… and more.' : '';
  return `\n\n${fence}${language}\n${shown}\n${fence}${more}`;
}

/** The call as a person would name it. */
function describe({ tool, input }: { readonly tool: string; readonly input: unknown }): string {
  const subject = subjectOf(input);
  return subject === undefined ? `the tool \`${tool}\`` : `\`${tool}\` ${code(subject)}`;
}

function subjectOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const fields = input as Record<string, unknown>;
  for (const key of ['command', 'pattern', 'path']) {
    const value = fields[key];
    if (typeof value === 'string') return value.length > 120 ? `${value.slice(0, 120).toWellFormed()}…` : value;
  }
  return undefined;
}

/** Inline code of any text, by CommonMark's rule for backticks inside. */
function code(text: string): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.includes('`') ? `\`\` ${flat} \`\`` : `\`${flat}\``;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
