import { setTimeout as pause } from 'node:timers/promises';
import { argumentsOf, childrenOf, epochMs, type ProcessRig, type TendonProcess, until, within } from '@tendon/testing';
import { residentMegabytes } from './figures.ts';

export interface StartFigures {
  /** Until the page is served; not known at the first start, whose port is not known beforehand. */
  readonly pageMs?: number;
  /** Until the gateway is connected too. */
  readonly readyMs: number;
}

/** Starts the whole product and waits for a page that can be used. */
export async function timedStart(rig: ProcessRig): Promise<{ product: TendonProcess; figures: StartFigures }> {
  const begun = epochMs();
  const isKnown = !rig.url.endsWith(':0');
  const served = isKnown ? pageServed(rig.url).then(() => epochMs() - begun) : undefined;
  const product = await rig.start('start');
  const readyMs = epochMs() - begun;
  await pageServed(product.url);
  return { product, figures: served ? { pageMs: await served, readyMs } : { readyMs } };
}

function pageServed(url: string): Promise<void> {
  const knock = async (): Promise<void> => {
    const isServed = await fetch(url).then(
      (page) => page.ok,
      () => false,
    );
    if (isServed) return;
    await pause(5);
    return knock();
  };
  return within('the page to be served (npm run build:web makes it)', knock(), 30_000);
}

export interface IdleFigures {
  readonly serverMb: number;
  readonly gatewayMb: number;
}

/** Memory of server and gateway once it no longer changes by more than a megabyte in a second. */
export async function idleMemory(product: TendonProcess): Promise<IdleFigures> {
  const gateway = childrenOf(product.pid).find((pid) => argumentsOf(pid).includes('gateway'));
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
