import { useAgentClient, useStore } from '@tendon/client/react';
import { ArrowUpRight } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useIsOwner } from '../account/use-me.ts';
import { Composer, type ComposerHandle } from '../composer/composer.tsx';
import { NEW_SESSION_DRAFT } from '../composer/drafts.ts';
import { ModelPicker, type Place, PlacePicker } from '../composer/pickers.tsx';
import { useAnswer } from '../connection/use-answer.ts';
import { whenOnline } from '../connection/when-online.ts';
import { PageHeader } from '../ui/page-header.tsx';
import { composerFocus } from './composer-focus.ts';
import { type Suggestion, suggestions } from './suggestions.ts';

/** Where a session begins; on the first run, also what to try. */
export function NewSessionPage(): ReactNode {
  const client = useAgentClient();
  const [, navigate] = useLocation();
  const composer = useRef<ComposerHandle>(null);
  const gateways = useStore(client.gateways);
  const isLoaded = useStore(client.gatewaysLoaded);
  const sessions = useStore(client.sessions);
  const { answer } = useAnswer('model:list');
  const [model, setModel] = useState<string>();
  const [chosen, setChosen] = useState<Place>();
  const [error, setError] = useState<string>();
  const gateway = gateways.find((item) => item.online) ?? gateways[0];
  const place: Place = chosen ?? { gatewayId: gateway?.id, workspace: gateway?.workspaces[0]?.path };
  const usedModel = model ?? (answer.status === 'ready' ? answer.data.default : undefined);
  const isDemo = usedModel?.startsWith('demo') ?? false;
  const isFirstRun = sessions.status === 'ready' && sessions.items.length === 0;
  useEffect(() => composerFocus.register(() => composer.current?.focus()), []);

  const start = async (text: string): Promise<string | undefined> => {
    // Who is quick has written before the connection is there.
    if (!(await whenOnline(client))) return 'No session was started: there is no connection to the server. Send it again when there is one.';
    const result = await client.request('session:create', {
      ...(model !== undefined && { model }),
      ...(place.gatewayId !== undefined && { gatewayId: place.gatewayId }),
      ...(place.workspace !== undefined && { workspace: place.workspace }),
    });
    if (!result.ok) return `No session was started: ${result.error.message}`;
    const session = client.open(result.data.session.id);
    session.send(text);
    navigate(`/s/${session.id}`);
    session.release();
    return undefined;
  };
  return (
    <>
      <PageHeader title="New session" />
      <main className="scroll-quiet flex min-h-0 flex-1 flex-col overflow-y-auto">
        <div className="mx-auto my-auto w-full max-w-2xl space-y-6 px-4 py-10">
          <div className="space-y-2 text-center">
            {isFirstRun && <img src="/favicon.svg" alt="" className="mx-auto mb-5 size-11" />}
            <h2 className="text-2xl font-semibold tracking-tight">{isFirstRun ? 'Tendon is ready' : 'What should be done?'}</h2>
            {isFirstRun && (
              <p className="mx-auto max-w-md text-base text-muted">
                It thinks on the server and works on {gateway?.name ?? 'your machine'}. Before it runs a command or changes a file, it asks you.
              </p>
            )}
          </div>
          <Composer ref={composer} place={NEW_SESSION_DRAFT} placeholder="Ask for something to be done" onSend={start}>
            <ModelPicker model={usedModel} onChoose={setModel} />
            <PlacePicker place={place} onChoose={setChosen} />
          </Composer>
          {error !== undefined && <p className="text-sm text-bad">{error}</p>}
          <Suggestions items={suggestions(isDemo)} onChoose={(text) => void start(text).then(setError)} />
          <Hints isDemo={isDemo} lacksMachine={isLoaded && !gateways.some((item) => item.online)} />
        </div>
      </main>
    </>
  );
}

function Suggestions({ items, onChoose }: { items: readonly Suggestion[]; onChoose: (text: string) => void }): ReactNode {
  return (
    <section aria-label="Things to try">
      <h3 className="mb-2 px-1 text-xs font-medium text-faint">Things to try</h3>
      <ul className="grid gap-2 sm:grid-cols-6">
        {items.map((item) => (
          <li key={item.text} className="sm:col-span-2 sm:nth-[n+4]:col-span-3">
            <button
              type="button"
              onClick={() => onChoose(item.text)}
              className="group/try flex h-full w-full flex-col gap-1 rounded-xl border border-line bg-raised p-3 text-start transition-colors hover:border-line-strong hover:bg-hover"
            >
              <span className="flex w-full items-center justify-between text-sm font-medium">
                {item.title}
                <ArrowUpRight aria-hidden className="size-3.5 text-faint opacity-0 transition-opacity group-hover/try:opacity-100" />
              </span>
              <span className="text-xs text-muted">{item.text}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function DemoHint(): ReactNode {
  const isOwner = useIsOwner();
  return (
    <p>
      This is the demo model: it needs no network and understands a few plain commands.{' '}
      {isOwner ? (
        <>
          For a real one, enter a provider's key on{' '}
          <Link href="/models" className="text-accent-ink underline underline-offset-2">
            Models
          </Link>
          .
        </>
      ) : (
        'For a real one, an owner enters the key of a provider.'
      )}
    </p>
  );
}

function Hints({ isDemo, lacksMachine }: { isDemo: boolean; lacksMachine: boolean }): ReactNode {
  return (
    <div className="space-y-1 px-1 text-center text-xs text-faint">
      {isDemo && <DemoHint />}
      {lacksMachine && (
        <p>
          No machine is online, so nothing can be run yet.{' '}
          <Link href="/machines" className="text-accent-ink underline underline-offset-2">
            Machines
          </Link>
        </p>
      )}
    </div>
  );
}
