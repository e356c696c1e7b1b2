import { useAgentClient, useStore } from '@tendon/client/react';
import { Info, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { IconButton } from '../ui/button.tsx';

/** What the server has to say to everyone who is connected, until it is put away. */
export function NoticeBar(): ReactNode {
  const notice = useStore(useAgentClient().notices);
  const [dismissed, setDismissed] = useState<typeof notice>();
  if (!notice || notice === dismissed) return null;
  return (
    <div role="alert" className="flex shrink-0 items-center justify-center gap-3 border-b border-line bg-accent-soft px-4 py-1 text-sm">
      <Info aria-hidden className="size-4 shrink-0 text-accent-ink" />
      <span className="min-w-0 wrap-anywhere">{notice.message}</span>
      <IconButton label="Put away" className="size-7" onClick={() => setDismissed(notice)}>
        <X />
      </IconButton>
    </div>
  );
}
