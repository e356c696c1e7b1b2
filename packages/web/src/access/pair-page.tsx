import { Monitor, SquareTerminal } from 'lucide-react';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { Button } from '../ui/button.tsx';
import { focusHere } from '../ui/focus-here.ts';
import { Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { VisibleText } from '../ui/visible-code.tsx';
import { callApi } from './api.ts';
import { useAction } from './use-action.ts';
import { useApi } from './use-api.ts';

interface WaitingMachine {
  readonly kind: 'machine' | 'terminal';
  readonly name: string;
  readonly address: string;
  /** It also wants to show your sessions to a browser on it. */
  readonly relay: boolean;
  readonly askedAt: string;
}

/**
 * A machine or a terminal waits with a code on its screen (SPEC H26, H35):
 *
 *   code asked for ──found──► machine shown ──approve──► let in
 *                                  └───────────deny────► kept out
 */
type Step =
  | { readonly kind: 'code' }
  | { readonly kind: 'machine'; readonly code: string; readonly machine: WaitingMachine }
  | { readonly kind: 'done'; readonly isLetIn: boolean; readonly machine: WaitingMachine };

export function PairPage(): ReactNode {
  const [step, setStep] = useState<Step>({ kind: 'code' });
  // On the page of a relay, whose own address no other machine reaches.
  const { answer } = useApi<{ readonly server?: string }>('/api/auth/ways');
  const elsewhere = answer.status === 'ready' ? answer.data.server : undefined;
  return (
    <>
      <PageHeader title="Pair a machine or terminal" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-md space-y-5 p-4 pt-8 md:p-6 md:pt-12">
          {elsewhere !== undefined && <OnTheServer address={`${elsewhere}/pair`} />}
          {elsewhere === undefined && step.kind === 'code' && <CodeForm onFound={(code, machine) => setStep({ kind: 'machine', code, machine })} />}
          {step.kind === 'machine' && (
            <Decision
              code={step.code}
              machine={step.machine}
              onDecided={(isLetIn) => setStep({ kind: 'done', isLetIn, machine: step.machine })}
              onBack={() => setStep({ kind: 'code' })}
            />
          )}
          {step.kind === 'done' && <Done isLetIn={step.isLetIn} machine={step.machine} />}
        </div>
      </main>
    </>
  );
}

function OnTheServer({ address }: { address: string }): ReactNode {
  return (
    <p className="text-sm text-muted">
      This page comes from a machine. Others are let in on the server's own page:{' '}
      <a href={address} className="text-accent-ink underline underline-offset-2 wrap-anywhere">
        {address}
      </a>
    </p>
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
      <p className="text-sm text-muted">In the folder of Tendon on the machine that you want to let in, run one of these. It shows a code.</p>
      <Command about="The agent works on that machine" name="gateway" />
      <Command about="You talk to the agent from its terminal" name="chat" />
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

function Command({ about, name }: { about: string; name: string }): ReactNode {
  return (
    <p className="text-xs text-muted">
      {about}
      <code dir="ltr" className="mt-1 block rounded-lg border border-line bg-panel px-3 py-2 font-mono text-xs text-text wrap-anywhere">
        npx tendon {name} --server {location.origin}
      </code>
    </p>
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
  const isTerminal = machine.kind === 'terminal';
  return (
    <section ref={focusHere} tabIndex={-1} aria-label={isTerminal ? 'Terminal that waits' : 'Machine that waits'} className="space-y-4 outline-offset-8">
      <div className="space-y-2 rounded-xl border border-line bg-raised p-4">
        <h2 className="flex items-center gap-2 font-medium">
          {isTerminal ? <SquareTerminal aria-hidden className="size-4 shrink-0 text-faint" /> : <Monitor aria-hidden className="size-4 shrink-0 text-faint" />}
          <span className="min-w-0 wrap-anywhere">
            <VisibleText text={machine.name} />
          </span>
        </h2>
        <p className="text-sm text-muted">
          {isTerminal ? 'A terminal on a machine of this name. ' : ''}Asked at {TIME.format(new Date(machine.askedAt))} from{' '}
          <bdi className="font-mono text-xs">{machine.address}</bdi>
        </p>
        <p className="font-mono text-lg tracking-widest">{code.toUpperCase()}</p>
      </div>
      {isTerminal ? <TerminalRights /> : <MachineRights hasRelay={machine.relay} />}
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

function MachineRights({ hasRelay }: { hasRelay: boolean }): ReactNode {
  return (
    <>
      <p className="text-sm text-muted">
        Let it in only when you started it yourself and its terminal shows this very code. The agent can then ask to read and change files and to run commands
        on it; you approve each of them as on every machine.
      </p>
      {hasRelay && (
        <Notice tone="warn">
          It also asks to show your sessions to a browser on it. Whoever sits at it can then read them, write to the agent and approve what it asks, as you,
          until you revoke the key under Devices and keys.
        </Notice>
      )}
    </>
  );
}

function TerminalRights(): ReactNode {
  return (
    <>
      <p className="text-sm text-muted">
        Let it in only when you started it yourself and it shows this very code. It gets no access to keys, people or machines.
      </p>
      <Notice tone="warn">
        Whoever sits at it can read your sessions, write to the agent and approve what it asks, as you, until you revoke its key under Devices and keys.
      </Notice>
    </>
  );
}

function Done({ isLetIn, machine }: { isLetIn: boolean; machine: WaitingMachine }): ReactNode {
  const isTerminal = machine.kind === 'terminal';
  return (
    <div ref={focusHere} tabIndex={-1} role="status" className="space-y-4 outline-offset-8">
      <p className="text-base">
        <VisibleText text={machine.name} /> {isLetIn ? 'is let in. It connects within a few seconds.' : 'is kept out, and told so.'}
      </p>
      <Link href={isTerminal ? '/access' : '/machines'} className="text-sm text-accent underline underline-offset-4">
        {isTerminal ? 'See your keys' : 'See your machines'}
      </Link>
    </div>
  );
}
