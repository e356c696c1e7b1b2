import { useAgentClient, useStore } from '@tendon/client/react';
import { CircleHelp } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { ConnectionBar } from '../connection/connection-bar.tsx';
import { MachinesPage } from '../machines/machines-page.tsx';
import { PermissionsPage } from '../permissions/permissions-page.tsx';
import { documentTitle, needsYou } from '../sessions/session-mark.ts';
import { Dialog } from '../ui/dialog.tsx';
import { EmptyState } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { Announcer } from './announcer.tsx';
import { composerFocus } from './composer-focus.ts';
import { DrawerContext } from './drawer-context.ts';
import { KeyboardHelp } from './keyboard-help.tsx';
import { NewSessionPage } from './new-session-page.tsx';
import { NoticeBar } from './notice-bar.tsx';
import { SessionPage } from './session-page.tsx';
import { SideBar } from './side-bar.tsx';
import { SignInPage } from './sign-in-page.tsx';
import { Toasts } from './toasts.tsx';
import { useKeys } from './use-keys.ts';

export function App(): ReactNode {
  const connection = useStore(useAgentClient().connection);
  if (connection.kind === 'failed') return <SignInPage reason={connection.reason} />;
  return <Shell />;
}

function Shell(): ReactNode {
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [, navigate] = useLocation();
  useDocumentTitle();
  useKeys({ '?': () => setHelpOpen(true), '/': () => composerFocus.focus(), n: () => navigate('/') });
  const sideBar = <SideBar onNavigate={() => setDrawerOpen(false)} onHelp={() => setHelpOpen(true)} />;
  return (
    <DrawerContext value={() => setDrawerOpen(true)}>
      <div className="flex h-dvh flex-col">
        <ConnectionBar />
        <NoticeBar />
        <div className="flex min-h-0 flex-1">
          <aside aria-label="Sessions and places" className="w-68 shrink-0 border-e border-line bg-panel max-md:hidden">
            {sideBar}
          </aside>
          <div className="flex min-w-0 flex-1 flex-col">
            <Pages />
          </div>
        </div>
      </div>
      <Dialog shape="drawer" title="Sessions" isOpen={isDrawerOpen} onClose={() => setDrawerOpen(false)}>
        {sideBar}
      </Dialog>
      <KeyboardHelp isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
      <Toasts />
      <Announcer />
    </DrawerContext>
  );
}

function Pages(): ReactNode {
  return (
    <Switch>
      <Route path="/">
        <NewSessionPage />
      </Route>
      <Route path="/s/:id">{(params) => <SessionPage id={params.id} />}</Route>
      <Route path="/permissions">
        <PermissionsPage />
      </Route>
      <Route path="/machines">
        <MachinesPage />
      </Route>
      <Route>
        <PageHeader title="Not found" />
        <EmptyState icon={<CircleHelp />} title="There is nothing here">
          <p>The address is not one of this page's.</p>
        </EmptyState>
      </Route>
    </Switch>
  );
}

function useDocumentTitle(): void {
  const sessions = useStore(useAgentClient().sessions);
  const [location] = useLocation();
  useEffect(() => {
    const needing = sessions.items.filter(needsYou).length;
    const current = sessions.items.find((session) => location === `/s/${session.id}`);
    document.title = documentTitle(needing, current?.title);
  }, [sessions.items, location]);
}
