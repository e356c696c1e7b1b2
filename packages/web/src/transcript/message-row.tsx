import type { OutboxMessage } from '@tendon/client';
import type { Message, Part } from '@tendon/protocol';
import clsx from 'clsx';
import { Clock3, Paperclip } from 'lucide-react';
import { memo, type ReactNode } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { draftTitle } from '../tool-call/call-title.ts';
import { ToolCall } from '../tool-call/tool-call.tsx';
import { ToolIcon } from '../tool-call/tool-icon.tsx';
import { Button } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { Notice } from '../ui/notice.tsx';
import { ForkButton } from './fork-button.tsx';
import { LiveMarkdown, Markdown } from './markdown.tsx';
import { Reasoning } from './reasoning.tsx';
import { messageText } from './transcript-rows.ts';

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** One finished message. It never renders again: what changes in it are its calls, which look after themselves. */
export const MessageRow = memo(function MessageRow({ message }: { message: Message }): ReactNode {
  const text = messageText(message);
  if (message.role === 'user') {
    return (
      <article aria-label="You" className="group/message relative flex flex-col items-end">
        <UserBubble text={text} parts={message.parts} />
        <MessageFoot message={message} text={text} />
      </article>
    );
  }
  const hasText = text.trim() !== '';
  return (
    <article aria-label="Agent" className="group/message relative">
      <div className="space-y-3">
        {message.parts.map((part, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a message never move
          <FinishedPart key={index} part={part} />
        ))}
        {message.state === 'interrupted' && <p className="text-xs text-faint">Interrupted here.</p>}
        {message.state === 'failed' && <p className="text-xs text-bad">Failed here.</p>}
      </div>
      {hasText && <MessageFoot message={message} text={text} />}
    </article>
  );
});

function FinishedPart({ part }: { part: Part }): ReactNode {
  if (part.type === 'text') return <Markdown text={part.text} />;
  if (part.type === 'reasoning') return <Reasoning text={part.text} isLive={false} />;
  if (part.type === 'tool_call') return <ToolCall callId={part.callId} />;
  return <AttachmentChip name={part.name} />;
}

/** The message that is being written. Deltas render this row and no other. */
export function LiveRow(): ReactNode {
  const live = useView((view) => view.live);
  const inputs = useView((view) => view.liveInputs);
  if (!live) return null;
  const last = live.parts.length - 1;
  return (
    <article aria-label="Agent" aria-busy="true" className="space-y-3">
      {live.parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a message never move
        <LivePart key={index} part={part} input={inputs[index]} isLast={index === last} />
      ))}
    </article>
  );
}

interface LivePartProps {
  readonly part: Part;
  readonly input: string | undefined;
  readonly isLast: boolean;
}

const LivePart = memo(function LivePart({ part, input, isLast }: LivePartProps): ReactNode {
  if (part.type === 'text') return isLast ? <LiveMarkdown text={part.text} /> : <Markdown text={part.text} />;
  if (part.type === 'reasoning') return <Reasoning text={part.text} isLive={isLast} />;
  if (part.type === 'attachment') return <AttachmentChip name={part.name} />;
  return (
    <div className="flex min-h-9 animate-breathe items-center gap-2.5 rounded-xl border border-line bg-raised px-3 text-sm text-muted tabular-nums">
      <ToolIcon tool="" />
      {draftTitle(input ?? '')}
    </div>
  );
});

/** A message that the server has not acknowledged. */
export const OutboxRow = memo(function OutboxRow({ message }: { message: OutboxMessage }): ReactNode {
  const session = useSession();
  const isRefused = message.state === 'refused';
  return (
    <article aria-label="You" className="flex flex-col items-end gap-1.5" data-testid="outbox-message" data-state={message.state}>
      <UserBubble text={message.text} parts={[]} isFaded={!isRefused} />
      {message.state === 'waiting' && (
        <p className="flex items-center gap-1.5 text-xs text-faint">
          <Clock3 aria-hidden className="size-3.5" /> Waiting to be sent
          <button
            type="button"
            className="rounded font-medium text-muted underline-offset-2 hover:underline"
            onClick={() => session.discardOutbox(message.messageId)}
          >
            Discard
          </button>
        </p>
      )}
      {isRefused && (
        <Notice
          action={
            <span className="flex gap-2">
              <Button size="sm" onClick={() => session.retryOutbox(message.messageId)}>
                Retry
              </Button>
              <Button size="sm" variant="ghost" onClick={() => session.discardOutbox(message.messageId)}>
                Discard
              </Button>
            </span>
          }
        >
          Not sent. {message.error?.message}
        </Notice>
      )}
    </article>
  );
});

function UserBubble({ text, parts, isFaded = false }: { text: string; parts: readonly Part[]; isFaded?: boolean }): ReactNode {
  return (
    <div className={clsx('max-w-[88%] space-y-2 rounded-2xl rounded-ee-md bg-bubble px-4 py-2.5 transition-opacity', isFaded && 'opacity-65')}>
      {text !== '' && (
        <div dir="auto" className="text-base wrap-anywhere whitespace-pre-wrap">
          {text}
        </div>
      )}
      {parts.map((part) => part.type === 'attachment' && <AttachmentChip key={part.attachmentId} name={part.name} />)}
    </div>
  );
}

function AttachmentChip({ name }: { name: string }): ReactNode {
  return (
    <span className="inline-flex items-center gap-1.5 rounded-md border border-line bg-raised px-2 py-1 text-xs">
      <Paperclip aria-hidden className="size-3.5 text-faint" /> {name}
    </span>
  );
}

/** Stands in the gap below its message, so that showing it moves nothing. Where there is no pointer to show it with, it is always there. */
function MessageFoot({ message, text }: { message: Message; text: string }): ReactNode {
  return (
    <div className="pointer-events-none absolute top-full z-10 flex h-6 items-center gap-1 text-xs text-faint opacity-0 transition-opacity group-hover/message:pointer-events-auto group-hover/message:opacity-100 focus-within:pointer-events-auto focus-within:opacity-100 pointer-coarse:pointer-events-auto pointer-coarse:opacity-100">
      <time dateTime={message.createdAt} className="tabular-nums">
        {TIME.format(new Date(message.createdAt))}
      </time>
      <CopyButton text={text} label="Copy message" className="size-6 pointer-coarse:size-6" />
      <ForkButton message={message} className="size-6 pointer-coarse:size-6" />
    </div>
  );
}
