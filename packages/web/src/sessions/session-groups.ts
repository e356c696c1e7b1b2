import type { Session } from '@tendon/protocol';

export interface SessionGroup {
  readonly label: string;
  readonly sessions: readonly Session[];
}

interface Clock {
  readonly now: Date;
  /** A BCP 47 tag; the browser's own when left out. */
  readonly locale?: string;
}

/** Groups by the local day of the last change: Today, Yesterday, the weekday within a week, then the month. Order is kept. */
export function groupByDay(sessions: readonly Session[], clock: Clock): SessionGroup[] {
  const groups = new Map<string, Session[]>();
  for (const session of sessions) {
    const label = dayLabel(new Date(session.updatedAt), clock);
    const group = groups.get(label);
    if (group) group.push(session);
    else groups.set(label, [session]);
  }
  return [...groups].map(([label, members]) => ({ label, sessions: members }));
}

function dayLabel(day: Date, { now, locale }: Clock): string {
  const age = Math.round((startOfDay(now) - startOfDay(day)) / 86_400_000);
  if (age <= 0) return 'Today';
  if (age === 1) return 'Yesterday';
  if (age < 7) return new Intl.DateTimeFormat(locale, { weekday: 'long' }).format(day);
  return new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric' }).format(day);
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Every word of the query must stand in the title or the folder, in any order and case. */
export function searchSessions(sessions: readonly Session[], query: string): readonly Session[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return sessions;
  return sessions.filter((session) => {
    const text = `${session.title} ${session.workspace ?? ''}`.toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  });
}
