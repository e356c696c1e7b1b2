import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** All that a decision is about: what runs, with which arguments, in which folder, on which machine. */
export interface HashedCall {
  readonly tool: string;
  readonly input: unknown;
  readonly workspace?: string | undefined;
  readonly gatewayId?: string | undefined;
  /** Hash of what an MCP tool of the server says of itself. */
  readonly definition?: string | undefined;
}

/**
 * SHA-256 of the RFC 8785 canonical JSON of `{ tool, input, workspace, gatewayId, definition }`, base64url without padding.
 * Absent fields are left out. An approval binds to this value; the gateway, or the server for a tool of its own, recomputes it from what it is about to run.
 */
export function inputHash(call: HashedCall): string {
  const canonical = canonicalJson({
    tool: call.tool,
    input: call.input,
    ...(call.workspace === undefined ? {} : { workspace: call.workspace }),
    ...(call.gatewayId === undefined ? {} : { gatewayId: call.gatewayId }),
    ...(call.definition === undefined ? {} : { definition: call.definition }),
  });
  return createHash('sha256').update(canonical, 'utf8').digest('base64url');
}

/** The one RFC 8785 text of a value, whatever the order of its fields. Throws for what is no JSON. */
export function canonicalJson(value: unknown): string {
  const canonical = canonicalize(value);
  if (canonical === undefined) throw new TypeError('the value is not JSON');
  return canonical;
}
