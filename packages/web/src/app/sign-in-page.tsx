import { useAgentClient } from '@tendon/client/react';
import type { Fault } from '@tendon/protocol';
import { type ReactNode, useEffect, useState } from 'react';
import { callApi } from '../access/api.ts';
import { ProviderButton } from '../account/provider-button.tsx';
import { SignInForm } from '../account/sign-in-form.tsx';
import { Button } from '../ui/button.tsx';

/** The server refuses this page for good: what that means and how to come in. */
export function SignInPage({ reason }: { reason: Fault }): ReactNode {
  const client = useAgentClient();
  const [isTrying, setTrying] = useState(false);
  const isSignedOut = reason.code === 'unauthorized';
  return (
    <main className="flex min-h-full items-center justify-center p-6">
      <div className="w-full max-w-md space-y-5">
        <img src="/favicon.svg" alt="" className="size-10" />
        <h1 className="text-2xl font-semibold tracking-tight">{isSignedOut ? 'Sign in to Tendon' : 'Not connected'}</h1>
        {isSignedOut ? <WaysIn /> : <p className="text-base text-muted">{reason.message}</p>}
        <Button
          disabled={isTrying}
          onClick={() => {
            setTrying(true);
            client.connectNow();
          }}
        >
          {isTrying ? 'Trying…' : 'Try again'}
        </Button>
      </div>
    </main>
  );
}

interface Ways {
  readonly password: boolean;
  readonly provider?: string;
  /** The page comes from a machine's relay, which opens by its own link alone. */
  readonly relay?: boolean;
}

/** What the server offers: a password where somebody has one, the identity provider where there is one, and always a link. */
function WaysIn(): ReactNode {
  const [ways, setWays] = useState<Ways>({ password: false });
  useEffect(() => {
    void callApi<Ways>('GET', '/api/auth/ways').then((answer) => answer.ok && setWays(answer.data));
  }, []);
  const hasOthers = ways.password || ways.provider !== undefined;
  if (ways.relay) return <RelaySteps />;
  return (
    <>
      {ways.provider !== undefined && <ProviderButton name={ways.provider} verb="Sign in with" errand={{ errand: 'sign_in' }} />}
      {ways.password && <SignInForm />}
      {hasOthers ? (
        <details className="text-sm">
          <summary className="cursor-pointer py-1 text-muted hover:text-text">Sign in with a link instead</summary>
          <div className="pt-2">
            <SignInSteps />
          </div>
        </details>
      ) : (
        <SignInSteps />
      )}
    </>
  );
}

function SignInSteps(): ReactNode {
  return (
    <div className="space-y-4 text-base text-muted">
      <p>This browser is not signed in, or its sign-in has ended. A sign-in link works once; open a new one from the machine where Tendon runs:</p>
      <ol className="list-decimal space-y-2 ps-5">
        <li>
          In a terminal there, in the folder of Tendon, run <Command>npx tendon start</Command>.
        </li>
        <li>Open the link it prints in this browser.</li>
      </ol>
      <p className="text-sm">
        For scripts and other clients, <Command>npx tendon key create</Command> makes an API key.
      </p>
    </div>
  );
}

function RelaySteps(): ReactNode {
  return (
    <div className="space-y-4 text-base text-muted">
      <p>
        This page comes from your own machine. It opens with a link that stands in the terminal where <Command>tendon gateway --relay</Command> runs. A link
        works once, in one browser.
      </p>
      <p>
        <a href="/sign-in" className="text-accent underline underline-offset-4">
          Have the terminal show a new link
        </a>
      </p>
    </div>
  );
}

function Command({ children }: { children: string }): ReactNode {
  return <code className="rounded-md border border-line bg-panel px-1.5 py-0.5 font-mono text-[0.8125rem] text-text">{children}</code>;
}
