import type { SessionView } from '@tendon/client';
import { type Answers, type Call, PAUSE_TOOLS, type Question } from '@tendon/protocol';

/** What the session waits for from the person, oldest first. */
export type Pending =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'approval'; readonly call: Call }
  | { readonly kind: 'question'; readonly call: Call; readonly questions: readonly Question[] };

export function pendingOf(view: SessionView): Pending {
  const calls = Object.values(view.calls).sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  const call = calls.find((candidate) => candidate.state === 'awaiting_approval' || candidate.state === 'awaiting_answer');
  if (!call) return { kind: 'nothing' };
  if (call.state === 'awaiting_approval') return { kind: 'approval', call };
  const input = PAUSE_TOOLS.ask_user_questions.input.safeParse(call.input);
  return input.success ? { kind: 'question', call, questions: input.data.questions } : { kind: 'nothing' };
}

export type ApprovalKey = { readonly decision: 'approve' | 'deny'; readonly scope?: 'always'; readonly reason?: string };

/** `y`, `a` (always), `n`, or `n` and a reason; undefined for anything else: a slip of the finger decides nothing. */
export function approvalOf(line: string): ApprovalKey | undefined {
  const text = line.trim();
  if (/^y(?:es)?$/i.test(text)) return { decision: 'approve' };
  if (/^a(?:lways)?$/i.test(text)) return { decision: 'approve', scope: 'always' };
  const denied = /^no?(?:\s+(.+))?$/i.exec(text);
  if (!denied) return undefined;
  return denied[1] === undefined ? { decision: 'deny' } : { decision: 'deny', reason: denied[1] };
}

/** The answer to one question: the option of a typed number, or the text itself. */
export function answerTo(question: Question, line: string): Answers['answers'][number] {
  const option = /^[1-9]$/.test(line.trim()) ? question.options?.[Number(line.trim()) - 1] : undefined;
  return { question: question.question, answer: option?.label ?? line.trim() };
}
