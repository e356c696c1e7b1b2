import { useStore } from '@tendon/client/react';
import type { Call, ProtocolError } from '@tendon/protocol';
import { ArrowDown, ShieldQuestionMark } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { callTitle, titleText } from '../tool-call/call-title.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { seenCards } from './seen-cards.ts';
import { useApprovalGuard } from './use-approval-guard.ts';
import { callsAwaitingApproval } from './waiting-calls.ts';

/** Above the composer: leads to a waiting card that is out of sight, and decides several at once. */
export function ApprovalBar({ onJump }: { onJump: (call: Call) => void }): ReactNode {
  const calls = useView((view) => view.calls);
  const waiting = useMemo(() => callsAwaitingApproval(calls), [calls]);
  const seen = useStore(seenCards);
  const target = waiting.find((call) => !seen.has(call.id)) ?? waiting[0];
  const isAway = useLasting(waiting.some((call) => !seen.has(call.id)));
  if (!target || (!isAway && waiting.length < 2)) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a toolbar of a kind, not a form
    <div
      role="group"
      aria-label="Calls waiting for you"
      className="mb-2 flex animate-rise flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border border-warn-line bg-warn-soft px-3 py-2 text-sm"
    >
      <ShieldQuestionMark aria-hidden className="size-4 shrink-0 text-warn" />
      <span className="min-w-0 flex-1 basis-40 truncate">
        {waiting.length > 1 ? `${waiting.length} calls wait for you` : <bdi dir="ltr">{titleText(callTitle(target))}</bdi>}
      </span>
      {isAway && (
        <Button size="sm" onClick={() => onJump(target)}>
          <ArrowDown aria-hidden className="size-3.5" /> Show
        </Button>
      )}
      {waiting.length > 1 && <DecideAll waiting={waiting} />}
    </div>
  );
}

/** A card that has just come is out of sight for a moment, until it is drawn: the bar is for those that stay so. */
function useLasting(isTrue: boolean): boolean {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLasts(isTrue), isTrue ? 250 : 0);
    return () => clearTimeout(timer);
  }, [isTrue]);
  return isTrue && lasts;
}

/** Every call is decided by its own hash: one that changes meanwhile is refused by the server. */
function DecideAll({ waiting }: { waiting: readonly Call[] }): ReactNode {
  const session = useSession();
  const guard = useApprovalGuard(waiting.map((call) => `${call.id}:${call.inputHash}`).join());
  const [error, setError] = useState<ProtocolError>();
  const decideAll = async (decision: 'approve' | 'deny') => {
    if (decision === 'approve' && !guard.check()) return;
    const results = await Promise.all(waiting.map((call) => session.decide(call, { decision })));
    setError(results.find((result) => !result.ok)?.error);
  };
  return (
    <span className="flex gap-2 max-sm:basis-full max-sm:*:flex-1">
      <Button size="sm" onClick={() => void decideAll('deny')}>
        Deny all
      </Button>
      <Button size="sm" variant="primary" aria-disabled={!guard.isArmed} onClick={() => void decideAll('approve')}>
        Approve all {waiting.length}
      </Button>
      {error && <Notice>{error.message}</Notice>}
    </span>
  );
}
