import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { type ApiAnswer, callApi } from '../access/api.ts';
import { faultOf } from '../access/fault-of.ts';
import { useAction } from '../access/use-action.ts';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { Notice } from '../ui/notice.tsx';
import { Field } from './field.tsx';
import { ProviderButton } from './provider-button.tsx';

interface Invited {
  readonly invitation: { readonly name: string; readonly role: 'owner' | 'member'; readonly invitedBy: string; readonly expiresAt: string };
  readonly provider?: string;
}

/** Where an invitation leads (SPEC A6): its token stands in the fragment, which this page alone sees. */
export function JoinPage(): ReactNode {
  const [token] = useState(() => location.hash.slice(1));
  const [look, setLook] = useState<ApiAnswer<Invited>>();
  useEffect(() => {
    void callApi<Invited>('POST', '/api/auth/invitation', { token: token === '' ? 'none' : token }).then(setLook);
  }, [token]);
  return (
    <main className="flex min-h-full items-center justify-center p-6">
      <div className="w-full max-w-md space-y-5">
        <img src="/favicon.svg" alt="" className="size-10" />
        <h1 className="text-2xl font-semibold tracking-tight">Join Tendon</h1>
        {look === undefined && <p className="text-base text-muted">Looking at the invitation…</p>}
        {look?.ok === false && <Notice>{look.error.message}</Notice>}
        {look?.ok === true && <Joining token={token} invited={look.data} />}
      </div>
    </main>
  );
}

function Joining({ token, invited: { invitation, provider } }: { token: string; invited: Invited }): ReactNode {
  const [name, setName] = useState(invitation.name);
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { isBusy, fault, run } = useAction(
    () => callApi('POST', '/api/auth/join', { token, name, email, password }),
    () => location.assign('/'),
  );
  const weak = faultOf(fault, 'password');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) run();
  };
  return (
    <>
      <p className="text-base text-muted">
        <bdi>{invitation.invitedBy}</bdi> invites you{invitation.role === 'owner' ? ' as an owner' : ''}. The invitation works once, until{' '}
        {day(invitation.expiresAt)}.
      </p>
      {provider !== undefined && <ProviderButton name={provider} verb="Join with" errand={{ errand: 'join', token }} />}
      <form onSubmit={submit} className="space-y-3">
        <Field label="Your name" autoComplete="name" required maxLength={100} value={name} onText={setName} />
        <Field label="E-mail address, to sign in with" type="email" autoComplete="username" required value={email} onText={setEmail} />
        <Field
          label="Password, at least 12 characters"
          type="password"
          autoComplete="new-password"
          required
          value={password}
          onText={setPassword}
          fault={weak}
        />
        {fault !== undefined && weak === undefined && <Notice>{fault.message}</Notice>}
        <Button type="submit" variant="primary" disabled={isBusy || name.trim() === '' || email === '' || password === ''}>
          {isBusy ? 'Joining…' : 'Join'}
        </Button>
      </form>
    </>
  );
}
