/** Why a gateway cannot start, in one line that says what to do. Thrown by `startGateway`; the command line prints `message` and ends. */
export class GatewayStartError extends Error {
  readonly code: 'home_unusable' | 'identity_unreadable' | 'already_running' | 'policy_broken' | 'workspace_missing' | 'invalid_options' | 'port_taken';

  constructor(code: GatewayStartError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GatewayStartError';
    this.code = code;
  }
}
