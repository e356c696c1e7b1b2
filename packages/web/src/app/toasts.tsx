import { type ReactNode, useSyncExternalStore } from 'react';
import { Button } from '../ui/button.tsx';

export interface Toast {
  readonly text: string;
  readonly undo?: () => void;
  /** Runs when the time to undo is over, or another toast takes its place. */
  readonly onDone?: () => void;
}

const SHOWN_MS = 6_000;

/** One toast at a time. A page that is left before the time is over does not run `onDone`: nothing is lost by leaving. */
class ToastBox {
  #current: Toast | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  get = (): Toast | undefined => this.#current;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  show(toast: Toast): void {
    this.#end('done');
    this.#set(toast);
    this.#timer = setTimeout(() => this.#end('done'), SHOWN_MS);
  }

  undo(): void {
    this.#end('undo');
  }

  #end(how: 'done' | 'undo'): void {
    clearTimeout(this.#timer);
    const toast = this.#current;
    this.#set(undefined);
    if (how === 'done') toast?.onDone?.();
    else toast?.undo?.();
  }

  #set(toast: Toast | undefined): void {
    this.#current = toast;
    for (const listener of this.#listeners) listener();
  }
}

const box = new ToastBox();

export function showToast(toast: Toast): void {
  box.show(toast);
}

export function Toasts(): ReactNode {
  const toast = useSyncExternalStore(box.subscribe, box.get);
  return (
    <div aria-live="polite" className="pointer-events-none fixed inset-x-0 bottom-6 z-50 flex justify-center px-4">
      {toast && (
        <div className="pointer-events-auto flex animate-rise items-center gap-4 rounded-xl bg-text py-1.5 ps-4 pe-1.5 text-sm text-bg shadow-lg">
          <span className="py-1 wrap-anywhere">{toast.text}</span>
          {toast.undo && (
            <Button variant="ghost" size="sm" className="text-bg! hover:bg-bg/15" onClick={() => box.undo()}>
              Undo
            </Button>
          )}
        </div>
      )}
    </div>
  );
}
