import type { ReactNode } from 'react';
import { Notice } from '../ui/notice.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import type { ForeignTool } from './foreign-tool.ts';

/** What an MCP server says of its tool: its own words, and so shown as text that nothing hides in. */
export function AboutTool({ tool }: { tool: ForeignTool }): ReactNode {
  return (
    <div className="space-y-2">
      {tool.isOvertaken && (
        <Notice tone="warn">
          What this tool says of itself has changed since the agent asked. Approved or denied, this will not be run: the agent can ask again.
        </Notice>
      )}
      {tool.isChanged && !tool.isOvertaken && (
        <Notice tone="warn">What this tool says of itself has changed since you last approved it. Read it again; no rule allows it until you have.</Notice>
      )}
      <section className="rounded-lg border border-line bg-panel px-3 py-2 text-xs" aria-label="What the tool says of itself">
        <p className="text-faint">
          From the MCP server <VisibleText text={tool.source} />
          {tool.title !== undefined && (
            <>
              : <VisibleText text={tool.title} />
            </>
          )}
        </p>
        <p className="scroll-quiet mt-1 max-h-40 overflow-auto wrap-anywhere whitespace-pre-wrap">
          <VisibleText text={tool.description} />
        </p>
      </section>
    </div>
  );
}
