import type { Call, Gateway } from '@tendon/protocol';
import { isFinalCallState } from '@tendon/protocol';
import clsx from 'clsx';
import { Ban, Check, ChevronRight, CircleHelp, CircleStop, CircleX, Clock3, LoaderCircle } from 'lucide-react';
import { type ReactNode, useRef, useState } from 'react';
import { useView } from '../app/session-context.tsx';
import { decisionText } from '../approvals/decision-text.ts';
import { WatchCardButton } from '../live-browser/watch-buttons.tsx';
import { isBrowserTool } from '../live-browser/watch-context.ts';
import { textField } from './call-input.ts';
import { CallResult } from './call-result.tsx';
import { type CallTone, callDurationMs, callStateText, durationText } from './call-state.ts';
import { callTitle, titleText } from './call-title.ts';
import { InputDisplay } from './input-display.tsx';
import { useTakesFocus } from './passed-focus.ts';
import { isShownByResult } from './shown-by-result.ts';
import { Terminal } from './terminal.tsx';
import { ToolIcon } from './tool-icon.tsx';
import { UnknownOutcome } from './unknown-outcome.tsx';

const TONES: Record<CallTone, string> = { quiet: 'text-faint', busy: 'text-muted', needs_you: 'text-warn', good: 'text-good', bad: 'text-bad' };

interface CardBodyProps {
  readonly call: Call;
  readonly gateway: Gateway | undefined;
}

interface ToolCardProps extends CardBodyProps {
  readonly startsOpen: boolean;
}

/** A call that has been decided: one line in words; opened, exactly what ran and what came of it. What ran before one's eyes stays open. */
export function ToolCard({ call, gateway, startsOpen }: ToolCardProps): ReactNode {
  const [isOpen, setOpen] = useState(startsOpen);
  const toggle = useRef<HTMLButtonElement>(null);
  useTakesFocus(call.id, toggle);
  const title = callTitle(call);
  const state = callStateText(call, gateway);
  const duration = callDurationMs(call);
  return (
    <section aria-label={titleText(title)} data-testid="tool-call" data-state={call.state} className="rounded-xl border border-line bg-raised">
      <button
        ref={toggle}
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className={clsx('flex min-h-9 w-full items-center gap-2.5 px-3 py-1.5 text-start hover:bg-hover', isOpen ? 'rounded-t-[0.7rem]' : 'rounded-[0.7rem]')}
      >
        <ToolIcon tool={call.tool} />
        <span className="min-w-0 flex-1 truncate text-sm">
          <span className="text-muted">{title.verb}</span>
          {title.object !== undefined && (
            <>
              {' '}
              <bdi dir="ltr" className="font-mono text-[0.8125rem]">
                {title.object}
              </bdi>
            </>
          )}
          {title.detail !== undefined && <span className="text-muted tabular-nums">, {title.detail}</span>}
        </span>
        <span className={clsx('flex max-w-3/5 shrink-0 items-center gap-1.5 text-xs tabular-nums', TONES[state.tone])}>
          <span className={clsx(state.tone === 'good' ? 'sr-only' : 'truncate')}>{state.word}</span>
          {duration !== undefined && <span className="shrink-0 text-faint max-sm:hidden">{durationText(duration)}</span>}
          <StateIcon call={call} tone={state.tone} />
        </span>
        <ChevronRight aria-hidden className={clsx('size-3.5 shrink-0 text-faint transition-transform rtl:rotate-180', isOpen && 'rotate-90!')} />
      </button>
      {isOpen && <CardBody call={call} gateway={gateway} />}
      {!isOpen && call.state === 'unknown' && (
        <div className="px-3 pb-3">
          <UnknownOutcome call={call} gateway={gateway} />
        </div>
      )}
    </section>
  );
}

function CardBody({ call, gateway }: CardBodyProps): ReactNode {
  const output = useView((view) => view.outputs[call.id]);
  const isOver = isFinalCallState(call.state);
  return (
    <div className="space-y-2.5 border-t border-line p-3">
      <p className="flex flex-wrap gap-x-3 text-xs text-faint">
        {gateway && <span>{gateway.name}</span>}
        {call.workspace && (
          <bdi dir="ltr" className="font-mono wrap-anywhere">
            {call.workspace}
          </bdi>
        )}
        {call.decision && <span>{decisionText(call.decision)}</span>}
        {call.result?.meta?.sandboxed !== undefined && <span>{call.result.meta.sandboxed ? 'Ran in a sandbox' : 'Ran without a sandbox'}</span>}
      </p>
      {!isShownByResult(call) && <InputDisplay call={call} />}
      {isBrowserTool(call.tool) && <WatchCardButton />}
      {call.decision?.reason && <p className="text-sm text-muted wrap-anywhere">“{call.decision.reason}”</p>}
      {call.state === 'unknown' && <UnknownOutcome call={call} gateway={gateway} />}
      {!isOver && (output || textField(call.input, 'command') !== undefined) && (
        <Terminal text={output?.text ?? ''} droppedBytes={output?.droppedBytes ?? 0} isLive={call.state === 'running'} label="Live output" />
      )}
      {isOver && call.state !== 'denied' && <CallResult call={call} />}
    </div>
  );
}

function StateIcon({ call, tone }: { call: Call; tone: CallTone }): ReactNode {
  const className = 'size-4 shrink-0';
  if (tone === 'busy') return <LoaderCircle aria-hidden className={clsx(className, 'animate-spin')} />;
  if (call.state === 'queued' || call.state === 'running') return <Clock3 aria-hidden className={className} />;
  if (call.state === 'succeeded') return <Check aria-hidden className={className} />;
  if (call.state === 'denied') return <Ban aria-hidden className={className} />;
  if (call.state === 'cancelled') return <CircleStop aria-hidden className={className} />;
  if (call.state === 'unknown') return <CircleHelp aria-hidden className={className} />;
  return <CircleX aria-hidden className={className} />;
}
