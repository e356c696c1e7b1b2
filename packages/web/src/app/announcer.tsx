import { useStore } from '@tendon/client/react';
import type { ReactNode } from 'react';
import { announcements } from './announcements.ts';

/** What a screen reader is told when something happens away from the focus. */
export function Announcer(): ReactNode {
  const text = useStore(announcements);
  return (
    <div aria-live="polite" aria-atomic="true" className="sr-only">
      {text}
    </div>
  );
}
