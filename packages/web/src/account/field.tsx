import clsx from 'clsx';
import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from 'react';

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'className'> {
  readonly ref?: Ref<HTMLInputElement>;
  readonly label: string;
  readonly value: string;
  readonly onText: (text: string) => void;
  /** What is wrong with it, in words; it stands at the field and is read with it. */
  readonly fault?: string | undefined;
}

/** A labelled line to type into. */
export function Field({ label, onText, fault, ...input }: FieldProps): ReactNode {
  const faultId = useId();
  const isFaulty = fault !== undefined;
  return (
    <div className="flex flex-col gap-1.5 text-xs">
      <label className="flex flex-col gap-1.5 text-muted">
        <span>{label}</span>
        <input
          {...input}
          {...(isFaulty && { 'aria-invalid': true, 'aria-describedby': faultId })}
          onChange={(event) => onText(event.target.value)}
          className={clsx(
            'h-9 w-full rounded-lg border bg-panel px-3 text-sm text-text pointer-coarse:h-11',
            isFaulty ? 'border-bad-line' : 'border-line-strong',
          )}
        />
      </label>
      {isFaulty && (
        <p id={faultId} role="alert" className="text-sm text-bad">
          {fault}
        </p>
      )}
    </div>
  );
}
