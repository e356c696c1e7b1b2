import { useAgentClient, useStore } from '@tendon/client/react';
import { isServerToolName, type Rule } from '@tendon/protocol';
import { ShieldCheck } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Asked } from '../connection/asked.tsx';
import { useAnswer } from '../connection/use-answer.ts';
import { ToolIcon } from '../tool-call/tool-icon.tsx';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { EmptyState, Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { VisibleText } from '../ui/visible-code.tsx';

/** Every rule that was stored with *Always…*: what it allows, where, since when, and a way to take it back. */
export function PermissionsPage(): ReactNode {
  const { answer, reload } = useAnswer('rule:list');
  return (
    <>
      <PageHeader title="Permissions" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl p-4 md:p-6">
          <Asked answer={answer} reload={reload}>
            {({ rules }) => <RuleList rules={rules} onRevoked={reload} />}
          </Asked>
        </div>
      </main>
    </>
  );
}

function RuleList({ rules, onRevoked }: { rules: readonly Rule[]; onRevoked: () => void }): ReactNode {
  if (rules.length === 0) {
    return (
      <EmptyState icon={<ShieldCheck />} title="Nothing is allowed for good">
        <p>The agent asks before it changes anything. With “Always…” on a request you store a rule for exactly that command or file; it then stands here.</p>
      </EmptyState>
    );
  }
  return (
    <>
      <p className="mb-4 text-sm text-muted">These run without asking. Each rule is about exactly what it shows, and nothing like it.</p>
      <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
        {rules.map((rule) => (
          <RuleRow key={rule.id} rule={rule} onRevoked={onRevoked} />
        ))}
      </ul>
    </>
  );
}

function RuleRow({ rule, onRevoked }: { rule: Rule; onRevoked: () => void }): ReactNode {
  const client = useAgentClient();
  const gateways = useStore(client.gateways);
  const sessions = useStore(client.sessions);
  const [isRevoking, setRevoking] = useState(false);
  const [error, setError] = useState<string>();
  const machine = gateways.find((gateway) => gateway.id === rule.gatewayId)?.name;
  const session = sessions.items.find((item) => item.id === rule.sessionId)?.title;
  const revoke = async () => {
    setRevoking(true);
    const result = await client.request('rule:revoke', { ruleId: rule.id });
    setRevoking(false);
    if (result.ok) onRevoked();
    else setError(result.error.message);
  };
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-64 space-y-1">
        <div className="flex items-start gap-2">
          <span className="mt-0.5">
            <ToolIcon tool={rule.tool} />
          </span>
          <span dir="ltr" className="min-w-0 font-mono text-[0.8125rem] wrap-anywhere whitespace-pre-wrap">
            <VisibleText text={rule.subject} />
          </span>
        </div>
        <p className="flex flex-wrap gap-x-3 ps-6 text-xs text-faint">
          <span>{rule.tool}</span>
          <span>{rule.sessionId === undefined ? 'Always' : `In “${session ?? 'one session'}” only`}</span>
          {machine && <span>{machine}</span>}
          {isServerToolName(rule.tool) && <span>On the server</span>}
          {rule.definition !== undefined && <span>As long as the tool says of itself what it said then</span>}
          {rule.workspace && (
            <bdi dir="ltr" className="font-mono wrap-anywhere">
              {rule.workspace}
            </bdi>
          )}
          <span>Since {day(rule.createdAt)}</span>
          <span>{rule.lastUsedAt ? `Last used ${day(rule.lastUsedAt)}` : 'Never used'}</span>
        </p>
        {error !== undefined && <Notice>{error}</Notice>}
      </div>
      <Button variant="danger" size="sm" disabled={isRevoking} onClick={() => void revoke()}>
        {isRevoking ? 'Revoking…' : 'Revoke'}
      </Button>
    </li>
  );
}
