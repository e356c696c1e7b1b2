import type { ReactNode } from 'react';
import { Notice } from '../ui/notice.tsx';
import { ScrollBox } from '../ui/scroll-box.tsx';
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
      <section className="overflow-hidden rounded-lg border border-line bg-panel text-xs" aria-label="What the tool says of itself">
        <p className="px-3 pt-2 pb-1 text-faint">
          From the MCP server <VisibleText text={tool.source} />
          {tool.title !== undefined && (
            <>
              : <VisibleText text={tool.title} />
            </>
          )}
        </p>
        <ScrollBox className="max-h-40 px-3 pb-2 wrap-anywhere whitespace-pre-wrap">
          <VisibleText text={tool.description} />
        </ScrollBox>
      </section>
    </div>
  );
}
