import { isIP } from 'node:net';
import { isLoopback, isPublic, judgeTarget, lookUp, type NetworkRulesOptions, type NetworkTarget, targetOf, type Verdict } from '@tendon/network';
import { AddressRefused, type GuardedFetch, guardedFetch } from '@tendon/network/guarded-fetch';
import type { McpNetwork } from './mcp-surroundings.ts';
import { pageFault } from './sign-in-page.ts';

/*
 * What an MCP server over HTTP can make the gateway reach, and a person open (rules E29, W28, W29):
 *
 *   its own origin, as in mcp.json ──https──► as `fetch` does: the certificate proves the name
 *                                  └──http──► wherever the name leads, but not from a public address to a private one
 *   any other (a redirect, what describes its sign-in, where that takes place)
 *                                  ──judged──► public, or allowed by name, or on loopback as the server itself
 */

export interface McpNetworkOptions extends NetworkRulesOptions {
  /** Hears of every connection that was not made. */
  readonly onRefused?: ((message: string) => void) | undefined;
}

/** For the server whose address in mcp.json is `url`. `fetch` follows no redirect, and rejects with `AddressRefused`, else as the global one does. */
export function mcpNetwork(url: string, options: McpNetworkOptions): McpNetwork {
  const own = new URL(url);
  const judgeOwn = chosen(options);
  const strangers = isOnLoopback(url) ? { ...options, allow: ['localhost', ...(options.allow ?? [])] } : options;
  const judgeOther = (target: NetworkTarget): Promise<Verdict> => judgeTarget(target, strangers);
  const ownFetch: GuardedFetch = own.protocol === 'https:' ? (target, init) => fetch(target, { ...init, redirect: 'manual' }) : guardedFetch(judgeOwn);
  const otherFetch = guardedFetch(judgeOther);
  return {
    async fetch(target, init) {
      try {
        return await (target.origin === own.origin ? ownFetch : otherFetch)(target, init);
      } catch (error) {
        if (!(error instanceof AddressRefused)) throw error;
        const refused = new AddressRefused(`nothing was sent to ${target.host === '' ? target.protocol : target.origin}: ${error.message}`);
        options.onRefused?.(refused.message);
        throw refused;
      }
    },
    pageFault: (page) => pageFault(page, own, page.origin === own.origin ? judgeOwn : judgeOther),
  };
}

/** By what the person wrote: a name that leads to loopback may be a stranger's. */
function isOnLoopback(url: string): boolean {
  const host = targetOf(url)?.host ?? '';
  return host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isLoopback(host));
}

/**
 * A person has chosen the name, so it may lead into their network; but whoever owns a name in the public could have it lead there one day. Without
 * TLS nothing would notice.
 */
function chosen(options: NetworkRulesOptions): (target: NetworkTarget) => Promise<Verdict> {
  let hasBeenPublic = false;
  return async (target) => {
    if (hasBeenPublic) return judgeTarget(target, options);
    const found = await lookUp(target, options);
    if (!found.ok) return found;
    hasBeenPublic = found.addresses.every(isPublic);
    return found;
  };
}
