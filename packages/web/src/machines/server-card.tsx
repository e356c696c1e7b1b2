import type { McpServerView } from '@tendon/protocol';
import clsx from 'clsx';
import { Server } from 'lucide-react';
import type { ReactNode } from 'react';
import { VisibleText } from '../ui/visible-code.tsx';

const STATES: Record<McpServerView['state'], { readonly word: string; readonly dot: string }> = {
  running: { word: 'Running', dot: 'bg-good' },
  starting: { word: 'Starting', dot: 'bg-warn-dot animate-breathe' },
  failed: { word: 'Does not run', dot: 'bg-bad' },
};

/** The MCP servers that the server itself runs, for every session of everybody: names, reasons and tools are their own words. */
export function ServerCard({ servers }: { servers: readonly McpServerView[] }): ReactNode {
  return (
    <section className="rounded-xl border border-line bg-raised p-4" aria-labelledby="server-mcp">
      <div className="flex items-center gap-3">
        <Server aria-hidden className="size-4 shrink-0 text-faint" />
        <h2 id="server-mcp" className="font-medium">
          On the server
        </h2>
      </div>
      <p className="mt-1 text-sm text-muted">
        MCP servers that run on the server, with or without a machine. Every call of theirs asks, unless a rule of yours allows it.
      </p>
      <ul className="mt-3 divide-y divide-line">
        {servers.map((server) => (
          <McpServerRow key={server.name} server={server} />
        ))}
      </ul>
    </section>
  );
}

function McpServerRow({ server }: { server: McpServerView }): ReactNode {
  const { word, dot } = STATES[server.state];
  return (
    <li className="space-y-1.5 py-3 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 flex-1 text-sm wrap-anywhere">
          <VisibleText text={server.name} />
        </h3>
        <span className="flex items-center gap-2 text-xs text-muted">
          <span aria-hidden className={clsx('size-2 rounded-full', dot)} />
          {word}
        </span>
      </div>
      {server.reason !== undefined && (
        <p className="text-xs text-warn wrap-anywhere">
          <VisibleText text={server.reason} />
        </p>
      )}
      {server.tools.length > 0 && (
        <p className="flex flex-wrap gap-1.5">
          {server.tools.map((tool) => (
            <span key={tool.name} className="max-w-full rounded-md bg-bubble px-1.5 py-0.5 font-mono text-xs wrap-anywhere" title={tool.title ?? tool.name}>
              {tool.name}
            </span>
          ))}
        </p>
      )}
      {server.state === 'running' && server.tools.length === 0 && <p className="text-xs text-faint">It has no tools.</p>}
    </li>
  );
}
