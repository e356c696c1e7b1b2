import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { CodeForm } from './code-form.tsx';
import { Field } from './field.tsx';

/**
 * Address and password (SPEC A1), and a code for those who have a second factor. The page loads anew once all is right.
 *
 *   password ──right──► in
 *     ▲   └──right, but not enough──► code ──right──► in
 *     └──────────start again───────────┘
 */
export function SignInForm(): ReactNode {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [owesCode, setOwesCode] = useState(false);
  const { isBusy, error, run } = useAction(
    () => callApi<{ secondStep?: true }>('POST', '/api/auth/sign-in', { email, password }),
    ({ secondStep }) => {
      if (!secondStep) return location.reload();
      setPassword('');
      setOwesCode(true);
    },
  );
  if (owesCode) return <CodeForm onStartAgain={() => setOwesCode(false)} />;
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
