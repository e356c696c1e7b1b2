import { type Config, StartError } from '@tendon/server/settings';
import { note } from './output.ts';
import { forgetPairing, type PairingPlace, pair, pairedKeys } from './pairing.ts';

/** What this machine shows to its server, and whether it was got by pairing. */
export interface MachineKeys {
  readonly key: string;
  /** For the machine's own page; undefined when no page is wanted. */
  readonly relayKey: string | undefined;
  readonly isPaired: boolean;
}

export interface MachinePlace extends PairingPlace {
  readonly gatewayId: string;
  readonly name: string;
  /** Whether it also shows the page. */
  readonly relay: boolean;
}

/** The key that was given, those of an earlier pairing, or of one that is made now. A pairing without what is needed now is made again. */
export async function machineKeys(config: Pick<Config, 'apiKey'>, place: MachinePlace): Promise<MachineKeys> {
  if (config.apiKey !== undefined) return { key: config.apiKey, relayKey: place.relay ? config.apiKey : undefined, isPaired: false };
  const kept = await pairedKeys(place);
  const keys = kept && (!place.relay || kept.relayKey !== undefined) ? kept : await pair(place, note);
  if (place.relay && keys.relayKey === undefined)
    throw new StartError(`the server at ${place.serverUrl} gives no key for a page on this machine: update it, or start without --relay`);
  return { key: keys.key, relayKey: place.relay ? keys.relayKey : undefined, isPaired: true };
}

/** The server has said that these are over. */
export async function forgetKeys(keys: MachineKeys, place: MachinePlace): Promise<void> {
  if (keys.isPaired) await forgetPairing(place);
}
