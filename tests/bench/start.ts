import { epochMs, type ProcessRig, type TendonProcess, until } from '@tendon/testing';
import { childrenOf, residentMegabytes } from './figures.ts';

export interface StartFigures {
  /** Until the page is served and the gateway is connected. */
  readonly readyMs: number;
}

/** Starts the whole product and waits for a page that can be used. */
export async function timedStart(rig: ProcessRig): Promise<{ product: TendonProcess; figures: StartFigures }> {
  const begun = epochMs();
  const product = await rig.start('start');
  const page = await fetch(product.url);
  if (!page.ok) throw new Error(`the page answers ${page.status}: run npm run build:web first`);
  return { product, figures: { readyMs: epochMs() - begun } };
}

export interface IdleFigures {
  readonly serverMb: number;
  readonly gatewayMb: number;
}

/** Memory of server and gateway once it no longer changes by more than a megabyte in a second. */
export async function idleMemory(product: TendonProcess): Promise<IdleFigures> {
  const [gateway] = childrenOf(product.pid, 'gateway');
  if (gateway === undefined) throw new Error('the gateway of tendon start was not found');
  const read = () => ({ serverMb: residentMegabytes(product.pid), gatewayMb: residentMegabytes(gateway) });
  let before = read();
  return until({
    what: 'memory to settle',
    pollMs: 1_000,
    deadlineMs: 20_000,
    check: () => {
      const now = read();
      const isSettled = Math.abs(now.serverMb - before.serverMb) < 1 && Math.abs(now.gatewayMb - before.gatewayMb) < 1;
      before = now;
      return isSettled ? now : undefined;
    },
  });
}
