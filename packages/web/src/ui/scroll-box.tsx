import clsx from 'clsx';
import { type ReactNode, useCallback, useLayoutEffect, useRef, useState } from 'react';

interface ScrollBoxProps {
  readonly label?: string;
  /** Its height at most, and the look of the text. */
  readonly className: string;
  readonly children: ReactNode;
}

/** What is higher than its box is scrolled to, and a line below says that there is more: a phone shows no scroll bar. */
export function ScrollBox({ label, className, children }: ScrollBoxProps): ReactNode {
  const box = useRef<HTMLElement>(null);
  const [isCut, setCut] = useState(false);
  const look = useCallback(() => setCut(box.current !== null && box.current.scrollHeight > box.current.clientHeight), []);
  // After every change of what stands in it, and of its width.
  useLayoutEffect(look);
  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [look]);
  return (
    <>
      <section
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label={label}
        dir="ltr"
        className={clsx('scroll-quiet overflow-auto', className)}
      >
        {children}
      </section>
      {isCut && <p className="border-t border-line px-3 py-1 font-sans text-xs text-muted">Scroll to read all of it</p>}
    </>
  );
}
