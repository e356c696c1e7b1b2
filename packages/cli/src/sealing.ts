import { z } from 'zod';
import type { ControlClient } from './control-client.ts';

const sealingSchema = z.object({
  current: z.string(),
  keys: z.array(z.object({ id: z.string(), rows: z.number(), isHere: z.boolean() })),
});

export type Sealing = z.infer<typeof sealingSchema>;

/** How the secrets of a server's database are sealed. */
export async function readSealing(server: ControlClient): Promise<Sealing> {
  return sealingSchema.parse(await server.call('GET', '/api/secrets'));
}

/** One line for each key that has sealed something, the current one first. */
export function sealingLines({ current, keys }: Sealing): readonly string[] {
  if (keys.length === 0) return [`no secret is stored; the current key is ${current}`];
  return keys
    .toSorted((a, b) => Number(b.id === current) - Number(a.id === current))
    .map(({ id, rows, isHere }) => {
      const what = id === current ? 'the current key' : isHere ? 'another key that is here, still needed' : 'a key that is not here';
      return `${rows === 1 ? '1 secret' : `${rows} secrets`} sealed with ${id} (${what})`;
    });
}

/** What to do about secrets that cannot be opened; undefined when all is well. */
export function sealingMend({ current, keys }: Sealing): string | undefined {
  if (keys.some(({ isHere }) => !isHere))
    return 'Give the missing key as TENDON_SECRET_KEY_PREVIOUS and start again, or enter these secrets anew on the page Models.';
  return keys.some(({ id }) => id !== current) ? STILL_NEEDED : undefined;
}

const STILL_NEEDED =
  'They are sealed with the current key at the next start, once every server on the database seals with it. What stays then was damaged: enter it anew on the page Models.';
