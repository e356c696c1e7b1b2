import type { CallDecision } from '@tendon/client';
import type { Call, Gateway } from '@tendon/protocol';
import type { ReactNode } from 'react';
import { Button } from '../ui/button.tsx';
import { ScrollBox } from '../ui/scroll-box.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { storedSubject } from './waiting-calls.ts';

interface AlwaysPanelProps {
  readonly call: Call;
  readonly gateway: Gateway | undefined;
  readonly isReady: boolean;
  readonly onBack: () => void;
  readonly onSend: (decision: CallDecision) => void;
}

/** Shows the rule that would be stored, exactly, before it is. */
export function AlwaysPanel({ call, gateway, isReady, onBack, onSend }: AlwaysPanelProps): ReactNode {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group inside the card's group
    <div
      role="group"
      aria-label="Always allow"
      className="space-y-3 rounded-xl border border-line bg-panel p-3"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onBack();
      }}
    >
      <p className="text-sm">Approve now, and without asking whenever exactly this comes again:</p>
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1 text-xs" data-testid="rule">
        <Row name="Tool">{call.tool}</Row>
        <Row name="Exactly">{storedSubject(call)}</Row>
        {call.workspace !== undefined && <Row name="Folder">{call.workspace}</Row>}
        {gateway && <Row name="Machine">{gateway.name}</Row>}
        {call.kind === 'remote' && <Row name="Runs">on the server</Row>}
      </dl>
      {call.definition !== undefined && <p className="text-xs text-muted">The rule holds as long as the tool says of itself what it says now.</p>}
      {call.tool !== 'bash' && call.effect === 'write' && (
        <p className="text-xs text-muted">
          The rule is about {call.tool === 'apply_patch' ? 'exactly these files' : 'this file'}, whatever the change to{' '}
          {call.tool === 'apply_patch' ? 'them' : 'it'}.
        </p>
      )}
      <div className="flex flex-wrap gap-2">
        <Button autoFocus aria-disabled={!isReady} onClick={() => onSend({ decision: 'approve', scope: 'session' })}>
          In this session
        </Button>
        <Button aria-disabled={!isReady} onClick={() => onSend({ decision: 'approve', scope: 'always' })}>
          Always
        </Button>
        <Button variant="ghost" className="ms-auto" onClick={onBack}>
          Back
        </Button>
      </div>
    </div>
  );
}

function Row({ name, children }: { name: string; children: string }): ReactNode {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0">
        <ScrollBox className="max-h-32 font-mono wrap-anywhere whitespace-pre-wrap">
          <VisibleText text={children} />
        </ScrollBox>
      </dd>
    </>
  );
}
