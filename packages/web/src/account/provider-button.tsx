import type { ReactNode } from 'react';
import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

interface ProviderButtonProps {
  /** What the provider calls itself. */
  readonly name: string;
  readonly verb: 'Sign in with' | 'Join with' | 'Connect';
  readonly errand: { readonly errand: 'sign_in' | 'connect' } | { readonly errand: 'join'; readonly token: string };
}

/** Leaves for the identity provider (SPEC A7). */
export function ProviderButton({ name, verb, errand }: ProviderButtonProps): ReactNode {
  const { isBusy, error, run } = useAction(
    () => callApi<{ url: string }>('POST', '/api/auth/provider', errand),
    ({ url }) => location.assign(url),
  );
  return (
    <div className="space-y-2">
      {error !== undefined && <Notice>{error}</Notice>}
      <Button disabled={isBusy} onClick={run}>
        {isBusy ? 'One moment…' : `${verb} ${name}`}
      </Button>
    </div>
  );
}
