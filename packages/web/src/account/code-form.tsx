import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { Button } from '../ui/button.tsx';
import { focusHere } from '../ui/focus-here.ts';
import { Notice } from '../ui/notice.tsx';
import { Field } from './field.tsx';

/** The code after the password (SPEC A23). The page loads anew once it is right. */
export function CodeForm({ onStartAgain }: { onStartAgain: () => void }): ReactNode {
  const [code, setCode] = useState('');
  const [isRecovery, setRecovery] = useState(false);
  const { isBusy, error, run } = useAction(
    () => callApi('POST', '/api/auth/second-step', { code }),
    () => location.reload(),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) run();
  };
  const change = () => {
    setRecovery(!isRecovery);
    setCode('');
  };
  return (
    <form onSubmit={submit} className="space-y-3">
      <p className="text-base text-muted">Your password is right. One more thing:</p>
      {isRecovery ? (
        <Field key="recovery" ref={focusHere} label="A recovery code" autoComplete="off" spellCheck={false} maxLength={60} value={code} onText={setCode} />
      ) : (
        <Field
          key="app"
          ref={focusHere}
          label="Six digits that your app shows"
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={20}
          value={code}
          onText={setCode}
        />
      )}
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" variant="primary" disabled={isBusy || code === ''}>
          {isBusy ? 'Checking…' : 'Sign in'}
        </Button>
        <Button variant="ghost" onClick={change}>
          {isRecovery ? 'Use the app' : 'Use a recovery code'}
        </Button>
        <Button variant="ghost" onClick={onStartAgain}>
          Start again
        </Button>
      </div>
      <p className="text-sm text-muted">
        Without the app and the recovery codes: an owner can reset your second factor; for the first owner,{' '}
        <code className="font-mono text-xs">tendon second-factor reset</code> does so on the server’s machine.
      </p>
    </form>
  );
}
