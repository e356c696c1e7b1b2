import clsx from 'clsx';
import type { ReactNode } from 'react';
import { VisibleText } from '../ui/visible-code.tsx';
import { changedWords, type ShownMcp } from './machine-mcp.ts';

const STATES: Record<ShownMcp['state'], { readonly word: string; readonly dot: string }> = {
  running: { word: 'Running', dot: 'bg-good' },
  starting: { word: 'Starting', dot: 'bg-warn-dot animate-breathe' },
  failed: { word: 'Does not run', dot: 'bg-bad' },
  sign_in: { word: 'Needs a sign-in', dot: 'bg-warn-dot' },
};

/** One MCP server, of a machine or of the server: name, reason and tools are its own words. */
export function McpRow({ server }: { server: ShownMcp }): ReactNode {
  const { word, dot } = STATES[server.state];
  const changed = changedWords(server.tools);
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
            <span
              key={tool.name}
              className={clsx('max-w-full rounded-md bg-bubble px-1.5 py-0.5 font-mono text-xs wrap-anywhere', tool.isChanged === true && 'text-warn')}
              title={tool.title ?? tool.name}
            >
              {tool.name}
            </span>
          ))}
        </p>
      )}
      {changed !== undefined && <p className="text-xs text-warn">{changed}</p>}
      {server.state === 'running' && server.tools.length === 0 && <p className="text-xs text-faint">It has no tools.</p>}
    </li>
  );
}
