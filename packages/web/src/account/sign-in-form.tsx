import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { Field } from './field.tsx';

/** Address and password (SPEC A1). The page loads anew once they are right. */
export function SignInForm(): ReactNode {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { isBusy, error, run } = useAction(
    () => callApi('POST', '/api/auth/sign-in', { email, password }),
    () => location.reload(),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) run();
  };
  return (
    <form onSubmit={submit} className="space-y-3">
      <Field label="E-mail address" type="email" autoComplete="username" required value={email} onText={setEmail} />
      <Field label="Password" type="password" autoComplete="current-password" required value={password} onText={setPassword} />
      {error !== undefined && <Notice>{error}</Notice>}
      <Button type="submit" variant="primary" disabled={isBusy || email === '' || password === ''}>
        {isBusy ? 'Signing in…' : 'Sign in'}
      </Button>
    </form>
  );
}
