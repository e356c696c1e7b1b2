import type { AgentData, AgentRequest, AgentRequestName, Result } from '@tendon/protocol';
import type { SessionClient } from './session/session-client.ts';
import type { AgentClientOptions, ConnectionState, GatewayList, Notice, SessionListView, Store } from './types.ts';

export declare class AgentClient {
  constructor(options: AgentClientOptions);
  readonly connection: Store<ConnectionState>;
  readonly sessions: Store<SessionListView>;
  readonly gateways: Store<GatewayList>;
  readonly notices: Store<Notice | undefined>;
  connectNow(): void;
  loadMoreSessions(): Promise<void>;
  request<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>>;
  open(sessionId: string): SessionClient;
  peek(sessionId: string): SessionClient | undefined;
  close(): void;
}
