import { createContext, useContext } from 'react';

/** Opens the drawer with the sessions, where the window is too narrow for a column. */
export const DrawerContext = createContext<() => void>(() => undefined);

export function useDrawer(): () => void {
  return useContext(DrawerContext);
}
