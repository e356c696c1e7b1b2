import { hostname } from 'node:os';
import { v7 as newId } from 'uuid';
import { openGatewayFolders } from './home-folder.ts';
import { loadGatewayId } from './identity.ts';

/**
 * The id of the machine of this name (its host name when left out), made when it has none yet. For whoever must know it before the gateway
 * starts: a gateway's key is bound to it. Not while another process makes the same identity. Errors: `GatewayStartError`.
 */
export async function readGatewayId(home: string, name: string | undefined): Promise<string> {
  const folders = await openGatewayFolders(home, name === undefined || name === '' ? hostname() : name);
  return loadGatewayId(folders.identity, newId);
}
