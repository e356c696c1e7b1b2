import { sandboxWords } from '@tendon/client';
import { useAgentClient, useStore } from '@tendon/client/react';
import type { Gateway } from '@tendon/protocol';
import clsx from 'clsx';
import { Folder, Monitor } from 'lucide-react';
import { type ReactNode, useId } from 'react';
import { Link } from 'wouter';
import { EmptyState } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { mcpOf, type ShownMcp } from './machine-mcp.ts';
import { McpRow } from './mcp-row.tsx';
import { ServerCard } from './server-card.tsx';
import { useMcpServers } from './use-mcp-servers.ts';

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** The machines whose hands the agent can use. */
export function MachinesPage(): ReactNode {
  const client = useAgentClient();
  const gateways = useStore(client.gateways);
  const isLoaded = useStore(client.gatewaysLoaded);
  const mcpServers = useMcpServers(true);
  return (
    <>
      <PageHeader title="Machines">
        <Link href="/pair" className="rounded-lg px-2.5 py-1 text-xs font-medium text-muted hover:bg-hover hover:text-text pointer-coarse:py-2.5">
          Pair a machine
        </Link>
      </PageHeader>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <main tabIndex={0} aria-label="Machines" className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        {gateways.length === 0 && !isLoaded && <p className="mx-auto max-w-3xl p-4 text-sm text-faint md:p-6">Loading…</p>}
        {gateways.length === 0 && isLoaded && (
          <EmptyState icon={<Monitor />} title="No machine yet">
            <p>A machine is where the agent's tools run. Start one on that machine, in the folder of Tendon:</p>
            <code dir="ltr" className="block rounded-lg border border-line bg-panel px-3 py-2 font-mono text-xs text-text">
              npx tendon gateway --server {location.origin}
            </code>
          </EmptyState>
        )}
        {gateways.length > 0 && (
          <ul className="mx-auto max-w-3xl space-y-3 p-4 md:p-6">
            {gateways.map((gateway) => (
              <MachineCard key={gateway.id} gateway={gateway} />
            ))}
          </ul>
        )}
        {mcpServers.length > 0 && (
          <div className="mx-auto max-w-3xl p-4 pt-0 md:p-6 md:pt-0">
            <ServerCard servers={mcpServers} />
          </div>
        )}
      </main>
    </>
  );
}

function MachineCard({ gateway }: { gateway: Gateway }): ReactNode {
  const { servers, otherTools } = mcpOf(gateway);
  return (
    <li className="rounded-xl border border-line bg-raised p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Monitor aria-hidden className="size-4 shrink-0 text-faint" />
        <h2 className="min-w-0 flex-1 basis-48 font-medium wrap-anywhere">{gateway.name}</h2>
        <span className="flex items-center gap-2 text-xs text-muted">
          <span aria-hidden className={clsx('size-2 rounded-full', gateway.online ? 'bg-good' : 'bg-warn-dot')} />
          {gateway.online ? 'Online' : `Offline since ${TIME.format(new Date(gateway.lastSeenAt))}`}
        </span>
      </div>
      <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 text-sm">
        <dt className="text-faint">System</dt>
        <dd>{gateway.platform}</dd>
        <dt className="text-faint">Folders</dt>
        <dd className="space-y-1">
          {gateway.workspaces.map((workspace) => (
            <div key={workspace.path} className="flex items-start gap-2">
              <Folder aria-hidden className="mt-0.5 size-3.5 shrink-0 text-faint" />
              <bdi dir="ltr" className="font-mono text-xs leading-5 wrap-anywhere">
                {workspace.path}
              </bdi>
            </div>
          ))}
        </dd>
        <dt className="text-faint">Sandbox</dt>
        <dd className={clsx(gateway.sandbox?.kind === 'none' && 'text-warn')}>
          <VisibleText text={sandboxWords(gateway)} />
        </dd>
        <dt className="text-faint">Tools</dt>
        <dd className="flex flex-wrap gap-1.5">
          {otherTools.map((tool) => (
            <span key={tool.name} className="rounded-md bg-bubble px-1.5 py-0.5 font-mono text-xs wrap-anywhere" title={tool.effect}>
              {tool.name}
            </span>
          ))}
        </dd>
      </dl>
      {servers.length > 0 && <MachineMcpServers servers={servers} />}
    </li>
  );
}

/** The MCP servers that the machine itself runs. */
function MachineMcpServers({ servers }: { servers: readonly ShownMcp[] }): ReactNode {
  const id = useId();
  return (
    <div className="mt-4 border-t border-line pt-3">
      <p id={id} className="text-sm text-faint">
        MCP servers
      </p>
      <ul aria-labelledby={id} className="divide-y divide-line">
        {servers.map((server, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may have one name, and a list that has changed is another one
          <McpRow key={index} server={server} />
        ))}
      </ul>
    </div>
  );
}
