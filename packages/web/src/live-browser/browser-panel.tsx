import type { BrowserView } from '@tendon/client';
import { useAgentClient, useStore } from '@tendon/client/react';
import { LoaderCircle, MonitorPlay, MonitorX, X } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { Button, IconButton } from '../ui/button.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { type BrowserViewText, browserViewText, pictureText } from './browser-view-text.ts';
import { BROWSER_PANEL_ID } from './watch-context.ts';

/** What the agent's browser shows, for as long as this is on the screen. Escape in it closes it. */
export function BrowserPanel({ onClose }: { onClose: () => void }): ReactNode {
  const panel = useRef<HTMLElement>(null);
  const [tries, setTries] = useState(0);
  useFocusWhileOpen(panel);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    // It closes this, and stops no agent.
    event.preventDefault();
    event.stopPropagation();
    onClose();
  };
  return (
    <section
      ref={panel}
      id={BROWSER_PANEL_ID}
      aria-label="The agent’s browser"
      tabIndex={-1}
      onKeyDown={onKeyDown}
      className="flex shrink-0 animate-rise flex-col border-line bg-panel outline-none max-xl:border-b xl:w-[min(46rem,46%)] xl:border-s"
    >
      <LivePicture key={tries} onClose={onClose} onAskAgain={() => setTries(tries + 1)} />
    </section>
  );
}

/** The panel has the focus when it opens, and gives it back to whatever had it before. */
function useFocusWhileOpen(panel: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const before = document.activeElement;
    const element = panel.current;
    element?.focus({ preventScroll: true });
    return () => {
      const isOurs = document.activeElement === document.body || element?.contains(document.activeElement);
      if (isOurs && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, [panel]);
}

function LivePicture({ onClose, onAskAgain }: { onClose: () => void; onAskAgain: () => void }): ReactNode {
  const session = useSession();
  const view = useStore(session.browser);
  const gatewayId = useView(({ session: known }) => known?.gatewayId);
  const gateways = useStore(useAgentClient().gateways);
  useEffect(() => session.watchBrowser(), [session]);
  const text = browserViewText(view, gateways.find(({ id }) => id === gatewayId)?.name);
  return (
    <>
      <PanelHeader view={view} onClose={onClose} />
      <div className="relative mx-auto grid aspect-[8/5] max-h-[38dvh] w-full place-items-center overflow-hidden border-t border-line bg-bubble xl:max-h-none">
        {view.kind === 'picture' && (
          <img
            alt={pictureText(view.frame)}
            src={`data:image/jpeg;base64,${view.frame.image}`}
            width={view.frame.width}
            height={view.frame.height}
            draggable={false}
            className="absolute inset-0 size-full object-contain"
          />
        )}
        <div role="status" className="w-full">
          {text && <Reason text={text} onAskAgain={onAskAgain} />}
        </div>
      </div>
    </>
  );
}

function PanelHeader({ view, onClose }: { view: BrowserView; onClose: () => void }): ReactNode {
  const frame = view.kind === 'picture' ? view.frame : undefined;
  return (
    <div className="flex min-h-10 items-center gap-2.5 ps-3 pe-1.5 md:ps-4">
      <MonitorPlay aria-hidden className="size-4 shrink-0 text-muted" />
      <div className="min-w-0 flex-1 py-1">
        <p className="truncate text-sm font-medium">
          <bdi>{frame && frame.title !== '' ? <VisibleText text={frame.title} /> : 'The agent’s browser'}</bdi>
        </p>
        {frame && (
          <p title={pictureText(frame)} className="truncate font-mono text-xs text-muted">
            <bdi dir="ltr">
              <VisibleText text={frame.url} />
            </bdi>
          </p>
        )}
      </div>
      {frame && (
        <span className="flex shrink-0 items-center gap-1.5 text-xs text-good">
          <span aria-hidden className="size-2 rounded-full bg-good" /> Live
        </span>
      )}
      <IconButton label="Stop watching" onClick={onClose}>
        <X />
      </IconButton>
    </div>
  );
}

function Reason({ text, onAskAgain }: { text: BrowserViewText; onAskAgain: () => void }): ReactNode {
  return (
    <div className="mx-auto flex max-w-sm flex-col items-center gap-1.5 px-4 py-3 text-center">
      {text.isBusy ? <LoaderCircle aria-hidden className="size-5 animate-spin text-faint" /> : <MonitorX aria-hidden className="size-5 text-muted" />}
      <p className="text-sm font-medium wrap-anywhere">{text.title}</p>
      <p className="text-xs text-muted wrap-anywhere">{text.hint}</p>
      {text.canAskAgain && (
        <Button size="sm" onClick={onAskAgain}>
          Try again
        </Button>
      )}
    </div>
  );
}
