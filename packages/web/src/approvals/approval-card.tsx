import { type CallDecision, localApprovalWarning, needsLocalApproval, sandboxWarning } from '@tendon/client';
import { useAgentClient, useStore } from '@tendon/client/react';
import { type Call, type Gateway, isAlwaysAsked, isPersonTool } from '@tendon/protocol';
import { Folder, Monitor, Server, ShieldQuestionMark } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { announce } from '../app/announcements.ts';
import { useView } from '../app/session-context.tsx';
import { useKeys } from '../app/use-keys.ts';
import { useOwnMachine } from '../connection/own-machine.ts';
import { useMcpServers } from '../machines/use-mcp-servers.ts';
import { CallPanel } from '../tool-call/call-panel.tsx';
import { InputDisplay } from '../tool-call/input-display.tsx';
import { ToolIcon } from '../tool-call/tool-icon.tsx';
import { Button, Key } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { AboutTool } from './about-tool.tsx';
import { AlwaysPanel } from './always-panel.tsx';
import { DenyPanel } from './deny-panel.tsx';
import { foreignTool } from './foreign-tool.ts';
import { seenCards } from './seen-cards.ts';
import { useApprovalGuard } from './use-approval-guard.ts';
import { useDecide } from './use-decide.ts';
import { callsAwaitingApproval } from './waiting-calls.ts';

interface ApprovalCardProps {
  readonly call: Call;
  readonly gateway: Gateway | undefined;
}

type Panel = 'choice' | 'deny' | 'always';

/**
 * Asks for one decision about exactly what is shown.
 *
 *   choice ──Deny, D──► deny (reason) ──► sent
 *     │  └──Always…, Shift+A──► always (rule, scope) ──► sent
 *     └──Approve, A──► sent         nothing approves in the first 300 ms after the card appears or changes
 */
