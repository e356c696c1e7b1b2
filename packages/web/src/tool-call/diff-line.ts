/** One row of a diff. A gap parts what does not stand together in the file. */
export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed' | 'gap';
  readonly text: string;
  readonly oldLine?: number;
  readonly newLine?: number;
}
