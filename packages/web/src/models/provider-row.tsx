import { KeyRound, Server } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { Field } from '../account/field.tsx';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { keyFacts, labelOf, type Provider } from './provider-text.ts';
import { UnheardServer } from './unheard-server.tsx';

interface ProviderRowProps {
  readonly provider: Provider;
  readonly onChanged: () => void;
}

/** One provider: resting, being given a key, or asked whether its key shall go. */
export function ProviderRow({ provider, onChanged }: ProviderRowProps): ReactNode {
  const [state, setState] = useState<'resting' | 'entering' | 'removing'>('resting');
  const label = labelOf(provider.provider);
  const hasAddress = provider.provider === 'compatible' && (provider.isFromEnvironment || provider.stored?.url !== undefined);
  const rest = () => setState('resting');
  const changed = () => {
    rest();
    onChanged();
  };
  const what = provider.provider === 'compatible' ? 'address' : 'key';
  const entering = `${provider.stored ? 'Replace' : 'Enter'} ${what}`;
  return (
    <li aria-label={label} className="space-y-3 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <span aria-hidden className="text-faint [&_svg]:size-4.5">
          {provider.provider === 'compatible' ? <Server /> : <KeyRound />}
        </span>
        <div className="min-w-0 flex-1 basis-40">
          <p className="text-sm font-medium">{label}</p>
          <p className="flex flex-wrap gap-x-3 text-xs text-faint">
            {keyFacts(provider).map((fact) => (
              <bdi key={fact} className="wrap-anywhere">
                {fact}
              </bdi>
            ))}
          </p>
        </div>
        {state === 'resting' && (
          <div className="flex flex-wrap items-center gap-2">
            {!provider.isFromEnvironment && (
              <Button size="sm" aria-label={`${entering} of ${label}`} onClick={() => setState('entering')}>
                {entering}
              </Button>
            )}
            {provider.stored && (
              <Button size="sm" variant="danger" aria-label={`Remove ${what} of ${label}`} onClick={() => setState('removing')}>
                Remove
              </Button>
            )}
          </div>
        )}
      </div>
      {provider.stored?.fault !== undefined && state === 'resting' && <Notice>This key cannot be used: {provider.stored.fault}</Notice>}
      {hasAddress && state === 'resting' && <UnheardServer key={provider.stored?.setAt} />}
      {state === 'entering' && <KeyForm provider={provider} onSaved={changed} onCancel={rest} />}
      {state === 'removing' && <Removal provider={provider} onRemoved={changed} onCancel={rest} />}
    </li>
  );
}

function KeyForm({ provider, onSaved, onCancel }: { provider: Provider; onSaved: () => void; onCancel: () => void }): ReactNode {
  const hasAddress = provider.provider === 'compatible';
  const [url, setUrl] = useState(provider.stored?.url ?? '');
  const [key, setKey] = useState('');
  const body = hasAddress ? { url, ...(key.trim() === '' ? {} : { key }) } : { key };
  const { isBusy, error, run } = useAction(() => callApi('POST', `/api/providers/${provider.provider}`, body), onSaved);
  const isComplete = hasAddress ? url.trim() !== '' : key.trim() !== '';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy && isComplete) run();
  };
  return (
    <form onSubmit={submit} className="space-y-3">
      {hasAddress && (
        <Field
          label="Address that speaks OpenAI's chat completions"
          type="url"
          autoFocus
          autoComplete="off"
          spellCheck={false}
          placeholder="http://127.0.0.1:8000/v1"
          value={url}
          onText={setUrl}
        />
      )}
      <Field
        label={hasAddress ? 'Key, if it wants one (with another address it must be entered again)' : `Key of ${labelOf(provider.provider)}`}
        type="password"
        autoFocus={!hasAddress}
        autoComplete="off"
        spellCheck={false}
        value={key}
        onText={setKey}
      />
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" size="sm" variant="primary" disabled={isBusy || !isComplete}>
          {isBusy ? 'Saving…' : 'Save'}
        </Button>
        <Button size="sm" disabled={isBusy} onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function Removal({ provider, onRemoved, onCancel }: { provider: Provider; onRemoved: () => void; onCancel: () => void }): ReactNode {
  const { isBusy, error, run } = useAction(() => callApi('DELETE', `/api/providers/${provider.provider}`), onRemoved);
  return (
    <div className="space-y-2">
      {error !== undefined && <Notice>{error}</Notice>}
      <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
        <span>Its models can then be used no more, unless the environment sets a key.</span>
        <Button size="sm" variant="danger" autoFocus disabled={isBusy} onClick={run}>
          {isBusy ? 'Removing…' : `Remove the ${provider.provider === 'compatible' ? 'address' : 'key'}`}
        </Button>
        <Button size="sm" disabled={isBusy} onClick={onCancel}>
          Keep
        </Button>
      </div>
    </div>
  );
}
