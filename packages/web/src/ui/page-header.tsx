import { Menu as MenuIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { useDrawer } from '../app/drawer-context.ts';
import { ConnectionDot } from '../connection/connection-dot.tsx';
import { IconButton } from './button.tsx';

/** The bar on top of every page; on a phone it opens the drawer and carries the connection's dot. */
export function PageHeader({ title, children }: { title: ReactNode; children?: ReactNode }): ReactNode {
  const openDrawer = useDrawer();
  return (
    <header className="flex h-12 shrink-0 items-center gap-1 border-b border-line px-2 md:px-4">
      <IconButton label="Open sessions" className="md:hidden" onClick={openDrawer}>
        <MenuIcon />
      </IconButton>
      <h1 className="min-w-0 flex-1 truncate px-1 text-sm font-medium">{title}</h1>
      {children}
      <span className="px-2 md:hidden">
        <ConnectionDot isLabelled={false} />
      </span>
    </header>
  );
}
