export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly address: string;
  readonly about?: string;
  readonly person: { readonly name: string };
  readonly aboutPerson?: { readonly name: string };
}

const WORDS: Readonly<Record<string, string>> = {
  signed_in: 'signed in',
  sign_in_refused: 'was refused: wrong password',
  signed_out: 'signed out',
  device_signed_out: 'signed out a browser',
  key_created: 'made a key',
  key_revoked: 'revoked a key',
  machine_paired: 'let a machine in',
  machine_kept_out: 'kept a machine out',
  terminal_paired: 'let a terminal in',
  terminal_kept_out: 'kept a terminal out',
  account_changed: 'changed name or address',
  password_changed: 'set a new password',
  provider_connected: 'connected the identity provider',
  provider_disconnected: 'disconnected the identity provider',
  invitation_made: 'invited somebody',
  invitation_revoked: 'took an invitation back',
  invitation_accepted: 'joined by an invitation',
  role_changed: 'changed the role',
  person_kept_out: 'kept somebody out',
  person_let_in: 'let somebody in again',
  sign_in_link_made: 'made a sign-in link',
  rule_stored: 'allowed for the future, without being asked',
  rule_revoked: 'took back what was allowed',
  provider_key_set: 'set the key of a model provider',
  provider_key_removed: 'removed the key of a model provider',
  second_factor_on: 'switched the second factor on',
  second_factor_off: 'switched the second factor off',
  second_factor_reset: 'reset the second factor',
  second_factor_refused: 'was refused: wrong code',
  recovery_codes_made: 'made new recovery codes',
  recovery_code_used: 'used a recovery code',
};

/** An entry of the audit log (SPEC A12) as a sentence without its person; an action of a newer server stands as it is. */
export function auditText({ action, about, aboutPerson }: Pick<AuditEntry, 'action' | 'about' | 'aboutPerson'>): string {
  const words = Object.hasOwn(WORDS, action) ? WORDS[action] : action.replaceAll('_', ' ');
  return `${words}${about === undefined ? '' : ` (${about})`}${aboutPerson === undefined ? '' : `: ${aboutPerson.name}`}`;
}
