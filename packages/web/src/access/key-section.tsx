import { KeyRound, Monitor } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { Notice } from '../ui/notice.tsx';
import { callApi } from './api.ts';
import { NewKey } from './new-key.tsx';
import { Section } from './section.tsx';
import { useAction } from './use-action.ts';
import { useApi } from './use-api.ts';

interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly kind: 'user' | 'gateway';
  readonly prefix: string;
  readonly scopes?: readonly string[];
  readonly createdAt: string;
  readonly lastUsedAt?: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

/** The keys of machines and scripts: the live ones, the ended ones on demand, and a new one. */
export function KeySection(): ReactNode {
  const { answer, reload } = useApi<{ keys: readonly ApiKey[] }>('/api/keys');
  const [isMaking, setMaking] = useState(false);
  return (
    <Section
      id="keys"
      title="API keys"
      about="For machines, scripts and terminals. A key is shown once, when it is made."
      action={
        <Button size="sm" disabled={isMaking} onClick={() => setMaking(true)}>
          New key
        </Button>
      }
    >
      {isMaking && <NewKey onMade={reload} onClose={() => setMaking(false)} />}
      <Asked answer={answer} reload={reload}>
        {({ keys }) => <KeyLists keys={keys} onRevoked={reload} />}
      </Asked>
    </Section>
  );
}

function KeyLists({ keys, onRevoked }: { keys: readonly ApiKey[]; onRevoked: () => void }): ReactNode {
  const live = keys.filter((key) => endOf(key) === undefined);
  const ended = keys.filter((key) => endOf(key) !== undefined);
  return (
    <>
      {live.length === 0 ? (
        <p className="py-3 text-sm text-muted">There is no key. A machine elsewhere needs one: make it here and give it as TENDON_API_KEY.</p>
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
          {live.map((key) => (
            <KeyRow key={key.id} apiKey={key} onRevoked={onRevoked} />
          ))}
        </ul>
      )}
      {ended.length > 0 && (
        <details className="text-sm">
          <summary className="cursor-pointer py-1 text-muted hover:text-text">{ended.length === 1 ? '1 ended key' : `${ended.length} ended keys`}</summary>
          <ul className="mt-2 divide-y divide-line rounded-xl border border-line">
            {ended.map((key) => (
              <KeyRow key={key.id} apiKey={key} onRevoked={onRevoked} />
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** Why a key is over; undefined while it lives. */
function endOf({ revokedAt, expiresAt }: ApiKey): string | undefined {
  if (revokedAt !== undefined) return `Revoked ${day(revokedAt)}`;
  return expiresAt !== undefined && new Date(expiresAt) <= new Date() ? `Expired ${day(expiresAt)}` : undefined;
}

function KeyRow({ apiKey, onRevoked }: { apiKey: ApiKey; onRevoked: () => void }): ReactNode {
  const { isBusy, error, run } = useAction(() => callApi('DELETE', `/api/keys/${apiKey.id}`), onRevoked);
  const [isAsking, setAsking] = useState(false);
  const end = endOf(apiKey);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <span aria-hidden className="text-faint [&_svg]:size-4.5">
        {apiKey.kind === 'gateway' ? <Monitor /> : <KeyRound />}
      </span>
      <div className="min-w-0 flex-1 basis-40">
        <p className="text-sm font-medium wrap-anywhere">{apiKey.name}</p>
        <p className="flex flex-wrap gap-x-3 text-xs text-faint">
          <bdi className="font-mono">{apiKey.prefix}…</bdi>
          <span>{apiKey.kind === 'gateway' ? 'One machine only' : (apiKey.scopes?.join(', ') ?? 'All that you can do')}</span>
          <span>Made {day(apiKey.createdAt)}</span>
          <span>{apiKey.lastUsedAt === undefined ? 'Never used' : `Last used ${day(apiKey.lastUsedAt)}`}</span>
          <span>{end ?? (apiKey.expiresAt === undefined ? 'Does not expire' : `Expires ${day(apiKey.expiresAt)}`)}</span>
        </p>
        {error !== undefined && <Notice>{error}</Notice>}
      </div>
      {end === undefined && !isAsking && (
        <Button variant="danger" size="sm" onClick={() => setAsking(true)}>
          Revoke
        </Button>
      )}
      {end === undefined && isAsking && (
        <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
          <span>Whoever uses it is cut off, for good.</span>
          <Button variant="danger" size="sm" disabled={isBusy} onClick={run}>
            {isBusy ? 'Revoking…' : 'Revoke the key'}
          </Button>
          <Button size="sm" disabled={isBusy} onClick={() => setAsking(false)}>
            Keep
          </Button>
        </div>
      )}
    </li>
  );
}
