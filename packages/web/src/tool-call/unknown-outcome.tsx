import type { Call, Gateway } from '@tendon/protocol';
import { type ReactNode, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

type Outcome = NonNullable<Call['resolution']>['outcome'];

interface UnknownOutcomeProps {
  readonly call: Call;
  readonly gateway: Gateway | undefined;
}

/** Says that nobody knows the end of a call, and takes what the person finds out. The first answer stands, from whichever device. */
export function UnknownOutcome({ call, gateway }: UnknownOutcomeProps): ReactNode {
  if (call.resolution) return <p className="text-sm text-muted wrap-anywhere">{resolutionText(call.resolution)}</p>;
  return (
    <Notice tone="warn">
      <p>
        It started on {call.kind === 'remote' ? 'the server' : (gateway?.name ?? 'the machine')}, and no one can say whether it finished. It has not been run
        again. Look at what it was to change, then say what you found; the agent is told the same.
      </p>
      <Answers call={call} />
    </Notice>
  );
}

function Answers({ call }: { call: Call }): ReactNode {
  const session = useSession();
  const [state, setState] = useState<{ isSending: boolean; error?: string }>({ isSending: false });
  const isIdle = useView((view) => view.session?.status === 'idle');
  const resolve = (outcome: Outcome) => {
    setState({ isSending: true });
    void session.resolve(call, { outcome }).then((result) => setState(result.ok ? { isSending: false } : { isSending: false, error: result.error.message }));
  };
  return (
    <>
      <div className="mt-2 flex flex-wrap gap-2">
        <Button disabled={state.isSending} onClick={() => resolve('done')}>
          Mark done
        </Button>
        <Button disabled={state.isSending} onClick={() => resolve('failed')}>
          Mark failed
        </Button>
        <Button
          disabled={state.isSending}
          aria-disabled={!isIdle}
          title={isIdle ? 'As a new call, which you approve first' : 'When the agent is done'}
          onClick={() => resolve('again')}
        >
          Run again…
        </Button>
      </div>
      {state.error !== undefined && (
        <p role="alert" className="mt-2">
          {state.error}
        </p>
      )}
    </>
  );
}

const WORDS: Record<Outcome, string> = {
  done: 'Its outcome was unknown. Marked as done',
  failed: 'Its outcome was unknown. Marked as failed',
  again: 'Its outcome is unknown. Asked for again as a new call',
};

/** "Its outcome was unknown. Marked as done, from Chrome on Linux: the file is there". */
function resolutionText({ outcome, via, note }: NonNullable<Call['resolution']>): string {
  return `${WORDS[outcome]}${via ? `, from ${via}` : ''}${note ? `: ${note}` : '.'}`;
}
