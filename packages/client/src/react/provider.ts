import { createContext, createElement, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { AgentClient } from '../agent-client.ts';
import type { Store } from '../types.ts';

const AgentContext = createContext<AgentClient | undefined>(undefined);

/** Gives the tree below one client. Whoever made the client closes it. */
export function AgentProvider(props: { client: AgentClient; children?: ReactNode }): ReactNode {
  return createElement(AgentContext.Provider, { value: props.client }, props.children);
}

/** The client of the nearest `AgentProvider`; throws without one. */
export function useAgentClient(): AgentClient {
  const client = useContext(AgentContext);
  if (!client) throw new Error('useAgentClient needs an AgentProvider above it');
  return client;
}

/** The store's value; renders again when it changes. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}
