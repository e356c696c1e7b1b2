import { useApi } from '../access/use-api.ts';

/** Whether the person may see the others here (SPEC A9). False until it is known. */
export function useIsOwner(): boolean {
  const { answer } = useApi<{ user: { role: 'owner' | 'member' } }>('/api/me');
  return answer.status === 'ready' && answer.data.user.role === 'owner';
}
