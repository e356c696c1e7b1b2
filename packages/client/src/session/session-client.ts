import type { AgentData, Answers, Call, Result } from '@tendon/protocol';
import type { CallDecision, SendOptions, SessionView, Store } from '../types.ts';

export declare class SessionClient {
  readonly id: string;
  readonly view: Store<SessionView>;
  send(text: string, options?: SendOptions): string;
  stop(): Promise<Result<AgentData<'agent:stop'>>>;
  continue(): Promise<Result<AgentData<'agent:continue'>>>;
  cancelMessage(messageId: string): Promise<Result<AgentData<'message:cancel'>>>;
  decide(call: Call, decision: CallDecision): Promise<Result<AgentData<'tool:decide'>>>;
  answer(call: Call, answers: Answers): Promise<Result<AgentData<'tool:result'>>>;
  retryOutbox(messageId: string): void;
  discardOutbox(messageId: string): void;
  loadOlder(): Promise<void>;
  release(): void;
}
