import { useAgentClient, useStore } from '@tendon/client/react';
import { type Call, type Gateway, isFinalCallState } from '@tendon/protocol';
import { memo, type ReactNode, useState } from 'react';
import { useView } from '../app/session-context.tsx';
import { ApprovalCard } from '../approvals/approval-card.tsx';
import { AnsweredQuestions } from '../questions/answered-questions.tsx';
import { QuestionPanel } from '../questions/question-panel.tsx';
import { planSteps } from './call-title.ts';
import { PlanCard } from './plan-card.tsx';
import { ToolCard } from './tool-card.tsx';

/** One call of the transcript, in the form that its tool and state ask for. It alone renders when its call changes. */
export const ToolCall = memo(function ToolCall({ callId }: { callId: string }): ReactNode {
  const call = useView((view) => view.calls[callId]);
  if (!call) return <PendingCall />;
  return <KnownCall call={call} />;
});

function KnownCall({ call }: { call: Call }): ReactNode {
  const gateway = useGateway(call.gatewayId);
  // Kept here, over the change from one form to the next: what is quick is over before its card is there for the first time.
  const [wasSeenBefore] = useState(!isFinalCallState(call.state));
  if (call.state === 'awaiting_approval') return <ApprovalCard call={call} gateway={gateway} />;
  if (call.state === 'awaiting_answer') return <QuestionPanel key={call.id} call={call} />;
  if (call.tool === 'ask_user_questions' && call.state === 'succeeded') return <AnsweredQuestions call={call} />;
  if (call.tool === 'update_plan' && call.state !== 'failed' && planSteps(call.input).length > 0) return <PlanCard call={call} />;
  return (
    <ToolCard
      call={call}
      gateway={gateway}
      startsOpen={wasSeenBefore && call.effect !== 'read' && (!isFinalCallState(call.state) || call.startedAt !== undefined)}
    />
  );
}

function useGateway(id: string | undefined): Gateway | undefined {
  const gateways = useStore(useAgentClient().gateways);
  return gateways.find((gateway) => gateway.id === id);
}

function PendingCall(): ReactNode {
  return <div aria-hidden className="h-9 animate-breathe rounded-xl border border-line bg-panel" />;
}
