import type { CallDecision } from '@tendon/client';
import { LIMITS } from '@tendon/protocol';
import { type ReactNode, useState } from 'react';
import { Button } from '../ui/button.tsx';

interface DenyPanelProps {
  readonly isSending: boolean;
  readonly onBack: () => void;
  readonly onSend: (decision: CallDecision) => void;
}

/** Enter denies, with or without a reason; Escape goes back. */
export function DenyPanel({ isSending, onBack, onSend }: DenyPanelProps): ReactNode {
  const [reason, setReason] = useState('');
  const trimmed = reason.trim();
  return (
    <form
      className="flex flex-wrap gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        onSend(trimmed === '' ? { decision: 'deny' } : { decision: 'deny', reason: trimmed });
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onBack();
      }}
    >
      <input
        // biome-ignore lint/a11y/noAutofocus: the person has just asked for this field
        autoFocus
        aria-label="Reason"
        placeholder="Tell the agent why (optional)"
        maxLength={LIMITS.reasonLength}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
        className="h-8 min-w-0 flex-1 basis-56 max-sm:basis-full rounded-lg border border-line-strong bg-bg px-3 text-sm focus:border-accent pointer-coarse:h-10"
      />
      <Button type="submit" variant="danger" disabled={isSending} className="max-sm:flex-1">
        Deny
      </Button>
      <Button variant="ghost" onClick={onBack} className="max-sm:flex-1">
        Back
      </Button>
    </form>
  );
}
