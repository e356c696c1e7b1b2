import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import type { Call } from '@tendon/protocol';
import { ArrowDown, LoaderCircle } from 'lucide-react';
import { type ReactNode, type Ref, useCallback, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { LiveRow, MessageRow, OutboxRow } from './message-row.tsx';
import { StatusRow } from './status-row.tsx';
import { type TranscriptRow, transcriptRows } from './transcript-rows.ts';
import { UndoTurn } from './undo-turn.tsx';

/** Room between messages, in pixels: for the foot of each, which is always shown where there is no pointer. */
const GAP = matchMedia('(pointer: coarse)').matches ? 34 : 26;

export interface TranscriptHandle {
  /** Brings a call's card into sight and gives it the focus, loading older messages when it stands in them. */
  showCall(call: Call): void;
  scrollToEnd(): void;
}

const NEAR_END_PX = 80;
const NEAR_START_PX = 600;

/**
 * The messages, only those in sight in the document. Its end is its anchor: what comes while the reader is at the end is followed,
 * what comes while they read further up moves nothing, and older messages appear above without a jump.
 */
export function Transcript({ ref }: { ref: Ref<TranscriptHandle> }): ReactNode {
  const session = useSession();
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useRows();
  const hasMore = useView((view) => view.hasMore);
  const isLoadingOlder = useView((view) => view.loadingOlder);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 120,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 6,
    gap: GAP,
    paddingStart: 24,
    paddingEnd: 24,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: NEAR_END_PX,
    initialOffset: () => Number.MAX_SAFE_INTEGER,
  });
  const isAtEnd = virtualizer.isAtEnd(NEAR_END_PX);
  useOlder(virtualizer, hasMore && !isLoadingOlder, session.loadOlder.bind(session));
  useOwnMessages(rows, virtualizer);
  useEndKeptInSight(scroller, virtualizer);
  useOpenedInPlace(scroller);
  useImperativeHandle(ref, () => ({
    showCall: (call) => void showCall(call),
    scrollToEnd: () => virtualizer.scrollToEnd(),
  }));

  const showCall = async (call: Call) => {
    // A call that waits may belong to a message that is pages away.
    while (!session.view.get().messages.some((message) => message.id === call.messageId) && session.view.get().hasMore) await session.loadOlder();
    const index = transcriptRows(rowSource(session.view.get())).findIndex((row) => row.key === call.messageId);
    if (index >= 0) virtualizer.scrollToIndex(index, { align: 'end' });
    const show = () => {
      const card = scroller.current?.querySelector<HTMLElement>(`[data-call="${CSS.escape(call.id)}"]`);
      card?.scrollIntoView({ block: 'center' });
      // The next key may have come first, and opened a field inside the card: it keeps the focus.
      if (card && !card.contains(document.activeElement)) card.focus({ preventScroll: true });
      return card;
    };
    if (!show()) requestAnimationFrame(show);
  };

  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Transcript"
        className="scroll-quiet h-full overflow-x-hidden overflow-y-auto -outline-offset-2 [overflow-anchor:none]"
      >
        <div className="relative mx-auto w-full max-w-3xl" style={{ height: virtualizer.getTotalSize() }}>
          {isLoadingOlder && <LoaderCircle aria-label="Loading older messages" className="absolute inset-x-0 top-2 mx-auto size-4 animate-spin text-faint" />}
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <div
                  key={item.key}
                  ref={virtualizer.measureElement}
                  data-index={item.index}
                  className="absolute inset-x-0 top-0 px-4 md:px-6"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <Row row={row} />
                </div>
              )
            );
          })}
        </div>
      </section>
      {!isAtEnd && (
        <button
          type="button"
          onClick={() => virtualizer.scrollToEnd()}
          className="absolute inset-x-0 bottom-3 mx-auto flex h-8 w-fit animate-rise items-center gap-1.5 rounded-full border border-line-strong bg-raised px-3 text-xs font-medium text-muted shadow-md hover:text-text pointer-coarse:h-10"
        >
          <ArrowDown aria-hidden className="size-3.5" /> Jump to the end
        </button>
      )}
    </div>
  );
}

