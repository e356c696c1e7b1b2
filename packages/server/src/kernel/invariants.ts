import { isFinalCallState } from '@tendon/protocol';
import type { Change } from './change.ts';
import { publicSession, type SessionState, statusOf } from './state.ts';

/** What must hold at every commit. Answers with the faults in words; an empty list is the only good answer. */
export function brokenInvariants(before: SessionState, change: Change): string[] {
  return [...stateFaults(change.state), ...eventFaults(before, change), ...callFaults(change)];
}

export function stateFaults(state: SessionState): string[] {
  const faults: string[] = [];
  if (state.turn && state.calls.length > 0) faults.push('I7: a turn runs beside open calls');
  if (state.calls.some((stored) => isFinalCallState(stored.call.state))) faults.push('I2: a call that is over is still in hand');
  if (state.queue.some((queued) => queued.message.state !== 'queued')) faults.push('I7: the queue holds a message that is not queued');
  if (statusOf(state) === 'idle' && state.queue.length > 0 && !state.held) faults.push('I18: an idle session leaves its queue lying');
  if (new Set(state.calls.map((stored) => stored.call.id)).size !== state.calls.length) faults.push('I2: a call stands twice');
  return faults;
}

function eventFaults(before: SessionState, change: Change): string[] {
  const faults: string[] = [];
  change.events.forEach((event, index) => {
    if (event.seq !== before.seq + index + 1) faults.push(`I8: event ${index} has seq ${event.seq} after ${before.seq}`);
  });
  if (change.state.seq !== before.seq + change.events.length) faults.push('I8: the session counts other events than it emits');
  const last = change.events.findLast((event) => event.type === 'session.updated');
  if (last && JSON.stringify(last.data.session.status) !== JSON.stringify(publicSession(change.state).status))
    faults.push('I7: the last event tells another status');
  return faults;
}

function callFaults(change: Change): string[] {
  const open = new Set(change.state.calls.map((stored) => stored.call.id));
  return change.calls
    .filter((stored) => open.has(stored.call.id) === isFinalCallState(stored.call.state))
    .map((stored) => `I2: call ${stored.call.id} is ${stored.call.state} and ${open.has(stored.call.id) ? 'open' : 'gone'}`);
}
