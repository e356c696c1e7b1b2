import { useAgentClient, useStore } from '@tendon/client/react';
import { WifiOff } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Button } from '../ui/button.tsx';
import { connectionText } from './connection-text.ts';

/** Stands above the page while the server is away: why, until when, and a way not to wait. */
export function ConnectionBar(): ReactNode {
  const client = useAgentClient();
  const state = useStore(client.connection);
  const now = useSeconds(state.kind === 'waiting');
  const { bar, word } = connectionText(state, now);
  return (
    <>
      {/* Screen readers hear the word once, not every second of the countdown. */}
      <div role="status" aria-label="Connection" className="sr-only">
        {word}
      </div>
      {bar && state.kind !== 'failed' && (
        <div className="flex shrink-0 items-center gap-3 border-b sm:justify-center border-warn-line bg-warn-soft px-4 py-1.5 text-sm text-warn">
          <WifiOff aria-hidden className="size-4 shrink-0" />
          <span className="min-w-0 tabular-nums wrap-anywhere max-sm:flex-1">{bar}</span>
          <span className="text-xs opacity-90 max-md:hidden">What you write is kept and sent when the server is back.</span>
          {state.kind === 'waiting' && (
            <Button size="sm" onClick={() => client.connectNow()}>
              Try now
            </Button>
          )}
        </div>
      )}
    </>
  );
}

function useSeconds(isRunning: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isRunning) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [isRunning]);
  return now;
}
