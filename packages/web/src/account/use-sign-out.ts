import { callApi } from '../access/api.ts';
import { useAction } from '../access/use-action.ts';
import { plural } from '../tool-call/call-title.ts';
import { forgetPerson, leftBehind } from './left-behind.ts';
import { signingOut } from './signing-out.ts';

/** Signs this browser out, and removes what its person typed here (SPEC U39). The page loads anew then. */
export function useSignOut(): { readonly isBusy: boolean; readonly error: string | undefined; readonly run: () => void } {
  return useAction(
    async () => {
      signingOut.set(true);
      const answer = await callApi('POST', '/api/auth/sign-out');
      if (!answer.ok) signingOut.set(false);
      return answer;
    },
    () => {
      forgetPerson(localStorage);
      location.assign('/');
    },
  );
}

/** What signing out removes, to be said before, as the rest of a sentence; undefined when it is nothing. */
export function removedBySignOut(): string | undefined {
  const { drafts, unsent } = leftBehind(localStorage);
  const parts = [...(unsent > 0 ? [plural(unsent, 'message')] : []), ...(drafts > 0 ? [plural(drafts, 'draft')] : [])];
  return parts.length === 0 ? undefined : `removes what is not sent yet: ${parts.join(' and ')}.`;
}
