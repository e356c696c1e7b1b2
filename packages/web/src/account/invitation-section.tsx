import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { Section } from '../access/section.tsx';
import { useAction } from '../access/use-action.ts';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { Notice } from '../ui/notice.tsx';
import { SecretText } from '../ui/secret-text.tsx';
import { Field } from './field.tsx';

interface Invitation {
  readonly id: string;
  readonly name: string;
  readonly role: 'owner' | 'member';
  readonly expiresAt: string;
}

/** Open invitations, and a new one whose link is shown once (SPEC A6). */
export function InvitationSection(): ReactNode {
  const { answer, reload } = useApi<{ invitations: readonly Invitation[] }>('/api/invitations');
  return (
    <Section id="invitations" title="Invitations" about="A link makes one account. Send it to the person and nobody else.">
      <NewInvitation onMade={reload} />
      <Asked answer={answer} reload={reload}>
        {({ invitations }) =>
          invitations.length === 0 ? (
            <p className="py-1 text-sm text-muted">No invitation is open.</p>
          ) : (
            <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
              {invitations.map((invitation) => (
                <InvitationRow key={invitation.id} invitation={invitation} onRevoked={reload} />
              ))}
            </ul>
          )
        }
      </Asked>
    </Section>
  );
}

function NewInvitation({ onMade }: { onMade: () => void }): ReactNode {
  const [name, setName] = useState('');
  const [role, setRole] = useState<'member' | 'owner'>('member');
  const [url, setUrl] = useState<string>();
  const { isBusy, error, run } = useAction(
    () => callApi<{ url: string }>('POST', '/api/invitations', { name: name.trim(), role }),
    (made) => {
      setUrl(made.url);
      setName('');
      onMade();
    },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setUrl(undefined);
    if (!isBusy && name.trim() !== '') run();
  };
  return (
    <form onSubmit={submit} className="space-y-3 rounded-xl border border-line-strong bg-raised p-4">
      <div className="grid gap-3 sm:grid-cols-[1fr_11rem]">
        <Field label="For whom?" required maxLength={100} value={name} onText={setName} placeholder="Ada" />
        <label className="flex flex-col gap-1.5 text-xs text-muted">
          <span>As</span>
          <select
            value={role}
            onChange={(event) => setRole(event.target.value === 'owner' ? 'owner' : 'member')}
            className="h-9 w-full rounded-lg border border-line-strong bg-panel px-3 text-sm text-text pointer-coarse:h-11"
          >
            <option value="member">Member</option>
            <option value="owner">Owner</option>
          </select>
        </label>
      </div>
      {error !== undefined && <Notice>{error}</Notice>}
      <Button type="submit" variant="primary" disabled={isBusy || name.trim() === ''}>
        {isBusy ? 'Inviting…' : 'Invite'}
      </Button>
      {url !== undefined && (
        <div role="status" className="space-y-2">
          <p className="text-sm">Copy the link now: it is not shown again. It works once, for seven days.</p>
          <SecretText text={url} label="Copy the invitation" />
        </div>
      )}
    </form>
  );
}

function InvitationRow({ invitation, onRevoked }: { invitation: Invitation; onRevoked: () => void }): ReactNode {
  const { isBusy, error, run } = useAction(() => callApi('DELETE', `/api/invitations/${invitation.id}`), onRevoked);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-40">
        <p className="text-sm font-medium wrap-anywhere">
          <bdi>{invitation.name}</bdi>
        </p>
        <p className="text-xs text-faint">
          {invitation.role === 'owner' ? 'As an owner' : 'As a member'}, until {day(invitation.expiresAt)}
        </p>
        {error !== undefined && <Notice>{error}</Notice>}
      </div>
      <Button size="sm" variant="danger" disabled={isBusy} onClick={run}>
        {isBusy ? 'Taking back…' : 'Take back'}
      </Button>
    </li>
  );
}
