import type { Answers, Question } from '@tendon/protocol';

/** Where a person stands in a set of questions. Nothing is sent before the last one is answered or skipped. */
export interface AnswerDraft {
  readonly index: number;
  /** By question. Absent: not reached. Empty: skipped. */
  readonly answers: readonly (string | undefined)[];
}

export const EMPTY_DRAFT: AnswerDraft = { index: 0, answers: [] };
/** What the model reads for a question that was left out. */
const SKIPPED = '(skipped)';

export function give(draft: AnswerDraft, answer: string): AnswerDraft {
  const answers = [...draft.answers];
  answers[draft.index] = answer.trim();
  return { index: draft.index + 1, answers };
}

export function skip(draft: AnswerDraft): AnswerDraft {
  return give(draft, '');
}

export function back(draft: AnswerDraft): AnswerDraft {
  return { ...draft, index: Math.max(0, draft.index - 1) };
}

export function isAnswered(draft: AnswerDraft, questions: readonly Question[]): boolean {
  return draft.index >= questions.length;
}

export function answersOf(draft: AnswerDraft, questions: readonly Question[]): Answers {
  return {
    answers: questions.map((question, index) => {
      const answer = draft.answers[index];
      return { question: question.question, answer: answer === undefined || answer === '' ? SKIPPED : answer };
    }),
  };
}

/** The option that a key chooses: `1` is the first. */
export function optionOfKey(question: Question, key: string): string | undefined {
  if (!/^[1-9]$/.test(key)) return undefined;
  return question.options?.[Number(key) - 1]?.label;
}

/** The questions of a call, or none when its input has another shape. */
export function questionsOf(input: unknown): readonly Question[] {
  if (typeof input !== 'object' || input === null || !('questions' in input) || !Array.isArray(input.questions)) return [];
  return input.questions.filter((item): item is Question => typeof item === 'object' && item !== null && typeof item.question === 'string');
}

/** The answers that a finished call carries as JSON text. */
export function answersOfResult(content: readonly { type: string; text?: unknown }[] | undefined): Answers['answers'] {
  const text = content?.find((part) => part.type === 'text')?.text;
  if (typeof text !== 'string') return [];
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('answers' in value) || !Array.isArray(value.answers)) return [];
    return value.answers.filter((item): item is Answers['answers'][number] => typeof item?.question === 'string' && typeof item?.answer === 'string');
  } catch {
    return [];
  }
}
