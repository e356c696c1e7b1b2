import { createContext, useContext } from 'react';

export interface Watching {
  readonly isOpen: boolean;
  readonly toggle: () => void;
}

/** Whether the panel with the agent's browser is open, for the buttons that open and close it. */
export const WatchContext = createContext<Watching>({ isOpen: false, toggle: () => undefined });

export function useWatching(): Watching {
  return useContext(WatchContext);
}

export const BROWSER_PANEL_ID = 'agent-browser';

export function isBrowserTool(tool: string): boolean {
  return tool.startsWith('browser_');
}
