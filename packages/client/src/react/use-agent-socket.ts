import { type AgentData, type Answers, type Call, type Result, refusal } from '@tendon/protocol';
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { AgentClient } from '../agent-client.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { CallDecision, ConnectionState, GatewayList, SendOptions, SessionListView, SessionView } from '../types.ts';
import { useAgentClient, useStore } from './provider.ts';

export interface AgentSocketActions {
  /** → messageId. Goes through the outbox. Throws when the hook was given no session. */
  send(text: string, options?: SendOptions): string;
  stop(): Promise<Result<AgentData<'agent:stop'>>>;
  continueSession(): Promise<Result<AgentData<'agent:continue'>>>;
  cancelMessage(messageId: string): Promise<Result<AgentData<'message:cancel'>>>;
  decide(call: Call, decision: CallDecision): Promise<Result<AgentData<'tool:decide'>>>;
  answer(call: Call, answers: Answers): Promise<Result<AgentData<'tool:result'>>>;
  retryOutbox(messageId: string): void;
  discardOutbox(messageId: string): void;
  loadOlder(): Promise<void>;
  connectNow(): void;
}

export interface AgentSocket extends AgentSocketActions {
  readonly connection: ConnectionState;
  readonly sessions: SessionListView;
  readonly gateways: GatewayList;
  /** Absent without `sessionId`, and for the first render with a new one. */
  readonly view: SessionView | undefined;
}

/**
 * Everything a page needs, with one session followed while the component is mounted. A component that needs only a part
 * (a connection dot) takes `useStore(useAgentClient().connection)` and renders less often.
 */
export function useAgentSocket(sessionId?: string): AgentSocket {
  const client = useAgentClient();
  const connection = useStore(client.connection);
  const sessions = useStore(client.sessions);
  const gateways = useStore(client.gateways);
  const view = useSessionView(client, sessionId);
  const actions = useMemo(() => sessionActions(client, sessionId), [client, sessionId]);
  return useMemo(() => ({ ...actions, connection, sessions, gateways, view }), [actions, connection, sessions, gateways, view]);
}

/** The subscription is what keeps the session open, so that rendering stays without side effects. */
function useSessionView(client: AgentClient, sessionId: string | undefined): SessionView | undefined {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (sessionId === undefined) return () => undefined;
      const session = client.open(sessionId);
      const unsubscribe = session.view.subscribe(listener);
      return () => {
        unsubscribe();
        session.release();
      };
    },
    [client, sessionId],
  );
  const read = useCallback(() => (sessionId === undefined ? undefined : client.peek(sessionId)?.view.get()), [client, sessionId]);
  return useSyncExternalStore(subscribe, read, read);
}

function sessionActions(client: AgentClient, sessionId: string | undefined): AgentSocketActions {
  const session = (): SessionClient | undefined => (sessionId === undefined ? undefined : client.peek(sessionId));
  const closed = () => Promise.resolve(refusal('not_found', 'No session is open here.'));
  return {
    send(text, options) {
      const open = session();
      if (!open) throw new Error('send needs a session: give its id to useAgentSocket');
      return open.send(text, options);
    },
    stop: () => session()?.stop() ?? closed(),
    continueSession: () => session()?.continue() ?? closed(),
    cancelMessage: (messageId) => session()?.cancelMessage(messageId) ?? closed(),
    decide: (call, decision) => session()?.decide(call, decision) ?? closed(),
    answer: (call, answers) => session()?.answer(call, answers) ?? closed(),
    retryOutbox: (messageId) => session()?.retryOutbox(messageId),
    discardOutbox: (messageId) => session()?.discardOutbox(messageId),
    loadOlder: async () => session()?.loadOlder(),
    connectNow: () => client.connectNow(),
  };
}
