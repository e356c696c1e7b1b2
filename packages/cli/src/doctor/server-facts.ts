import type { Config } from '@tendon/server/settings';
import { z } from 'zod';
import { clientOf } from '../control-client.ts';
import { runningServer } from '../home-lock.ts';
import { readSealing, type Sealing, sealingLines, sealingMend } from '../sealing.ts';
import type { Finding } from './finding.ts';

/** What the server that runs on this home says; `none` when there is none, or it does not answer. */
export type ServerFacts = { readonly kind: 'none' } | { readonly kind: 'running'; readonly sealing: Sealing; readonly storedProviders: readonly string[] };

const providersSchema = z.object({
  providers: z.array(z.object({ provider: z.string(), isFromEnvironment: z.boolean(), stored: z.object({ fault: z.string().optional() }).optional() })),
});

export async function askServer(config: Config): Promise<ServerFacts> {
  const running = runningServer(config.home);
  if (running?.url === undefined || running.controlKey === undefined) return { kind: 'none' };
  const server = clientOf(running.url, running.controlKey);
  try {
    const { providers } = providersSchema.parse(await server.call('GET', '/api/providers'));
    const usable = providers.filter(({ isFromEnvironment, stored }) => !isFromEnvironment && stored !== undefined && stored.fault === undefined);
    return { kind: 'running', sealing: await readSealing(server), storedProviders: usable.map(({ provider }) => provider) };
  } catch {
    return { kind: 'none' };
  }
}

export function checkSecrets(facts: ServerFacts): Finding {
  const subject = 'secrets';
  if (facts.kind === 'none') return { subject, state: 'ok', detail: 'not looked at, because no server runs on this home: tendon secrets status looks' };
  const mend = sealingMend(facts.sealing);
  const detail = sealingLines(facts.sealing).join('; ');
  return mend === undefined ? { subject, state: 'ok', detail } : { subject, state: 'broken', detail, mend };
}
