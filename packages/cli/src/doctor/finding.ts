/** What doctor says about one thing. `missing`: Tendon works without it, but less well. `broken`: it does not work. */
export interface Finding {
  readonly subject: string;
  readonly state: 'ok' | 'missing' | 'broken';
  readonly detail: string;
  /** What to do about it. */
  readonly mend?: string;
}
