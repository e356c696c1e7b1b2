import type { Call } from '@tendon/protocol';
import { MessageCircleQuestionMark } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { useTakesFocus } from '../tool-call/passed-focus.ts';
import { answersOfResult, questionsOf } from './answer-draft.ts';

/** What was asked, folded into what was answered. */
export function AnsweredQuestions({ call }: { call: Call }): ReactNode {
  const place = useRef<HTMLElement>(null);
  useTakesFocus(call.id, place);
  const given = answersOfResult(call.result?.content);
  const shown = given.length > 0 ? given : questionsOf(call.input).map((question) => ({ question: question.question, answer: '' }));
  return (
    <section ref={place} tabIndex={-1} aria-label="Answered questions" className="rounded-xl border border-line bg-raised px-4 py-3">
      <dl className="space-y-2.5">
        {shown.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the answers of one call never move
          <div key={index} className="relative ps-6.5 text-sm wrap-anywhere whitespace-pre-wrap">
            <dt className="text-muted">
              <MessageCircleQuestionMark aria-hidden className="absolute start-0 top-0.5 size-4 text-faint" />
              {item.question}
            </dt>
            <dd className="font-medium">{item.answer || 'Answered'}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
