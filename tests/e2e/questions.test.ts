import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { calls, says } from '@tendon/testing';
import { browserRig, eventually } from './browser-rig.ts';
import { holdMessages } from './held-messages.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const QUESTIONS = {
  questions: [
    { question: 'Which port?', options: [{ label: '8080', description: 'the usual one' }, { label: '9090' }] },
    { question: 'Which name?' },
    { question: 'Which colour?', options: [{ label: 'red' }, { label: 'blue' }] },
    { question: 'Anything else?' },
  ],
};
const ANSWERED = [
  { question: 'Which port?', answer: '9090' },
  { question: 'Which name?', answer: 'ash' },
  { question: 'Which colour?', answer: 'green' },
  { question: 'Anything else?', answer: '(skipped)' },
];

function askQuestions() {
  return calls({ name: 'ask_user_questions', input: QUESTIONS });
}

test('U14, C11: questions are answered one at a time, by number key, by writing and by skipping, and the model gets all answers at once', async () => {
  const device = await rig.device();
  await device.open();
  rig.model.script([...says('Some questions.'), askQuestions()], says('Thank you.'));
  await device.say('set it up');
  await device.question.getByText('Which port?').waitFor();
  await device.question.getByText('1 of 4').waitFor();
  await device.leaveComposer();
  await device.page.keyboard.press('1');
  await device.question.getByText('Which name?').waitFor();
  await device.button('Back').click();
  assert.equal(await device.button(/^8080/).getAttribute('aria-pressed'), 'true');
  await device.button('9090').click();
  const answer = device.page.getByRole('textbox', { name: 'Your answer' });
  await answer.fill('ash');
  await answer.press('Enter');
  await device.question.getByText('Which colour?').waitFor();
  await answer.fill('green');
  await device.button('Next').click();
  await device.question.getByText('Anything else?').waitFor();
  assert.equal(rig.model.requests.length, 1, 'nothing is sent before the last question');
  await device.button('Skip').click();
  await device.answered('Thank you.').waitFor();
  const folded = device.page.getByRole('region', { name: 'Answered questions' });
  assert.deepEqual(await folded.getByRole('definition').allTextContents(), ['9090', 'ash', 'green', '(skipped)']);
  const result = rig.model.requests.at(-1)?.messages.find((message) => (message as { role?: string }).role === 'tool') as { content: string } | undefined;
  assert.deepEqual(JSON.parse(result?.content ?? ''), { answers: ANSWERED });
});

test('U14, U24: questions are answered with keys alone: the focus goes to the next one, and then to what came of them', async () => {
  const device = await rig.device();
  await device.open();
  const { keyboard } = device.page;
  rig.model.script([askQuestions()], says('Thank you.'));
  await device.say('set it up');
  await device.question.getByText('Which port?').waitFor();
  await keyboard.press('Escape');
  assert.equal(await device.question.evaluate(hasFocus), true);
  await keyboard.press('1');
  await device.question.getByText('Which name?').waitFor();
  // Letters that are keys of the page elsewhere.
  await keyboard.type('nowhere');
  await keyboard.press('Enter');
  await device.question.getByText('Which colour?').waitFor();
  assert.equal(await device.question.evaluate(hasFocus), true);
  await keyboard.press('2');
  await device.question.getByText('Anything else?').waitFor();
  await keyboard.type('none');
  await keyboard.press('Enter');
  await device.answered('Thank you.').waitFor();
  const folded = device.page.getByRole('region', { name: 'Answered questions' });
  assert.deepEqual(await folded.getByRole('definition').allTextContents(), ['8080', 'nowhere', 'blue', 'none']);
  assert.equal(await folded.evaluate(hasFocus), true);
});

test('U22: Escape stops nothing from the moment in which a question is seen, though the session is said to work a moment longer', async () => {
  const device = await rig.device();
  const { page } = device;
  const status = await holdMessages(page, /"session:event".*"status":"waiting_for_user"/, { isInOrder: true });
  await device.open();
  rig.model.script([askQuestions()], says('Thank you.'));
  await device.say('set it up');
  await device.question.getByText('Which port?').waitFor();
  await eventually(() => assert.ok(status.count > 0));
  assert.equal(await page.getByText('Thinking', { exact: true }).count(), 0);
  await page.keyboard.press('Escape');
  await eventually(async () => assert.equal(await device.question.evaluate(hasFocus), true));
  assert.deepEqual(
    status.sent.filter((message) => message.includes('"agent:stop"')),
    [],
  );
  status.release();
  for (const { question } of QUESTIONS.questions) {
    await device.question.getByText(question).waitFor();
    await device.button('Skip').click();
  }
  await device.answered('Thank you.').waitFor();
});

function hasFocus(element: Element): boolean {
  return element === document.activeElement;
}

test('U14: a question is answered late and from another device, and is over on the first', async () => {
  const first = await rig.device();
  await first.open();
  rig.model.script(
    [calls({ name: 'ask_user_questions', input: { questions: [{ question: 'Go on?', options: [{ label: 'yes' }, { label: 'no' }] }] } })],
    says('On it.'),
  );
  await first.say('ask me');
  await first.question.getByText('Go on?').waitFor();
  const path = first.path;
  await first.open('/');
  await first.page.getByRole('navigation', { name: 'Sessions' }).getByText('Needs you').first().waitFor({ state: 'attached' });
  assert.match(await first.page.title(), /^\(1\) /);
  await first.page.goBack();
  await first.question.getByText('Go on?').waitFor();
  const second = await rig.device();
  await second.open(path);
  await second.button('yes').click();
  await first.answered('On it.').waitFor();
  await first.question.waitFor({ state: 'detached' });
});
