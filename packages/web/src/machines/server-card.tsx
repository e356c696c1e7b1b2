import type { McpServerView } from '@tendon/protocol';
import { Server } from 'lucide-react';
import type { ReactNode } from 'react';
import { McpRow } from './mcp-row.tsx';

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
          <McpRow key={server.name} server={server} />
        ))}
      </ul>
    </section>
  );
}
