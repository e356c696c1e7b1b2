import { basename } from 'node:path';

const NODE = 'Install Node.js: https://nodejs.org, or on Debian: apt install nodejs npm';
const UV = 'Install uv: curl -LsSf https://astral.sh/uv/install.sh | sh';
const PYTHON = 'Install Python: on Debian: apt install python3';

/** The commands that most servers are started with. */
const INSTALL: Readonly<Record<string, string>> = {
  node: NODE,
  npm: NODE,
  npx: NODE,
  uv: UV,
  uvx: UV,
  python: PYTHON,
  python3: PYTHON,
  pipx: 'Install pipx: on Debian: apt install pipx',
  docker: 'Install Docker: on Debian: apt install docker.io',
  podman: 'Install Podman: on Debian: apt install podman',
  deno: 'Install Deno: curl -fsSL https://deno.land/install.sh | sh',
  bun: 'Install Bun: curl -fsSL https://bun.sh/install | bash',
  bunx: 'Install Bun: curl -fsSL https://bun.sh/install | bash',
};

/** One line that mends a command which is not there. The gateway tries again by itself. */
export function howToInstall(command: string): string {
  const name = basename(command);
  const known = Object.hasOwn(INSTALL, name) ? INSTALL[name] : undefined;
  return known ?? `Install "${name}", or give the full path of the command in mcp.json`;
}
