import { useAgentClient, useStore } from '@tendon/client/react';
import { CircleHelp } from 'lucide-react';
import { type ReactNode, Suspense, useEffect, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { signingOut } from '../account/signing-out.ts';
import { ConnectionBar } from '../connection/connection-bar.tsx';
import { lazyPart } from '../connection/lazy-part.ts';
import { documentTitle, needsYou } from '../sessions/session-mark.ts';
import { EmptyState } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { Announcer } from './announcer.tsx';
import { composerFocus } from './composer-focus.ts';
import { DrawerContext } from './drawer-context.ts';
import { NewSessionPage } from './new-session-page.tsx';
import { NoticeBar } from './notice-bar.tsx';
import { SessionPage } from './session-page.tsx';
import { SideBar } from './side-bar.tsx';
import { Toasts } from './toasts.tsx';
import { useKeys } from './use-keys.ts';

// What is not on the way to a transcript is loaded when it is looked at.
const MachinesPage = lazyPart(async () => ({ default: (await import('../machines/machines-page.tsx')).MachinesPage }));
const PermissionsPage = lazyPart(async () => ({ default: (await import('../permissions/permissions-page.tsx')).PermissionsPage }));
const AccessPage = lazyPart(async () => ({ default: (await import('../access/access-page.tsx')).AccessPage }));
const AccountPage = lazyPart(async () => ({ default: (await import('../account/account-page.tsx')).AccountPage }));
const PeoplePage = lazyPart(async () => ({ default: (await import('../account/people-page.tsx')).PeoplePage }));
const ModelsPage = lazyPart(async () => ({ default: (await import('../models/models-page.tsx')).ModelsPage }));
const JoinPage = lazyPart(async () => ({ default: (await import('../account/join-page.tsx')).JoinPage }));
const PairPage = lazyPart(async () => ({ default: (await import('../access/pair-page.tsx')).PairPage }));
const Dialog = lazyPart(async () => ({ default: (await import('../ui/dialog.tsx')).Dialog }));
const KeyboardHelp = lazyPart(async () => ({ default: (await import('./keyboard-help.tsx')).KeyboardHelp }));
const SignInPage = lazyPart(async () => ({ default: (await import('./sign-in-page.tsx')).SignInPage }));

export function App(): ReactNode {
  const connection = useStore(useAgentClient().connection);
  const isSigningOut = useStore(signingOut);
  const [path] = useLocation();
  if (path === '/join') {
    return (
      <Suspense>
        <JoinPage />
      </Suspense>
    );
  }
  if (connection.kind === 'failed') {
    // What would be typed into the page to sign in would be lost: this one loads anew in a moment.
    if (isSigningOut) return <main className="p-6 text-sm text-muted">Signing out…</main>;
    return (
      <Suspense>
        <SignInPage reason={connection.reason} />
      </Suspense>
    );
  }
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
            <Suspense fallback={<LoadingPage />}>
              <Pages />
            </Suspense>
          </div>
        </div>
      </div>
      <Suspense>
        {isDrawerOpen && (
          <Dialog shape="drawer" title="Sessions" isOpen onClose={() => setDrawerOpen(false)}>
            {sideBar}
          </Dialog>
        )}
        {isHelpOpen && <KeyboardHelp isOpen onClose={() => setHelpOpen(false)} />}
      </Suspense>
      <Toasts />
      <Announcer />
    </DrawerContext>
  );
}

/** While a page is loaded for the first time. */
function LoadingPage(): ReactNode {
  const isAway = useStore(useAgentClient().connection).kind !== 'online';
  return (
    <>
      <PageHeader title="Loading…" />
      <main className="min-h-0 flex-1 p-4 text-sm text-muted md:p-6">
        {isAway && <p role="status">This page comes when the server can be reached again.</p>}
      </main>
    </>
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
      <Route path="/access">
        <AccessPage />
      </Route>
      <Route path="/account">
        <AccountPage />
      </Route>
      <Route path="/people">
        <PeoplePage />
      </Route>
      <Route path="/models">
        <ModelsPage />
      </Route>
      <Route path="/pair">
        <PairPage />
      </Route>
      <Route>
        <PageHeader title="Not found" />
        <main className="min-h-0 flex-1 overflow-y-auto">
          <EmptyState icon={<CircleHelp />} title="There is nothing here">
            <p>The address is not one of Tendon's pages.</p>
            <Link href="/" className="text-accent-ink underline underline-offset-2">
              Start a session
            </Link>
          </EmptyState>
        </main>
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
