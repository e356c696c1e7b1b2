import { ImageOff } from 'lucide-react';
import { createContext, isValidElement, memo, type ReactNode, useContext, useRef } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';

import remend from 'remend';
import { CodeBlock } from './code-block.tsx';
import { readGfm } from './gfm.ts';
import { type BlockSplit, splitBlocks, wholeOrBlocks } from './markdown-blocks.ts';
import { safeImage, safeLink } from './safe-url.ts';

const PLUGINS = [readGfm];
const LiveBlock = createContext(false);

/** Text of a finished message. */
export const Markdown = memo(function Markdown({ text }: { text: string }): ReactNode {
  return (
    <div className="prose-chat" dir="auto">
      {wholeOrBlocks(text).map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks are only ever added at the end
        <Block key={index} text={block} isLive={false} />
      ))}
    </div>
  );
});

/** Text that grows: only its last block is rendered again, with unfinished emphasis, code and links closed for the moment. */
export function LiveMarkdown({ text }: { text: string }): ReactNode {
  const split = useRef<BlockSplit>(undefined);
  split.current = splitBlocks(text, split.current);
  const blocks = split.current.blocks;
  return (
    <div className="prose-chat" dir="auto">
      {blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks are only ever added at the end
        <Block key={index} text={block} isLive={index === blocks.length - 1} />
      ))}
    </div>
  );
}

const Block = memo(function Block({ text, isLive }: { text: string; isLive: boolean }): ReactNode {
  return (
    <LiveBlock value={isLive}>
      <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS} urlTransform={keepUrl}>
        {isLive ? remend(text) : text}
      </ReactMarkdown>
    </LiveBlock>
  );
});

/** The components below decide what a link or an image may be. Raw HTML is shown as text: no plugin reads it. */
function keepUrl(url: string): string {
  return url;
}

const COMPONENTS: Components = {
  a: ({ href, children }) => {
    const link = safeLink(href);
    if (link === undefined) return <span>{children}</span>;
    return (
      <a href={link} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    );
  },
  img: ({ src, alt }) => <MarkdownImage source={typeof src === 'string' ? src : undefined} alt={alt ?? ''} />,
  pre: ({ children }) => <Preformatted>{children}</Preformatted>,
  table: ({ children }) => (
    <div className="table-scroll scroll-quiet">
      <table>{children}</table>
    </div>
  ),
};

function MarkdownImage({ source, alt }: { source: string | undefined; alt: string }): ReactNode {
  const image = safeImage(source);
  if (image) return <img src={image} alt={alt} className="max-h-96 max-w-full rounded-lg" />;
  const link = safeLink(source);
  return (
    <span className="inline-flex items-center gap-1.5 rounded-md border border-line bg-panel px-2 text-xs text-muted">
      <ImageOff aria-hidden className="size-3.5" />
      {link ? (
        <a href={link} target="_blank" rel="noopener noreferrer">
          {alt || 'Image'}, not loaded from {new URL(link).host}
        </a>
      ) : (
        `${alt || 'Image'}, not loaded`
      )}
    </span>
  );
}

function Preformatted({ children }: { children: ReactNode }): ReactNode {
  const isLive = useContext(LiveBlock);
  if (!isValidElement<{ className?: string; children?: ReactNode }>(children)) return <pre>{children}</pre>;
  const language = /language-([\w+#.-]+)/.exec(children.props.className ?? '')?.[1] ?? '';
  const code = typeof children.props.children === 'string' ? children.props.children.replace(/\n$/, '') : '';
  return <CodeBlock code={code} language={language} isLive={isLive} />;
}
