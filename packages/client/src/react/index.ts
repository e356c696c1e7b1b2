export { AgentProvider, useAgentClient, useStore } from './provider.ts';
export { type AgentSocket, type AgentSocketActions, useAgentSocket } from './use-agent-socket.ts';
