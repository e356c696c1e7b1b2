import type { Gateway, Session } from '@tendon/protocol';

/** What a session's row in the list says about it, most pressing first. */
export type SessionMark = 'stopping' | 'needs_you' | 'waiting_for_machine' | 'thinking' | 'failed' | 'quiet';

export const MARK_LABELS: Record<SessionMark, string> = {
  stopping: 'Stopping',
  needs_you: 'Needs you',
  waiting_for_machine: 'Waiting for its machine',
  thinking: 'Working',
  failed: 'Failed',
  quiet: '',
};

export function sessionMark(session: Session, gateways: readonly Gateway[]): SessionMark {
  if (session.stopping) return 'stopping';
  if (needsYou(session)) return 'needs_you';
  if (session.status === 'waiting_for_tools') return isMachineAway(session, gateways) ? 'waiting_for_machine' : 'thinking';
  if (session.status === 'running') return 'thinking';
  return session.lastError ? 'failed' : 'quiet';
}

export function needsYou(session: Session): boolean {
  return session.waiting.approvals + session.waiting.answers > 0;
}

/** The agent is at work: what is sent now waits in the queue, and Stop means something. */
export function isWorking(session: Session): boolean {
  return session.status !== 'idle';
}

/** Only a machine that is known to be away counts; one that was never heard of says nothing. */
function isMachineAway(session: Session, gateways: readonly Gateway[]): boolean {
  const gateway = gateways.find((candidate) => candidate.id === session.gatewayId);
  return gateway !== undefined && !gateway.online;
}

/** The tab's title: how many sessions need a person, then where they are. */
export function documentTitle(needing: number, place: string | undefined): string {
  const name = place ? `${place} · Tendon` : 'Tendon';
  return needing > 0 ? `(${needing}) ${name}` : name;
}
