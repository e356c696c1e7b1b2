import { z } from 'zod';
import { withServer } from '../control-client.ts';
import { note } from '../output.ts';
import { requireSettings, type SettingFlags } from '../settings.ts';

/** `tendon second-factor reset`: for the first owner, who has lost their app and has nobody else to ask. Only on the server's own machine. */
export async function resetSecondFactor(flags: SettingFlags): Promise<void> {
  const config = await requireSettings(flags);
  const answer = await withServer(config, undefined, (server) => server.call('POST', '/api/second-factor/reset'));
  const { wasOn } = z.object({ wasOn: z.boolean() }).parse(answer);
  note(
    wasOn
      ? 'The first owner’s second factor is off. Sign in with the password, and set it up again on the page Account.'
      : 'The first owner has no second factor: the password alone signs in. For anybody else, an owner resets it on the page People.',
  );
}
