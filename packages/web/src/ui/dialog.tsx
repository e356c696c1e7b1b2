import clsx from 'clsx';
import { X } from 'lucide-react';
import { Dialog as Primitive } from 'radix-ui';
import type { ReactNode } from 'react';
import { IconButton } from './button.tsx';

interface DialogProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** `drawer` slides in from the start edge, for the sessions on a phone. */
  readonly shape?: 'box' | 'drawer';
}

export function Dialog({ title, isOpen, onClose, children, shape = 'box' }: DialogProps): ReactNode {
  const isDrawer = shape === 'drawer';
  return (
    <Primitive.Root open={isOpen} onOpenChange={(open) => (open ? undefined : onClose())}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/35 backdrop-blur-[1px]" />
        <Primitive.Content
          aria-describedby={undefined}
          {...(isDrawer && { onOpenAutoFocus: focusItself })}
          className={clsx(
            'fixed z-50 border-line bg-raised shadow-2xl outline-none',
            isDrawer
              ? 'inset-y-0 start-0 w-[min(20rem,86vw)] animate-slide-in border-e bg-panel'
              : 'start-1/2 top-1/2 max-h-[85dvh] w-[min(30rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-2xl border p-5 rtl:translate-x-1/2',
          )}
        >
          {isDrawer ? (
            <Primitive.Title className="sr-only">{title}</Primitive.Title>
          ) : (
            <div className="mb-3 flex items-center justify-between">
              <Primitive.Title className="text-lg font-semibold">{title}</Primitive.Title>
              <Primitive.Close asChild>
                <IconButton label="Close">
                  <X />
                </IconButton>
              </Primitive.Close>
            </div>
          )}
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

/** Not the search field in it: on a phone its keyboard would cover the list. */
function focusItself(event: Event): void {
  event.preventDefault();
  if (event.currentTarget instanceof HTMLElement) event.currentTarget.focus();
}
