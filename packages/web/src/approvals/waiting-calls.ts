import { type Call, ruleSubject } from '@tendon/protocol';

/** The calls that wait for a person's decision, oldest first. */
export function callsAwaitingApproval(calls: Readonly<Record<string, Call>>): Call[] {
  return waitingFor(calls, 'awaiting_approval');
}

export function callsAwaitingAnswer(calls: Readonly<Record<string, Call>>): Call[] {
  return waitingFor(calls, 'awaiting_answer');
}

/** Whether a call waits for its person. The status of the session says so as well, in an event that comes a moment later. */
export function isPersonAwaited(calls: Readonly<Record<string, Call>>): boolean {
  return Object.values(calls).some(({ state }) => state === 'awaiting_approval' || state === 'awaiting_answer');
}

function waitingFor(calls: Readonly<Record<string, Call>>, state: Call['state']): Call[] {
  return Object.values(calls)
    .filter((call) => call.state === state)
    .sort((a, b) => (a.createdAt === b.createdAt ? compare(a.id, b.id) : compare(a.createdAt, b.createdAt)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Exactly what *Always* stores for this call. An input that its tool's schema would refuse is shown whole. */
export function storedSubject(call: Call): string {
  try {
    const subject = ruleSubject(call.tool, call.input);
    if (typeof subject === 'string') return subject;
  } catch {
    // The input does not have the shape its tool declares; the whole of it is what a rule could name.
  }
  return JSON.stringify(call.input) ?? '';
}
