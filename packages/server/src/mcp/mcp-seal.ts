import type { McpSeal } from '@tendon/mcp';
import type { Keyring } from '../secrets/keyring.ts';

const SCOPE = 'mcp sign-in';

/** Seals the tokens of the server's own MCP servers as rule A14 has it. */
export function mcpSeal(keyring: Keyring): McpSeal {
  return {
    keyId: keyring.currentId,
    seal: (name, text) => {
      const { keyId, sealed } = keyring.seal({ scope: SCOPE, name }, text);
      return { keyId, sealed: sealed.toString('base64') };
    },
    open: (name, { keyId, sealed }) => {
      const opened = keyring.open({ scope: SCOPE, name }, { keyId, sealed: Buffer.from(sealed, 'base64') });
      return opened.ok ? opened.text : undefined;
    },
  };
}
