import { LIMITS, utf8Bytes } from '@tendon/protocol';
import clsx from 'clsx';
import { ArrowUp, CircleStop, Zap } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, type Ref, useImperativeHandle, useLayoutEffect, useRef, useState } from 'react';
import { Button, IconButton } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { loadDraft, putBack, saveDraft } from './drafts.ts';

export type SendMode = 'queue' | 'interrupt';

export interface ComposerHandle {
  focus(): void;
  /** Puts a text that was taken back in front of what is being typed. */
  putBack(text: string): void;
}

interface ComposerProps {
  readonly ref?: Ref<ComposerHandle>;
  /** Under which the draft is kept; another place is another composer (use it as the key). */
  readonly place: string;
  readonly placeholder: string;
  /** Answers an error to show; the text then stays. */
  readonly onSend: (text: string, mode: SendMode) => string | undefined | Promise<string | undefined>;
  readonly isWorking?: boolean;
  readonly isStopping?: boolean;
  readonly onStop?: () => void;
  readonly onEscape?: () => void;
  readonly children?: ReactNode;
}

/** The box in which messages are written. Enter sends, or queues while the agent works; Ctrl+Enter interrupts. */
export function Composer(props: ComposerProps): ReactNode {
  const { ref, place, placeholder, onSend, isWorking = false, isStopping = false, onStop, onEscape, children } = props;
  const box = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => loadDraft(localStorage, place));
  const [isSending, setSending] = useState(false);
  const [error, setError] = useState<string>();
  const isEmpty = text.trim() === '';

  const change = (next: string) => {
    setText(next);
    setError(undefined);
    saveDraft(localStorage, place, next);
  };
  useImperativeHandle(ref, () => ({
    focus: () => box.current?.focus(),
    putBack: (taken) => {
      change(putBack(loadDraft(localStorage, place), taken));
      box.current?.focus();
    },
  }));
  useGrowing(box, text);

  const send = async (mode: SendMode) => {
    if (isEmpty || isSending) return;
    if (utf8Bytes(text) > LIMITS.messageTextBytes) {
      setError(`This message is over ${LIMITS.messageTextBytes / 1024} KiB. Put the long part into a file and name the file here.`);
      return;
    }
    setSending(true);
    const refused = await onSend(text, mode);
    setSending(false);
    if (refused === undefined) change('');
    else setError(refused);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape' && onEscape) {
      event.preventDefault();
      onEscape();
    }
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    void send(isWorking && (event.ctrlKey || event.metaKey) ? 'interrupt' : 'queue');
  };

  return (
    <div className="space-y-2">
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="rounded-2xl border border-line-strong bg-raised shadow-sm transition-colors focus-within:border-accent focus-within:ring-3 focus-within:ring-accent/15">
        <textarea
          ref={box}
          rows={1}
          dir="auto"
          aria-label="Message"
          placeholder={placeholder}
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
          className="scroll-quiet block max-h-[40dvh] w-full resize-none bg-transparent px-4 pt-3 pb-1 text-base outline-none"
        />
        <div className="flex items-center gap-1 px-2 pb-2">
          <div className="flex min-w-0 flex-1 items-center gap-0.5">{children}</div>
          {isWorking && onStop && (
            <Button variant="ghost" aria-label="Stop" title="Stop (Esc)" disabled={isStopping} onClick={onStop}>
              <CircleStop aria-hidden className={clsx('size-4', isStopping && 'animate-breathe')} />
              <span className="max-sm:sr-only">{isStopping ? 'Stopping…' : 'Stop'}</span>
            </Button>
          )}
          {isWorking && !isEmpty && (
            <Button aria-label="Interrupt" title="Stop what it does and say this now (Ctrl+Enter)" onClick={() => void send('interrupt')}>
              <Zap aria-hidden className="size-4" />
              <span className="max-sm:sr-only">Interrupt</span>
            </Button>
          )}
          <IconButton
            label="Send"
            title={isWorking ? 'Queue: it is read when the agent is done (Enter)' : 'Send (Enter)'}
            disabled={isEmpty || isSending}
            onClick={() => void send('queue')}
            className="bg-accent! text-on-accent! hover:brightness-110 disabled:bg-hover! disabled:text-faint!"
          >
            <ArrowUp />
          </IconButton>
        </div>
      </div>
    </div>
  );
}

/** The box is as high as its text, up to its greatest height. */
function useGrowing(box: { readonly current: HTMLTextAreaElement | null }, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is what changes the height
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [box, text]);
}
