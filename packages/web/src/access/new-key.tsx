import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from '../ui/button.tsx';
import { focusHere } from '../ui/focus-here.ts';
import { Notice } from '../ui/notice.tsx';
import { SecretText } from '../ui/secret-text.tsx';
import { callApi } from './api.ts';
import { useAction } from './use-action.ts';

const LIFETIMES = [
  { days: 30, name: '30 days' },
  { days: 90, name: '90 days' },
  { days: 365, name: 'One year' },
  { days: undefined, name: 'Does not expire' },
] as const;

const SCOPES = [
  { name: 'All that you can do', scopes: undefined },
  { name: 'Talk, but not approve', scopes: ['read', 'write'] },
  { name: 'Only look', scopes: ['read'] },
] as const;

const FIELD = 'h-9 w-full rounded-lg border border-line-strong bg-panel px-3 text-sm pointer-coarse:h-11';

/**
 *   asked for a name and a lifetime ──make──► shown, once ──done──► closed
 */
export function NewKey({ onMade, onClose }: { onMade: () => void; onClose: () => void }): ReactNode {
  const [made, setMade] = useState<string>();
  const onKey = ({ key }: { key: string }) => {
    setMade(key);
    onMade();
  };
  return (
    <div className="space-y-3 rounded-xl border border-line-strong bg-raised p-4">
      {made === undefined ? <NewKeyForm onKey={onKey} onClose={onClose} /> : <MadeKey text={made} onClose={onClose} />}
    </div>
  );
}

function NewKeyForm({ onKey, onClose }: { onKey: (made: { key: string }) => void; onClose: () => void }): ReactNode {
  const [name, setName] = useState('');
  const [lifetime, setLifetime] = useState('90');
  const [reach, setReach] = useState(0);
  const expiry = lifetime === '' ? {} : { expiresInDays: Number(lifetime) };
  const scopes = SCOPES[reach]?.scopes;
  const { isBusy, error, run } = useAction(
    () => callApi<{ key: string }>('POST', '/api/keys', { name: name.trim(), ...expiry, ...(scopes && { scopes }) }),
    onKey,
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '' && !isBusy) run();
  };
  return (
    <form onSubmit={submit} className="space-y-3">
      <div className="grid gap-3 sm:grid-cols-[1fr_12rem_11rem]">
        <label className="flex flex-col gap-1.5 text-xs text-muted">
          <span>What is it for?</span>
          <input
            ref={focusHere}
            required
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
            placeholder="Office machine"
            className={FIELD}
          />
        </label>
        <label className="flex flex-col gap-1.5 text-xs text-muted">
          <span>Good for what?</span>
          <select value={reach} onChange={(event) => setReach(Number(event.target.value))} className={FIELD}>
            {SCOPES.map(({ name: text }, index) => (
              <option key={text} value={index}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label className="flex flex-col gap-1.5 text-xs text-muted">
          <span>How long?</span>
          <select value={lifetime} onChange={(event) => setLifetime(event.target.value)} className={FIELD}>
            {LIFETIMES.map(({ days, name: text }) => (
              <option key={text} value={days ?? ''}>
                {text}
              </option>
            ))}
          </select>
        </label>
      </div>
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" disabled={isBusy || name.trim() === ''}>
          {isBusy ? 'Making…' : 'Make the key'}
        </Button>
        <Button variant="ghost" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function MadeKey({ text, onClose }: { text: string; onClose: () => void }): ReactNode {
  return (
    <div role="status" className="space-y-3">
      <p className="text-sm">Copy it now: it is not shown again. Whoever has it can do what it is good for, as you.</p>
      <SecretText text={text} label="Copy the key" />
      <Button onClick={onClose}>Done</Button>
    </div>
  );
}