export function ApprovalCard({ call, gateway }: ApprovalCardProps): ReactNode {
  const element = useRef<HTMLDivElement>(null);
  const [panel, setPanel] = useState<Panel>('choice');
  const isOwn = isPersonTool(call.tool);
  const about = foreignTool(call, gateway, useMcpServers(call.kind === 'remote'));
  const isLocalOnly = needsLocalApproval(call, gateway);
  const own = useOwnMachine(isLocalOnly);
  const warnings = [sandboxWarning(call, gateway), own.isKnown ? localApprovalWarning(call, gateway, own.id) : undefined].filter((said) => said !== undefined);
  const guard = useApprovalGuard(`${call.id}:${call.inputHash}:${about?.isChanged || about?.isOvertaken ? about.description : ''}:${warnings.join(' ')}`);
  const { state, decide } = useDecide(call);
  const isCurrent = useView((view) => callsAwaitingApproval(view.calls)[0]?.id === call.id);
  useEffect(() => (element.current ? seenCards.watch(call.id, element.current) : undefined), [call.id]);
  useEffect(() => announce(isOwn ? 'Approve to put the files back.' : 'The agent needs your approval.'), [isOwn]);

  const send = (decision: CallDecision) => {
    if (state.kind === 'sending' || (decision.decision === 'approve' && !guard.check())) return;
    decide(decision);
  };
  // Where no rule counts, none is offered.
  const mayBeRule = !isOwn && !isAlwaysAsked(call.tool) && !isLocalOnly;
  // Nobody has to be told why a person changes their mind.
  const deny = () => (isOwn ? send({ decision: 'deny' }) : setPanel('deny'));
  const keys = { a: () => send({ decision: 'approve' }), d: () => deny(), ...(mayBeRule && { 'Shift+a': () => setPanel('always') }) };
  useKeys(isCurrent && panel === 'choice' ? keys : {});

  return (
    <CallPanel callId={call.id} label="Approval" panel={element} className="border-warn-line">
      <div className="flex items-start gap-2.5 bg-warn-soft px-4 py-2.5">
        <ShieldQuestionMark aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
        <div className="min-w-0 flex-1">
          <h2 className="text-sm font-medium">{questionAbout(call)}</h2>
          <Where call={call} gateway={gateway} />
        </div>
      </div>
      <div className="space-y-3 p-4 pt-3">
        <InputDisplay call={call} />
        {about && <AboutTool tool={about} />}
        {call.decision?.lapsed && (
          <Notice tone="warn">
            It was approved before, but {call.kind === 'remote' ? 'the server' : 'its machine'} was away for more than ten minutes. Approve it again if it is
            still wanted.
          </Notice>
        )}
        {warnings.map((warning) => (
          <Notice key={warning} tone="warn">
            <VisibleText text={warning} />
          </Notice>
        ))}
        {gateway && !gateway.online && <Notice tone="warn">{gateway.name} is offline. Approved now, it runs when the machine is back.</Notice>}
        {state.kind === 'refused' && <Notice>{state.error.message}</Notice>}
        {panel === 'deny' && <DenyPanel isSending={state.kind === 'sending'} onBack={() => setPanel('choice')} onSend={send} />}
        {panel === 'always' && (
          <AlwaysPanel call={call} gateway={gateway} isReady={guard.isArmed && state.kind !== 'sending'} onBack={() => setPanel('choice')} onSend={send} />
        )}
        {panel === 'choice' && (
          <div className="flex flex-wrap items-center gap-2">
            <Button
              variant="primary"
              aria-keyshortcuts={isCurrent ? 'A' : undefined}
              aria-disabled={!guard.isArmed || state.kind === 'sending'}
              className="max-sm:flex-1"
              onClick={() => send({ decision: 'approve' })}
            >
              {state.kind === 'sending' ? 'Sending…' : isOwn ? 'Put back' : 'Approve'} {isCurrent && <Key isHint>A</Key>}
            </Button>
            <Button aria-keyshortcuts={isCurrent ? 'D' : undefined} className="max-sm:flex-1" onClick={deny}>
              {isOwn ? 'Leave them' : 'Deny'} {isCurrent && <Key isHint>D</Key>}
            </Button>
            {mayBeRule && (
              <Button variant="ghost" aria-keyshortcuts={isCurrent ? 'Shift+A' : undefined} className="sm:ms-auto" onClick={() => setPanel('always')}>
                Always… {isCurrent && <Key isHint>⇧A</Key>}
              </Button>
            )}
          </div>
        )}
      </div>
    </CallPanel>
  );
}

function questionAbout({ tool, effect, kind }: Call): string {
  if (kind === 'remote') return 'Run this on the server?';
  if (isPersonTool(tool)) return 'Put these files back?';
  if (tool === 'write_file') return 'Write this file?';
  return tool === 'apply_patch' ? 'Make these changes?' : QUESTIONS[effect];
}

const QUESTIONS: Record<Call['effect'], string> = {
  execute: 'Run this on your machine?',
  write: 'Change this file?',
  network: 'Let this reach the network?',
  read: 'Allow this to read?',
};

function Where({ call, gateway }: ApprovalCardProps): ReactNode {
  const isLoaded = useStore(useAgentClient().gatewaysLoaded);
  const none = isLoaded || call.gatewayId === undefined ? 'no machine yet' : 'asking the server…';
  return (
    <p className="mt-0.5 flex flex-wrap gap-x-3 gap-y-0.5 text-xs text-muted [&_svg]:size-3.5 [&_svg]:shrink-0">
      <span className="inline-flex items-center gap-1">
        <ToolIcon tool={call.tool} />
        <VisibleText text={call.tool} />
      </span>
      {call.kind === 'local' && (
        <span className="inline-flex items-center gap-1">
          <Monitor aria-hidden />
          {gateway?.name ?? none}
        </span>
      )}
      {call.kind === 'remote' && (
        <span className="inline-flex items-center gap-1">
          <Server aria-hidden />
          on the server
        </span>
      )}
      {call.workspace !== undefined && (
        <span className="inline-flex min-w-0 items-center gap-1">
          <Folder aria-hidden />
          <bdi dir="ltr" className="font-mono wrap-anywhere">
            <VisibleText text={call.workspace} />
          </bdi>
        </span>
      )}
    </p>
  );
}
