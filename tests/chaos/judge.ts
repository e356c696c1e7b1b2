import { isDeepStrictEqual } from 'node:util';
import type { SessionView } from '@tendon/client';
import { isFinalCallState, type SessionEvent } from '@tendon/protocol';
import type { SessionView as RawView } from '@tendon/testing';
import { commandOf, type Errand, type Person } from './person.ts';

/** Judges from outside, when everything is at rest: what people were told, what the commands left behind, what a newcomer sees. */
export class Judge {
  readonly violations: string[] = [];
  readonly checks: Record<string, number> = {};

  check(invariant: string, holds: boolean, say: () => string): void {
    this.checks[invariant] = (this.checks[invariant] ?? 0) + 1;
    if (!holds) this.violations.push(`${invariant}: ${say()}`);
  }

  /** `stored` is what the session's events tell, from the first on. */
  session(stored: RawView, errands: readonly Errand[]): void {
    const { id, events, attached } = stored;
    this.check(
      'I8',
      events.length === attached.seq && events.every((event, index) => event.seq === index + 1),
      () => `session ${id} counts ${attached.seq} events and has ${events.map(({ seq }) => seq).join(' ')}`,
    );
    this.check('I7', stored.session.status === 'idle' && stored.calls.every((call) => isFinalCallState(call.state)), () => `${id} is idle with open calls`);
    const messages = stored.messages;
    for (const errand of errands.filter(({ sessionId }) => sessionId === id)) {
      const times = messages.filter((message) => message.id === errand.messageId).length;
      this.check('I1', times === 1, () => `message ${errand.messageId} is in the history ${times} times`);
      this.check('I3', errand.begun() <= 1, () => `a command began ${errand.begun()} times: ${errand.command}`);
      const call = stored.calls.find((candidate) => errand.command !== undefined && commandOf(candidate) === errand.command);
      if (call?.state === 'succeeded') this.check('I11', errand.begun() === 1, () => `call ${call.id} succeeded and its command never ran`);
      if (call?.state === 'denied') this.check('I11', errand.begun() === 0, () => `call ${call.id} was denied and its command ran`);
      if (errand.begun() > 0) this.check('I11', call?.decision?.decision === 'approve', () => `a command ran without an approval: ${errand.command}`);
      this.check('I10', !errand.runs(), () => `a process of ${errand.command} still runs; its call is ${call?.state}`);
    }
    this.#finalStates(events);
  }

  /** From its first final state on a call is told with that one only. */
  #finalStates(events: readonly SessionEvent[]): void {
    const told = new Map<string, string[]>();
    for (const event of events) {
      if (event.type !== 'call.updated' && event.type !== 'call.requested') continue;
      const { id, state } = event.data.call;
      const states = told.get(id) ?? [];
      if (states.length > 0 || isFinalCallState(state)) told.set(id, [...states, state]);
    }
    for (const [id, states] of told) this.check('I2', new Set(states).size === 1, () => `call ${id} was in turn ${states.join(', ')}`);
  }

  /** Every page shows what one shows that was opened just now. */
  views(person: Person, fresh: Person): void {
    person.sessions.forEach((session, index) => {
      const [seen, wanted] = [shown(session.view.get()), shown(fresh.sessions[index]?.view.get())];
      this.check(
        'I9',
        isDeepStrictEqual(seen, wanted),
        () => `a page of ${session.id} differs from a fresh one:\n${JSON.stringify(seen)}\n${JSON.stringify(wanted)}`,
      );
    });
  }

  requests({ recording }: Person): void {
    this.check('I17', recording.open === 0, () => `${recording.open} requests were never answered`);
  }
}

/** What both have loaded: a fresh page has the newest messages only. */
function shown(view: SessionView | undefined): object {
  const messages = (view?.messages ?? []).slice(-20);
  return JSON.parse(JSON.stringify({ seq: view?.seq, session: view?.session, messages, live: view?.live })) as object;
}
