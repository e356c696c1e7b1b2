const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** `27 Nov 2026`, as the browser's language has it. */
export function day(at: string): string {
  return DAY.format(new Date(at));
}
