const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** `27 Nov 2026`, as the browser's language has it. */
export function day(at: string): string {
  return DAY.format(new Date(at));
}

const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** `27 Nov 2026, 14:05`, as the browser's language has it. */
export function dayAndTime(at: string): string {
  return DAY_AND_TIME.format(new Date(at));
}
