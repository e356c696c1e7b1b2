import { MonitorPlay } from 'lucide-react';
import type { ReactNode } from 'react';
import { useView } from '../app/session-context.tsx';
import { useKeys } from '../app/use-keys.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { BROWSER_PANEL_ID, isBrowserTool, useWatching } from './watch-context.ts';

/** In the session's header, as soon as the agent has used the browser. The key `W` does the same. */
export function WatchHeaderButton(): ReactNode {
  const { isOpen, toggle } = useWatching();
  const isUsed = useView((view) => Object.values(view.calls).some(({ tool }) => isBrowserTool(tool)));
  const isOffered = isUsed || isOpen;
  useKeys(isOffered ? { w: toggle } : {});
  if (!isOffered) return null;
  return (
    <IconButton
      label={isOpen ? 'Stop watching the browser' : 'Watch the browser'}
      aria-expanded={isOpen}
      aria-controls={isOpen ? BROWSER_PANEL_ID : undefined}
      className={isOpen ? 'bg-accent-soft text-accent-ink' : undefined}
      onClick={toggle}
    >
      <MonitorPlay />
    </IconButton>
  );
}

/** On the card of a call that uses the browser, while it is not watched. */
export function WatchCardButton(): ReactNode {
  const { isOpen, toggle } = useWatching();
  if (isOpen) return null;
  return (
    <Button size="sm" onClick={toggle}>
      <MonitorPlay aria-hidden className="size-3.5" /> Watch the browser
    </Button>
  );
}
