import { useAgentClient } from '@tendon/client/react';
import type { AgentRequest } from '@tendon/protocol';
import { type ReactNode, type Ref, useImperativeHandle, useRef, useState } from 'react';
import { useSession, useView } from '../app/session-context.tsx';
import { useKeys } from '../app/use-keys.ts';
import { isPersonAwaited } from '../approvals/waiting-calls.ts';
import { isWorking } from '../sessions/session-mark.ts';
import { Notice } from '../ui/notice.tsx';
import { Composer, type ComposerHandle } from './composer.tsx';
import { ModelPicker, PlacePicker } from './pickers.tsx';
import { Queue } from './queue.tsx';

interface SessionComposerProps {
  readonly ref: Ref<ComposerHandle>;
  /** Escape while a decision is awaited: there is nothing to stop, but something to look at. */
  readonly onLeave: () => void;
}

/** The composer of an open session, with its queue above and its choices below. */
export function SessionComposer({ ref, onLeave }: SessionComposerProps): ReactNode {
  const client = useAgentClient();
  const session = useSession();
  const shown = useView((view) => view.session);
  const isAwaited = useView((view) => isPersonAwaited(view.calls));
  const composer = useRef<ComposerHandle>(null);
  const [error, setError] = useState<string>();
  useImperativeHandle(ref, () => ({
    focus: () => composer.current?.focus(),
    putBack: (text) => composer.current?.putBack(text),
  }));

  const stop = async () => {
    const result = await session.stop();
    setError(result.ok ? undefined : `Not stopped: ${result.error.message}`);
  };
  const update = async (change: Omit<AgentRequest<'session:update'>, 'sessionId'>) => {
    const result = await client.request('session:update', { sessionId: session.id, ...change });
    setError(result.ok ? undefined : result.error.message);
  };
  const onEscape = () => {
    if (!isAwaited && (shown?.status === 'running' || shown?.status === 'waiting_for_tools')) void stop();
    else onLeave();
  };
  useKeys({ Escape: onEscape });
  return (
    <div>
      {error !== undefined && (
        <div className="mb-2">
          <Notice>{error}</Notice>
        </div>
      )}
      <Queue onEdit={(text) => composer.current?.putBack(text)} />
      <Composer
        key={session.id}
        ref={composer}
        place={session.id}
        placeholder={shown && isWorking(shown) ? 'Write the next message' : 'Write a message'}
        isWorking={shown !== undefined && isWorking(shown)}
        isStopping={shown?.stopping ?? false}
        onStop={() => void stop()}
        onEscape={onEscape}
        onSend={(text, mode) => {
          session.send(text, { mode });
          return undefined;
        }}
      >
        <ModelPicker model={shown?.model} onChoose={(model) => void update({ model })} />
        <PlacePicker place={{ gatewayId: shown?.gatewayId, workspace: shown?.workspace }} onChoose={(place) => void update(defined(place))} />
      </Composer>
    </div>
  );
}

function defined(place: { gatewayId?: string | undefined; workspace?: string | undefined }): { gatewayId?: string; workspace?: string } {
  return { ...(place.gatewayId !== undefined && { gatewayId: place.gatewayId }), ...(place.workspace !== undefined && { workspace: place.workspace }) };
}
