import { type FormEvent, type ReactNode, Suspense, useState } from 'react';
import { callApi } from '../access/api.ts';
import { Section } from '../access/section.tsx';
import { useAction } from '../access/use-action.ts';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { lazyPart } from '../connection/lazy-part.ts';
import { Button } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { focusHere } from '../ui/focus-here.ts';
import { Notice } from '../ui/notice.tsx';
import { SecretText } from '../ui/secret-text.tsx';
import { Field } from './field.tsx';

const QrPicture = lazyPart(async () => ({ default: (await import('./qr-picture.tsx')).QrPicture }));

const PATH = '/api/account/second-factor';
const CARD = 'space-y-3 rounded-xl border border-line bg-raised p-4';

interface Look {
  readonly isOn: boolean;
  readonly recoveryCodesLeft: number;
}

interface Secret {
  readonly secret: string;
  readonly uri: string;
}

/**
 * A code of an app after the password (SPEC A22 to A25):
 *
 *   off ──password──► secret shown ──a code of it──► recovery codes shown, once ──done──► on
 *    ▲                  │ cancel                         ▲                                 │
 *    └──────────────────┘◄──────── password and code ────┴──── password and code ──────────┘
 */
export function SecondFactorSection({ hasPassword }: { hasPassword: boolean }): ReactNode {
  const { answer, reload } = useApi<Look>(PATH);
  const [recoveryCodes, setRecoveryCodes] = useState<readonly string[]>();
  const onCodes = (made: { recoveryCodes: readonly string[] }) => {
    setRecoveryCodes(made.recoveryCodes);
    reload();
  };
  return (
    <Section
      id="second-factor"
      title="Second factor"
      about="A code of an app on your phone, asked for after the password. Whoever has only learned your password stays out."
    >
      <Asked answer={answer} reload={reload}>
        {({ isOn, recoveryCodesLeft }) => {
          if (recoveryCodes) return <RecoveryCodes codes={recoveryCodes} onClose={() => setRecoveryCodes(undefined)} />;
          if (isOn) return <Switched left={recoveryCodesLeft} onCodes={onCodes} onOff={reload} />;
          return <SetUp hasPassword={hasPassword} onCodes={onCodes} />;
        }}
      </Asked>
    </Section>
  );
}

function SetUp({ hasPassword, onCodes }: { hasPassword: boolean; onCodes: (made: { recoveryCodes: readonly string[] }) => void }): ReactNode {
  const [password, setPassword] = useState('');
  const [secret, setSecret] = useState<Secret>();
  const { isBusy, error, run } = useAction(
    () => callApi<Secret>('POST', PATH, { password }),
    (begun) => {
      setPassword('');
      setSecret(begun);
    },
  );
  if (secret) return <Confirm secret={secret} onCodes={onCodes} onCancel={() => setSecret(undefined)} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy && password !== '') run();
  };
  if (!hasPassword) return <p className="text-sm text-muted">Off. Set a password above first: the code is asked for after it.</p>;
  return (
    <form onSubmit={submit} className={CARD}>
      <p className="text-sm text-muted">Off. You need an app that makes such codes (TOTP).</p>
      <Field label="Your password" type="password" autoComplete="current-password" value={password} onText={setPassword} />
      {error !== undefined && <Notice>{error}</Notice>}
      <Button type="submit" disabled={isBusy || password === ''}>
        {isBusy ? 'One moment…' : 'Set it up'}
      </Button>
    </form>
  );
}

interface ConfirmProps {
  readonly secret: Secret;
  readonly onCodes: (made: { recoveryCodes: readonly string[] }) => void;
  readonly onCancel: () => void;
}

function Confirm({ secret, onCodes, onCancel }: ConfirmProps): ReactNode {
  const [code, setCode] = useState('');
  const { isBusy, error, run } = useAction(() => callApi<{ recoveryCodes: readonly string[] }>('POST', `${PATH}/confirm`, { code }), onCodes);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy && code !== '') run();
  };
  return (
    <form ref={focusHere} tabIndex={-1} onSubmit={submit} className={CARD}>
      <p className="text-sm">Scan this with the app, or open it on this device, or type the key into the app.</p>
      <Suspense fallback={<div aria-hidden className="size-52 animate-breathe rounded-lg bg-hover" />}>
        <QrPicture text={secret.uri} label="QR code for the app; the same as the key below" />
      </Suspense>
      <p className="text-sm">
        <a href={secret.uri} className="inline-block py-1 text-accent-ink underline underline-offset-2">
          Open in an app on this device
        </a>
      </p>
      <SecretText text={secret.secret.replaceAll(/.{4}(?=.)/g, '$& ')} label="Copy the key" />
      <Field label="Six digits that the app shows" inputMode="numeric" autoComplete="one-time-code" maxLength={20} value={code} onText={setCode} />
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" disabled={isBusy || code === ''}>
          {isBusy ? 'Checking…' : 'Switch it on'}
        </Button>
        <Button variant="ghost" onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function RecoveryCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }): ReactNode {
  return (
    <div role="status" className={CARD}>
      <p className="text-sm">
        The second factor is on. Keep these recovery codes where your phone is not: each signs you in once, after the password. They are not shown again.
      </p>
      <div className="flex items-start gap-2 rounded-lg border border-line bg-panel ps-3">
        <ol aria-label="Recovery codes" className="min-w-0 flex-1 py-2">
          {codes.map((code) => (
            <li key={code} dir="ltr" className="font-mono text-xs leading-6 wrap-anywhere">
              {code}
            </li>
          ))}
        </ol>
        <CopyButton text={codes.join('\n')} label="Copy the recovery codes" />
      </div>
      <Button onClick={onClose}>I have kept them</Button>
    </div>
  );
}

interface SwitchedProps {
  readonly left: number;
  readonly onCodes: (made: { recoveryCodes: readonly string[] }) => void;
  readonly onOff: () => void;
}

function Switched({ left, onCodes, onOff }: SwitchedProps): ReactNode {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const proof = { password, code };
  const renew = useAction(() => callApi<{ recoveryCodes: readonly string[] }>('POST', `${PATH}/recovery-codes`, proof), onCodes);
  const off = useAction(() => callApi('POST', `${PATH}/off`, proof), onOff);
  const isReady = !renew.isBusy && !off.isBusy && password !== '' && code !== '';
  const error = renew.error ?? off.error;
  return (
    <form onSubmit={(event) => event.preventDefault()} className={CARD}>
      <p className="text-sm">
        On. {left === 1 ? 'One recovery code is' : `${left} recovery codes are`} left{left < 3 ? ': make new ones.' : '.'}
      </p>
      <p className="text-sm text-muted">New recovery codes, which take the place of the old, and switching it off take your password and a code.</p>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Your password" type="password" autoComplete="current-password" value={password} onText={setPassword} />
        <Field label="Code of the app, or a recovery code" autoComplete="one-time-code" maxLength={60} value={code} onText={setCode} />
      </div>
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button disabled={!isReady} onClick={renew.run}>
          {renew.isBusy ? 'Making…' : 'New recovery codes'}
        </Button>
        <Button variant="danger" disabled={!isReady} onClick={off.run}>
          {off.isBusy ? 'Switching off…' : 'Switch it off'}
        </Button>
      </div>
    </form>
  );
}
