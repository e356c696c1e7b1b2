import type {
  AgentData,
  AgentNoticeName,
  AgentNotices,
  AgentRequest,
  AgentRequestName,
  BrowserWatch,
  GatewayAnswer,
  GatewayCommand,
  GatewayData,
  GatewayRequest,
  GatewayRequestName,
  Result,
  SessionEnd,
} from '@tendon/protocol';

/** Who is at the other end of a connection, as the door has established it. */
export interface Caller {
  readonly userId: string;
  /** The client's own name, shown to other devices: "decided on Tendon web". */
  readonly clientName: string;
  /** For the audit log: where from, and by which key or browser session. */
  readonly address?: string | undefined;
  readonly credentialId?: string | undefined;
}

/** What a handler of `/agent` may do with the connection that asked. Rooms are named by the server alone (I13). */
export interface AgentConnection extends Caller {
  joinSession(sessionId: string): void;
  leaveSession(sessionId: string): void;
  /** For what only the newest counts of: one that its reader is too slow for is dropped for the next of the same key. */
  showNewest<Name extends AgentNoticeName>(key: string, name: Name, notice: AgentNotices[Name]): void;
  /** Called once when the connection has ended; at once when it has already. */
  onEnd(listener: () => void): void;
}

/** Every request of `/agent`, already validated. A handler loads by (id, owner) and answers `not_found` for another's. */
export type AgentHandlers = {
  readonly [Name in AgentRequestName]: (connection: AgentConnection, payload: AgentRequest<Name>) => Promise<Result<AgentData<Name>>>;
};

/** A connected machine. Made by the transport, handed to every gateway handler; the same object for the connection's life. */
export interface GatewayConnection {
  readonly connectionId: string;
  readonly userId: string;
  /** When the credential is bound to one machine, its id: `gateway:hello` with another is refused. */
  readonly boundGatewayId?: string | undefined;
  /** Sends a dispatch and waits for its answer. Rejects when the connection ends or no answer comes within `timeoutMs`. */
  call(command: GatewayCommand<'tool:call'>, timeoutMs: number): Promise<GatewayAnswer<'tool:call'>>;
  cancel(callId: string, timeoutMs: number): Promise<void>;
  endSession(end: SessionEnd, timeoutMs: number): Promise<void>;
  /** Asks for what its browser shows. Rejects as `call` does. */
  watchBrowser(watch: BrowserWatch, timeoutMs: number): Promise<void>;
  disconnect(): void;
}

/** Every request of `/gateway`, already validated, and the end of a connection. */
export type GatewayHandlers = {
  readonly [Name in GatewayRequestName]: (connection: GatewayConnection, payload: GatewayRequest<Name>) => Promise<Result<GatewayData<Name>>>;
};

export interface GatewayDesk {
  readonly handlers: GatewayHandlers;
  /** The socket is gone, for whatever reason. Called once a connection. */
  disconnected(connection: GatewayConnection): void;
}

/** Live events on their way to clients. Emission is in order per session; nothing here is durable. */
export interface Fanout {
  toSession<Name extends AgentNoticeName>(sessionId: string, name: Name, notice: AgentNotices[Name]): void;
  toUser<Name extends AgentNoticeName>(userId: string, name: Name, notice: AgentNotices[Name]): void;
  /** Whether anyone is attached to the session on this node, so that work for nobody can be spared. */
  hasAudience(sessionId: string): boolean;
  /** Everyone who is connected to this node. */
  people(): readonly string[];
}
