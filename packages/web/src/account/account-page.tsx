import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { faultOf } from '../access/fault-of.ts';
import { Section } from '../access/section.tsx';
import { useAction } from '../access/use-action.ts';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { AuditSection } from './audit-section.tsx';
import { Field } from './field.tsx';
import { ProviderButton } from './provider-button.tsx';
import { SecondFactorSection } from './second-factor-section.tsx';

interface Account {
  readonly name: string;
  readonly email?: string;
  readonly role: 'owner' | 'member';
  readonly hasPassword: boolean;
  readonly mayLeaveOutPassword: boolean;
  readonly provider?: string;
  readonly isConnected?: boolean;
}

/** The account of the person: how they are called, how they come in, and what was done with it. */
export function AccountPage(): ReactNode {
  const { answer, reload } = useApi<{ account: Account }>('/api/account');
  return (
    <>
      <PageHeader title="Account" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-10 p-4 md:p-6">
          <Asked answer={answer} reload={reload}>
            {({ account }) => (
              <>
                <Description account={account} onChanged={reload} />
                <PasswordSection account={account} onChanged={reload} />
                <SecondFactorSection hasPassword={account.hasPassword} />
                {account.provider !== undefined && <ProviderSection name={account.provider} isConnected={account.isConnected === true} onChanged={reload} />}
              </>
            )}
          </Asked>
          <AuditSection />
        </div>
      </main>
    </>
  );
}

function Description({ account, onChanged }: { account: Account; onChanged: () => void }): ReactNode {
  const [name, setName] = useState(account.name);
  const [email, setEmail] = useState(account.email ?? '');
  const { isBusy, error, run } = useAction(() => callApi('POST', '/api/account', { name, ...(email === '' ? {} : { email }) }), onChanged);
  const isChanged = name.trim() !== account.name || email !== (account.email ?? '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) run();
  };
  return (
    <Section id="you" title="You" about={account.role === 'owner' ? 'You are an owner: you invite others and see what is done here.' : 'You are a member.'}>
      <form onSubmit={submit} className="space-y-3 rounded-xl border border-line bg-raised p-4">
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Name" required maxLength={100} autoComplete="name" value={name} onText={setName} />
          <Field label="E-mail address" type="email" autoComplete="username" value={email} onText={setEmail} placeholder="None yet" />
        </div>
        {error !== undefined && <Notice>{error}</Notice>}
        <Button type="submit" disabled={isBusy || !isChanged || name.trim() === ''}>
          {isBusy ? 'Saving…' : 'Save'}
        </Button>
      </form>
    </Section>
  );
}

function PasswordSection({ account, onChanged }: { account: Account; onChanged: () => void }): ReactNode {
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [isDone, setDone] = useState(false);
  const asksCurrent = account.hasPassword && !account.mayLeaveOutPassword;
  const { isBusy, fault, run } = useAction(
    () => callApi('POST', '/api/account/password', { password, ...(asksCurrent ? { current } : {}) }),
    () => {
      setCurrent('');
      setPassword('');
      setDone(true);
      onChanged();
    },
  );
  const weak = faultOf(fault, 'password');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setDone(false);
    if (!isBusy) run();
  };
  return (
    <Section id="password" title="Password" about="With your address and a password you sign in anywhere. A new one signs out your other browsers.">
      <form onSubmit={submit} className="space-y-3 rounded-xl border border-line bg-raised p-4">
        {account.email === undefined && <p className="text-sm text-muted">Give your e-mail address above first.</p>}
        <div className="grid gap-3 sm:grid-cols-2">
          {asksCurrent && <Field label="Current password" type="password" autoComplete="current-password" value={current} onText={setCurrent} />}
          <Field label="New password, at least 12 characters" type="password" autoComplete="new-password" value={password} onText={setPassword} fault={weak} />
        </div>
        {fault !== undefined && weak === undefined && <Notice>{fault.message}</Notice>}
        {isDone && (
          <p role="status" className="text-sm">
            The password is set. Your other browsers are signed out.
          </p>
        )}
        <Button type="submit" disabled={isBusy || password === '' || account.email === undefined}>
          {isBusy ? 'Setting…' : account.hasPassword ? 'Change the password' : 'Set the password'}
        </Button>
      </form>
    </Section>
  );
}

function ProviderSection({ name, isConnected, onChanged }: { name: string; isConnected: boolean; onChanged: () => void }): ReactNode {
  const { isBusy, error, run } = useAction(() => callApi('DELETE', '/api/account/provider'), onChanged);
  return (
    <Section id="provider" title={name} about={isConnected ? 'You can sign in with it.' : 'Connect it to sign in with it.'}>
      {error !== undefined && <Notice>{error}</Notice>}
      {isConnected ? (
        <Button disabled={isBusy} onClick={run}>
          {isBusy ? 'Disconnecting…' : 'Disconnect'}
        </Button>
      ) : (
        <ProviderButton name={name} verb="Connect" errand={{ errand: 'connect' }} />
      )}
    </Section>
  );
}