function Row({ row }: { row: TranscriptRow }): ReactNode {
  switch (row.kind) {
    case 'message':
      return (
        <>
          <MessageRow message={row.message} />
          {row.turnCallIds && <UndoTurn sessionId={row.message.sessionId} messageId={row.message.id} callIds={row.turnCallIds} />}
        </>
      );
    case 'live':
      return <LiveRow />;
    case 'outbox':
      return <OutboxRow message={row.message} />;
    case 'status':
      return <StatusRow />;
  }
}

function rowSource(view: {
  messages: Parameters<typeof transcriptRows>[0]['messages'];
  outbox: Parameters<typeof transcriptRows>[0]['outbox'];
  live?: { id: string };
}) {
  return { messages: view.messages, outbox: view.outbox, liveId: view.live?.id };
}

/** The live message counts by its id only: its growth is no change of the list. */
function useRows(): readonly TranscriptRow[] {
  const messages = useView((view) => view.messages);
  const outbox = useView((view) => view.outbox);
  const liveId = useView((view) => view.live?.id);
  return useMemo(() => transcriptRows({ messages, outbox, liveId }), [messages, outbox, liveId]);
}

function useOlder(virtualizer: Virtualizer<HTMLDivElement, Element>, canLoad: boolean, load: () => Promise<void>): void {
  const isNearStart = (virtualizer.scrollOffset ?? Number.POSITIVE_INFINITY) < NEAR_START_PX;
  useEffect(() => {
    if (canLoad && isNearStart) void load();
  });
}

/**
 * Holds on to the end while the reader is there, whatever changes: a card that folds, a growing composer, a keyboard, a bar.
 * Only scrolling up lets go; a size that changes is no such wish.
 */
function useEndKeptInSight(scroller: { readonly current: HTMLElement | null }, virtualizer: Virtualizer<HTMLDivElement, Element>): void {
  const isHeld = useRef(true);
  const size = virtualizer.getTotalSize();
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    let lastTop = element.scrollTop;
    const watch = () => {
      const isNear = element.scrollHeight - element.scrollTop - element.clientHeight <= NEAR_END_PX;
      if (isNear) isHeld.current = true;
      else if (element.scrollTop < lastTop) isHeld.current = false;
      lastTop = element.scrollTop;
    };
    const observer = new ResizeObserver(() => {
      if (isHeld.current) virtualizer.scrollToEnd();
    });
    element.addEventListener('scroll', watch, { passive: true });
    observer.observe(element);
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', watch);
    };
  }, [scroller, virtualizer]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new size is what moves the end
  useLayoutEffect(() => {
    if (isHeld.current) virtualizer.scrollToEnd();
  }, [size, virtualizer]);
}

/** A card that the reader opens stays where it was clicked, at the end of the transcript too: what opens is what they want to read. */
function useOpenedInPlace(scroller: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const onClick = (event: MouseEvent) => {
      const button = event.target instanceof Element ? event.target.closest('[aria-expanded="false"]') : null;
      if (!button) return;
      const before = button.getBoundingClientRect().top;
      // Two frames: one draws the opened card, the other has followed the end.
      requestAnimationFrame(() => requestAnimationFrame(() => element.scrollBy({ top: button.getBoundingClientRect().top - before, behavior: 'instant' })));
    };
    element.addEventListener('click', onClick, { capture: true });
    return () => element.removeEventListener('click', onClick, { capture: true });
  }, [scroller]);
}

/** Who sends a message wants to see it, wherever they were reading. */
function useOwnMessages(rows: readonly TranscriptRow[], virtualizer: Virtualizer<HTMLDivElement, Element>): void {
  const newest = rows.findLast((row) => row.kind === 'outbox')?.key;
  const scrollToEnd = useCallback(() => virtualizer.scrollToEnd(), [virtualizer]);
  useEffect(() => {
    if (newest !== undefined) scrollToEnd();
  }, [newest, scrollToEnd]);
}
