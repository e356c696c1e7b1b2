import './without-eval.ts';
import './styles.css';
import { AgentClient, sessionTokenSource, webStorageOutbox } from '@tendon/client';
import { AgentProvider } from '@tendon/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { callApi } from './access/api.ts';
import { forgetOthers, rememberPerson } from './account/left-behind.ts';
import type { Me } from './account/use-me.ts';
import { App } from './app/app.tsx';
import { deviceName } from './app/device-name.ts';
import { ErrorBoundary } from './app/error-boundary.tsx';
import { keepSignedIn } from './app/keep-signed-in.ts';
import { relayTokenSource } from './app/relay-token.ts';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

const relayToken = relayTokenSource({ location, history, storage: localStorage, fetch: (...args) => fetch(...args) });
const desktopToken = /\bTendonDesktop\//.test(navigator.userAgent) ? sessionTokenSource() : undefined;

async function whoIsHere(): Promise<string | undefined> {
  const me = await callApi<Me>('GET', '/api/me');
  return me.ok ? me.data.user.id : undefined;
}

// Before the client reads what is to be sent: it would send it as whoever is here now.
await forgetOthers(localStorage, whoIsHere);

const client = new AgentClient({
  url: location.origin,
  client: { name: deviceName(navigator.userAgent), version: '0.1.0' },
  storage: webStorageOutbox(localStorage),
  // The page of a relay and the desktop window connect with a token for one connection (SPEC L9, H20), another browser with its cookie.
  token: async () => (await relayToken()) ?? desktopToken?.(),
});

keepSignedIn(client, async () => {
  const id = await whoIsHere();
  if (id !== undefined && rememberPerson(localStorage, id)) location.reload();
});

createRoot(root).render(
  <StrictMode>
    <ErrorBoundary>
      <AgentProvider client={client}>
        <App />
      </AgentProvider>
    </ErrorBoundary>
  </StrictMode>,
);

// Loaded beside the first look at the page, not before it: opening a menu or the drawer then takes no time.
const whenIdle = window.requestIdleCallback ?? ((task: () => void) => setTimeout(task, 500));
whenIdle(() => {
  void Promise.allSettled([import('./ui/menu-list.tsx'), import('./ui/dialog.tsx')]);
});
