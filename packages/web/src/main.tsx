import './without-eval.ts';
import './styles.css';
import { AgentClient, sessionTokenSource, webStorageOutbox } from '@tendon/client';
import { AgentProvider } from '@tendon/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { deviceName } from './app/device-name.ts';
import { ErrorBoundary } from './app/error-boundary.tsx';
import { keepSignedIn } from './app/keep-signed-in.ts';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

const client = new AgentClient({
  url: location.origin,
  client: { name: deviceName(navigator.userAgent), version: '0.1.0' },
  storage: webStorageOutbox(localStorage),
  // The desktop window connects with a credential of its own (SPEC H20), a browser with its cookie.
  ...(/\bTendonDesktop\//.test(navigator.userAgent) ? { token: sessionTokenSource() } : {}),
});

keepSignedIn(client);

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
