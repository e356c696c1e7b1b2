import type { InputHTMLAttributes, ReactNode, Ref } from 'react';

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'className'> {
  readonly ref?: Ref<HTMLInputElement>;
  readonly label: string;
  readonly value: string;
  readonly onText: (text: string) => void;
}

/** A labelled line to type into. */
export function Field({ label, onText, ...input }: FieldProps): ReactNode {
  return (
    <label className="flex flex-col gap-1.5 text-xs text-muted">
      <span>{label}</span>
      <input
        {...input}
        onChange={(event) => onText(event.target.value)}
        className="h-9 w-full rounded-lg border border-line-strong bg-panel px-3 text-sm text-text pointer-coarse:h-11"
      />
    </label>
  );
}
