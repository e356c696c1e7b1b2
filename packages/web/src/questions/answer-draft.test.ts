import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answersOf, answersOfResult, back, EMPTY_DRAFT, give, isAnswered, optionOfKey, questionsOf, skip } from './answer-draft.ts';

const questions = [{ question: 'Which port?', options: [{ label: '80' }, { label: '8080' }] }, { question: 'Why?' }, { question: 'When?' }];

test('U14: questions come one at a time and are sent together', () => {
  let draft = give(EMPTY_DRAFT, '8080');
  draft = give(draft, '  because ');
  assert.equal(isAnswered(draft, questions), false);
  draft = skip(draft);
  assert.equal(isAnswered(draft, questions), true);
  assert.deepEqual(answersOf(draft, questions), {
    answers: [
      { question: 'Which port?', answer: '8080' },
      { question: 'Why?', answer: 'because' },
      { question: 'When?', answer: '(skipped)' },
    ],
  });
});

test('U14: going back keeps the answers and lets one change', () => {
  let draft = give(give(EMPTY_DRAFT, '80'), 'no reason');
  draft = back(back(draft));
  assert.equal(draft.index, 0);
  assert.equal(back(draft).index, 0);
  draft = give(draft, '8080');
  assert.equal(draft.answers[0], '8080');
  assert.equal(draft.answers[1], 'no reason');
});

test('U14: number keys choose options, other keys nothing', () => {
  const [first, second] = questions;
  assert.ok(first && second);
  assert.equal(optionOfKey(first, '2'), '8080');
  assert.equal(optionOfKey(first, '3'), undefined);
  assert.equal(optionOfKey(first, '0'), undefined);
  assert.equal(optionOfKey(first, 'a'), undefined);
  assert.equal(optionOfKey(second, '1'), undefined);
});

test('U14: inputs and results of another shape give nothing to show, never an exception', () => {
  for (const input of [null, 1, {}, { questions: 'x' }, { questions: [1, null] }]) assert.deepEqual(questionsOf(input), []);
  assert.deepEqual(answersOfResult(undefined), []);
  assert.deepEqual(answersOfResult([{ type: 'text', text: 'plain' }]), []);
  assert.deepEqual(answersOfResult([{ type: 'text', text: '{"answers":[{"question":"a","answer":"b"},null]}' }]), [{ question: 'a', answer: 'b' }]);
});
