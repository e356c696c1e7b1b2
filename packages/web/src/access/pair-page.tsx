import { Monitor } from 'lucide-react';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { callApi } from './api.ts';
import { useAction } from './use-action.ts';

interface WaitingMachine {
  readonly name: string;
  readonly address: string;
  /** It also wants to show your sessions to a browser on it. */
  readonly relay: boolean;
  readonly askedAt: string;
}

/**
 * A machine waits with a code on its screen (SPEC H26):
 *
 *   code asked for ──found──► machine shown ──approve──► let in
 *                                  └───────────deny────► kept out
 */
type Step =
  | { readonly kind: 'code' }
  | { readonly kind: 'machine'; readonly code: string; readonly machine: WaitingMachine }
  | { readonly kind: 'done'; readonly isLetIn: boolean; readonly name: string };

export function PairPage(): ReactNode {
  const [step, setStep] = useState<Step>({ kind: 'code' });
  return (
    <>
      <PageHeader title="Pair a machine" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-md space-y-5 p-4 pt-8 md:p-6 md:pt-12">
          {step.kind === 'code' && <CodeForm onFound={(code, machine) => setStep({ kind: 'machine', code, machine })} />}
          {step.kind === 'machine' && (
            <Decision
              code={step.code}
              machine={step.machine}
              onDecided={(isLetIn) => setStep({ kind: 'done', isLetIn, name: step.machine.name })}
              onBack={() => setStep({ kind: 'code' })}
            />
          )}
          {step.kind === 'done' && <Done isLetIn={step.isLetIn} name={step.name} />}
        </div>
      </main>
    </>
  );
}

const pathOf = (code: string): string => `/api/pair/${encodeURIComponent(code)}`;

function CodeForm({ onFound }: { onFound: (code: string, machine: WaitingMachine) => void }): ReactNode {
  const [search] = useSearchParams();
  const [code, setCode] = useState(search.get('code') ?? '');
  const look = useAction(
    () => callApi<{ machine: WaitingMachine }>('GET', pathOf(code)),
    ({ machine }) => onFound(code, machine),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a code in the address is looked up once, what is typed when it is sent
  useEffect(() => {
    if (code !== '') look.run();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code.trim() !== '' && !look.isBusy) look.run();
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      <p className="text-sm text-muted">
        On the machine that you want to let in, run this in the folder of Tendon. It shows a code.
        <code dir="ltr" className="mt-2 block rounded-lg border border-line bg-panel px-3 py-2 font-mono text-xs text-text wrap-anywhere">
          npx tendon gateway --server {location.origin}
        </code>
      </p>
      <label className="flex flex-col gap-1.5 text-xs text-muted">
        <span>Code</span>
        <input
          required
          value={code}
          onChange={(event) => setCode(event.target.value)}
          placeholder="BCDF-GHJK"
          autoComplete="one-time-code"
          autoCapitalize="characters"
          spellCheck={false}
          maxLength={20}
          className="h-11 w-full rounded-lg border border-line-strong bg-panel px-3 font-mono text-lg tracking-widest text-text uppercase"
        />
      </label>
      {look.error !== undefined && <Notice>{look.error}</Notice>}
      <Button type="submit" variant="primary" disabled={look.isBusy || code.trim() === ''}>
        {look.isBusy ? 'Looking…' : 'Go on'}
      </Button>
    </form>
  );
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

interface DecisionProps {
  readonly code: string;
  readonly machine: WaitingMachine;
  readonly onDecided: (isLetIn: boolean) => void;
  readonly onBack: () => void;
}

function Decision({ code, machine, onDecided, onBack }: DecisionProps): ReactNode {
  const approve = useAction(
    () => callApi('POST', pathOf(code), { decision: 'approve' }),
    () => onDecided(true),
  );
  const deny = useAction(
    () => callApi('POST', pathOf(code), { decision: 'deny' }),
    () => onDecided(false),
  );
  const isBusy = approve.isBusy || deny.isBusy;
  const error = approve.error ?? deny.error;
  return (
    <section aria-label="Machine that waits" className="space-y-4">
      <div className="space-y-2 rounded-xl border border-line bg-raised p-4">
        <h2 className="flex items-center gap-2 font-medium">
          <Monitor aria-hidden className="size-4 text-faint" />
          <span className="min-w-0 wrap-anywhere">
            <VisibleText text={machine.name} />
          </span>
        </h2>
        <p className="text-sm text-muted">
          Asked at {TIME.format(new Date(machine.askedAt))} from <bdi className="font-mono text-xs">{machine.address}</bdi>
        </p>
        <p className="font-mono text-lg tracking-widest">{code.toUpperCase()}</p>
      </div>
      <p className="text-sm text-muted">
        Let it in only when you started it yourself and its terminal shows this very code. The agent can then ask to read and change files and to run commands
        on it; you approve each of them as on every machine.
      </p>
      {machine.relay && (
        <Notice tone="warn">
          It also asks to show your sessions to a browser on it. Whoever sits at it can then read them, write to the agent and approve what it asks, as you,
          until you revoke the key under Access.
        </Notice>
      )}
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button variant="primary" disabled={isBusy} onClick={approve.run}>
          {approve.isBusy ? 'Letting it in…' : 'Let it in'}
        </Button>
        <Button variant="danger" disabled={isBusy} onClick={deny.run}>
          {deny.isBusy ? 'Keeping it out…' : 'Keep it out'}
        </Button>
        <Button variant="ghost" disabled={isBusy} onClick={onBack}>
          Another code
        </Button>
      </div>
    </section>
  );
}

function Done({ isLetIn, name }: { isLetIn: boolean; name: string }): ReactNode {
  return (
    <div role="status" className="space-y-4">
      <p className="text-base">
        <VisibleText text={name} /> {isLetIn ? 'is let in. It connects within a few seconds.' : 'is kept out. Its terminal says so.'}
      </p>
      <Link href="/machines" className="text-sm text-accent underline underline-offset-4">
        See your machines
      </Link>
    </div>
  );
}
