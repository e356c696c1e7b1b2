import type { Call, ProtocolError, Question } from '@tendon/protocol';
import { MessageCircleQuestionMark } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { announce } from '../app/announcements.ts';
import { useSession } from '../app/session-context.tsx';
import { useKeys } from '../app/use-keys.ts';
import { CallPanel } from '../tool-call/call-panel.tsx';
import { Button, Key } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { type AnswerDraft, answersOf, back, EMPTY_DRAFT, give, isAnswered, optionOfKey, questionsOf, skip } from './answer-draft.ts';

type Sending = { readonly kind: 'open' } | { readonly kind: 'sending' } | { readonly kind: 'refused'; readonly error: ProtocolError };

/** The agent's questions, one at a time; the answers go out together after the last. Mount it with the call's id as its key. */
export function QuestionPanel({ call }: { call: Call }): ReactNode {
  const session = useSession();
  const panel = useRef<HTMLDivElement>(null);
  const hasMoved = useRef(false);
  const questions = useMemo(() => questionsOf(call.input), [call.input]);
  const [draft, setDraft] = useState<AnswerDraft>(EMPTY_DRAFT);
  const [sending, setSending] = useState<Sending>({ kind: 'open' });
  const index = Math.min(draft.index, questions.length - 1);
  const question = questions[index];

  const move = (next: AnswerDraft) => {
    hasMoved.current = true;
    setDraft(next);
  };
  const advance = (next: AnswerDraft) => {
    move(next);
    if (!isAnswered(next, questions)) return;
    setSending({ kind: 'sending' });
    void session.answer(call, answersOf(next, questions)).then((result) => {
      if (!result.ok) setSending({ kind: 'refused', error: result.error });
    });
  };
  const choose = (key: string) => {
    const option = question && sending.kind === 'open' ? optionOfKey(question, key) : undefined;
    if (option !== undefined) advance(give({ ...draft, index }, option));
  };
  useKeys(Object.fromEntries(['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((key) => [key, () => choose(key)])));
  useEffect(() => announce('The agent has a question for you.'), []);
  // The form of the question before is gone, and what the person types next is for this one.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question is what moves the focus
  useEffect(() => {
    if (!hasMoved.current) return;
    hasMoved.current = false;
    const hasOptions = (question?.options?.length ?? 0) > 0;
    (hasOptions ? panel.current : panel.current?.querySelector('textarea'))?.focus();
  }, [index]);

  if (!question) return <Notice tone="warn">The agent asked something that cannot be shown. Stop it to go on.</Notice>;
  return (
    <CallPanel callId={call.id} label="Question" panel={panel} className="border-line-strong">
      <div className="flex items-center gap-2.5 px-4 pt-3 text-xs text-muted">
        <MessageCircleQuestionMark aria-hidden className="size-4 text-accent-ink" />
        <span className="flex-1 font-medium">The agent asks</span>
        {questions.length > 1 && (
          <span className="tabular-nums">
            {index + 1} of {questions.length}
          </span>
        )}
      </div>
      <QuestionForm
        key={index}
        question={question}
        given={draft.answers[index] ?? ''}
        isSending={sending.kind === 'sending'}
        isLast={index === questions.length - 1}
        onGive={(answer) => advance(give({ ...draft, index }, answer))}
        onSkip={() => advance(skip({ ...draft, index }))}
        onBack={index > 0 ? () => move(back({ ...draft, index })) : undefined}
      />
      {sending.kind === 'refused' && (
        <div className="px-4 pb-4">
          <Notice
            action={
              <Button size="sm" onClick={() => advance({ ...draft, index: questions.length })}>
                Send again
              </Button>
            }
          >
            {sending.error.message}
          </Notice>
        </div>
      )}
    </CallPanel>
  );
}

interface QuestionFormProps {
  readonly question: Question;
  readonly given: string;
  readonly isSending: boolean;
  readonly isLast: boolean;
  readonly onGive: (answer: string) => void;
  readonly onSkip: () => void;
  readonly onBack: (() => void) | undefined;
}

function QuestionForm({ question, given, isSending, isLast, onGive, onSkip, onBack }: QuestionFormProps): ReactNode {
  const options = question.options ?? [];
  const isOption = options.some((option) => option.label === given);
  const [text, setText] = useState(isOption ? '' : given);
  return (
    <form
      className="space-y-3 p-4 pt-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '') onGive(text);
      }}
    >
      <p className="text-base font-medium wrap-anywhere whitespace-pre-wrap">{question.question}</p>
      {options.length > 0 && (
        <ul className="space-y-1.5">
          {options.map((option, index) => (
            <li key={option.label}>
              <button
                type="button"
                disabled={isSending}
                aria-pressed={option.label === given}
                onClick={() => onGive(option.label)}
                className="flex w-full items-start gap-3 rounded-lg border border-line px-3 py-2 text-start text-sm transition-colors hover:border-line-strong hover:bg-hover aria-pressed:border-accent aria-pressed:bg-accent-soft"
              >
                <span className="mt-0.5 text-muted pointer-coarse:hidden">
                  <Key isHint>{index + 1}</Key>
                </span>
                <span className="min-w-0 flex-1 wrap-anywhere">
                  {option.label}
                  {option.description && <span className="block text-xs text-muted">{option.description}</span>}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <textarea
        aria-label="Your answer"
        rows={options.length > 0 ? 1 : 2}
        maxLength={20_000}
        placeholder={options.length > 0 ? 'Or write another answer' : 'Write an answer'}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          if (text.trim() !== '') onGive(text);
        }}
        className="field-sizing-content max-h-48 w-full resize-none rounded-lg border border-line-strong bg-bg px-3 py-2 text-sm focus:border-accent"
      />
      <div className="flex items-center gap-2">
        {onBack && (
          <Button variant="ghost" disabled={isSending} onClick={onBack}>
            Back
          </Button>
        )}
        <Button variant="ghost" disabled={isSending} className="ms-auto" onClick={onSkip}>
          Skip
        </Button>
        <Button type="submit" variant="primary" disabled={isSending || text.trim() === ''}>
          {isSending ? 'Sending…' : isLast ? 'Answer' : 'Next'}
        </Button>
      </div>
    </form>
  );
}
