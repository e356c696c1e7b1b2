import clsx from 'clsx';
import type { ComponentProps, ReactNode } from 'react';

type Variant = 'primary' | 'secondary' | 'ghost' | 'danger';

const VARIANTS: Record<Variant, string> = {
  primary: 'bg-accent text-on-accent hover:brightness-110 border border-transparent shadow-xs',
  secondary: 'bg-raised text-text border border-line-strong hover:bg-hover shadow-xs',
  ghost: 'text-muted hover:text-text hover:bg-hover border border-transparent',
  danger: 'bg-raised text-bad border border-bad-line hover:bg-bad-soft shadow-xs',
};

/** Its words are still to be read (4.5 to 1): a colour of its own, and nothing that fades. */
const DISABLED =
  'disabled:cursor-default disabled:border-line disabled:bg-hover disabled:text-faint disabled:shadow-none disabled:brightness-100 aria-disabled:cursor-default aria-disabled:border-line aria-disabled:bg-hover aria-disabled:text-faint aria-disabled:shadow-none aria-disabled:brightness-100';

interface ButtonProps extends ComponentProps<'button'> {
  readonly variant?: Variant;
  readonly size?: 'sm' | 'md';
}

/** `aria-disabled` keeps the focus where it is, `disabled` does not: both look the same. */
export function Button({ variant = 'secondary', size = 'md', className, ...rest }: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      className={clsx(
        'inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-lg font-medium transition-[background-color,color,filter]',
        DISABLED,
        size === 'sm' ? 'h-7 px-2.5 text-xs pointer-coarse:h-9' : 'h-8 px-3 text-sm pointer-coarse:h-10',
        VARIANTS[variant],
        className,
      )}
      {...rest}
    />
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'aria-label'> {
  /** Read out, and shown on hover. */
  readonly label: string;
}

export function IconButton({ label, className, ...rest }: IconButtonProps): ReactNode {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={clsx(
        'inline-flex size-8 shrink-0 items-center justify-center rounded-lg text-muted transition-colors hover:bg-hover hover:text-text disabled:cursor-default disabled:bg-hover disabled:text-faint pointer-coarse:size-10 [&_svg]:size-4',
        className,
      )}
      {...rest}
    />
  );
}

interface KeyProps {
  readonly children: ReactNode;
  /** Beside the words of a button, whose name it is no part of. */
  readonly isHint?: boolean;
}

export function Key({ children, isHint = false }: KeyProps): ReactNode {
  return (
    <kbd
      aria-hidden={isHint || undefined}
      className="inline-flex h-4.5 min-w-4.5 items-center justify-center rounded border border-current/25 px-1 font-sans text-[0.6875rem] leading-none pointer-coarse:hidden"
    >
      {children}
    </kbd>
  );
}
