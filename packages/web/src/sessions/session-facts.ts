import type { Gateway, Session } from '@tendon/protocol';

interface Surroundings {
  readonly now: Date;
  readonly gateways: readonly Gateway[];
  /** A BCP 47 tag; the browser's own when left out. */
  readonly locale?: string;
}

/**
 * What tells a session from one that begins alike: when it was changed last, and where it works. The machine is left out where there is
 * one alone. Older than a week it stands under its month, so that the day is said in place of the time.
 */
export function sessionFacts(session: Session, { now, gateways, locale }: Surroundings): readonly string[] {
  const machine = gateways.length > 1 ? gateways.find(({ id }) => id === session.gatewayId)?.name : undefined;
  return [timeText(new Date(session.updatedAt), now, locale), machine, folderName(session.workspace)].filter((fact) => fact !== undefined);
}

function timeText(at: Date, now: Date, locale: string | undefined): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 6);
  if (at >= midnight) return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' }).format(at);
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' }).format(at);
}

/** The last part of a path of either kind; a root is all that there is. */
function folderName(path: string | undefined): string | undefined {
  return path?.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
