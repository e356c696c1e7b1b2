import { useApi } from '../access/use-api.ts';

export interface Me {
  readonly user: { readonly id: string; readonly role: 'owner' | 'member' };
  /** The way in that let this page in. */
  readonly via: 'disabled' | 'token' | 'jwt' | 'cookie';
}

/** Who uses this page. Undefined until it is known, and on the page of a relay. */
export function useMe(): Me | undefined {
  const { answer } = useApi<Me>('/api/me');
  return answer.status === 'ready' ? answer.data : undefined;
}

/** Whether the person may see the others here (SPEC A9). False until it is known. */
export function useIsOwner(): boolean {
  return useMe()?.user.role === 'owner';
}
