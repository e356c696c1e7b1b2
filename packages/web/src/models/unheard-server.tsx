import { useAgentClient, useStore } from '@tendon/client/react';
import { type ReactNode, useCallback, useEffect, useState } from 'react';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

/** An address may be wrong, or its server be off: then no model of it can be chosen, and nothing else would say why. */
export function UnheardServer(): ReactNode {
  const client = useAgentClient();
  const isOnline = useStore(client.connection).kind === 'online';
  const [isUnheard, setUnheard] = useState(false);
  const [isLooking, setLooking] = useState(false);
  const look = useCallback(async () => {
    setLooking(true);
    const result = await client.request('model:list', {});
    setLooking(false);
    if (result.ok) setUnheard(!result.data.models.some(({ id }) => id.startsWith('compatible/')));
  }, [client]);
  useEffect(() => {
    if (isOnline) void look();
  }, [isOnline, look]);
  if (!isUnheard) return null;
  return (
    <Notice
      tone="warn"
      action={
        <Button size="sm" aria-disabled={isLooking} onClick={() => !isLooking && void look()}>
          {isLooking ? 'Looking…' : 'Look again'}
        </Button>
      }
    >
      No models came from this address. Check that its server runs, that Tendon's server reaches it, and that it lists its models under /models.
    </Notice>
  );
}
