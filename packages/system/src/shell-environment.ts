import { CALL_MARKER } from './process-table.ts';

/** What a command may know of the gateway's own environment. A list of what is allowed, so that a new secret is not handed on by default. */
const ALLOWED = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'SSH_AUTH_SOCK',
  'DBUS_SESSION_BUS_ADDRESS',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
  'JAVA_HOME',
  'GOPATH',
  'GOROOT',
  'CARGO_HOME',
  'RUSTUP_HOME',
  'NVM_DIR',
  'PYENV_ROOT',
  'VIRTUAL_ENV',
  'CONDA_PREFIX',
  'DOTNET_ROOT',
  'ANDROID_HOME',
  'SystemRoot',
]);
const ALLOWED_PREFIXES = ['LC_', 'XDG_'];

/** No program may wait for a key press or a password: nobody sits there to give them, even where there is a terminal. */
const FIXED = { TERM: 'dumb', PAGER: 'cat', GIT_PAGER: 'cat', GIT_TERMINAL_PROMPT: '0', DEBIAN_FRONTEND: 'noninteractive' };

/** The environment of a call's processes. The marker is how they are found again. */
export function shellEnvironment(own: NodeJS.ProcessEnv, callId: string): Record<string, string> {
  return { ...bareEnvironment(own), [CALL_MARKER]: callId };
}

/** The same for a program of the gateway's own, which is no part of the call. */
export function bareEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && (ALLOWED.has(name) || ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)))) environment[name] = value;
  }
  return { ...environment, ...FIXED };
}
