/** How long a page is waited for, in milliseconds. */
export interface PageLimits {
  /** Until an element lets something be done to it. */
  readonly actionMs: number;
  /** Until an option is in a list. */
  readonly optionMs: number;
  /** Until a page asks for a file, or starts a download, after a click. */
  readonly chooserMs: number;
  readonly downloadMs: number;
  readonly pictureMs: number;
}

export const PAGE_LIMITS: PageLimits = { actionMs: 8_000, optionMs: 3_000, chooserMs: 5_000, downloadMs: 10_000, pictureMs: 15_000 };
