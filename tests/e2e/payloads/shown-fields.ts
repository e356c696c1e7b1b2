import { protocolFields, toolFields } from './text-fields.ts';

/*
 * The table of text fields: where a page shows each, or why none does. What the protocol sends, what the inputs of tools hold, what the
 * database keeps of people and their things, and what comes from elsewhere. A field that is in none of the rows fails the test.
 */

export const PLACES = [
  ...['message', 'live answer', 'stored answer', 'live output', 'queue', 'attachments'],
  ...['approval cards', 'decided cards', 'titles of cards', 'undo card', 'changed files', 'approvals by machine', 'approvals by server'],
  ...['open question', 'answered questions', 'failed turn', 'watched page', 'relay'],
  ...['session list', 'session head', 'models of a session', 'folders of a session', 'machines', 'permissions'],
  ...['people', 'own account', 'invited person', 'keys and devices', 'pairing card', 'paired machine', 'provider keys', 'sign-in', 'evil server'],
] as const;

export type Place = (typeof PLACES)[number];
type Row = readonly Place[] | { readonly never: string };

const never = (reason: string): Row => ({ never: reason });
const COMPARED = never('a code, an id or a hash that programs compare: its own form is checked, or no page shows it');
const NOT_SHOWN = never('no page shows it');
const CARDS: Row = ['approval cards', 'decided cards'];

const OF_PROTOCOL: Readonly<Record<string, Row>> = {
  'answers.answers[].answer': ['answered questions'],
  'answers.answers[].question': ['answered questions'],
  'browser:frame.title': ['watched page'],
  'browser:frame.url': ['watched page'],
  'call.definition': COMPARED,
  'call.input': ['approval cards', 'decided cards'],
  'call.inputHash': COMPARED,
  'call.tool': ['approval cards', 'titles of cards'],
  'call.workspace': ['approval cards', 'decided cards', 'relay'],
  'decision.by': COMPARED,
  'decision.reason': ['decided cards'],
  'decision.via': ['decided cards'],
  'fault.code': COMPARED,
  'fault.message': ['failed turn'],
  'gateway.name': ['machines', 'session list', 'folders of a session', 'permissions', 'approvals by machine', 'relay'],
  'gateway.platform': ['machines', 'relay'],
  'gateway.tools[].description': ['approvals by machine'],
  'gateway.tools[].name': ['machines', 'approvals by machine', 'relay'],
  'gateway.tools[].source': ['approvals by machine'],
  'gateway.tools[].title': ['approvals by machine'],
  'machineMcp.name': ['machines'],
  'machineMcp.reason': ['machines'],
  'mcpServer.name': ['machines'],
  'mcpServer.reason': ['machines'],
  'message.model': NOT_SHOWN,
  'model:list.default': never('it is one of the models, which go by their names'),
  'model:list.models[].hint': never('the server has its words from a table of its own'),
  'model:list.models[].id': never('a model goes by its name; one that is not in the list by what the session says, see session.model'),
  'model:list.models[].name': ['models of a session'],
  'part(attachment).mediaType': NOT_SHOWN,
  'part(attachment).name': ['attachments'],
  'part(reasoning).text': ['live answer', 'stored answer'],
  'part(text).text': ['message', 'stored answer', 'queue', 'relay'],
  'resolution.by': COMPARED,
  'resolution.note': ['decided cards'],
  'resolution.via': ['decided cards'],
  'rule.definition': COMPARED,
  'rule.subject': ['permissions', 'relay'],
  'rule.tool': ['permissions', 'relay'],
  'rule.workspace': ['permissions', 'relay'],
  'sandbox.kind': ['machines'],
  'sandbox.reason': ['machines', 'approvals by machine', 'relay'],
  'server:notice.code': COMPARED,
  'server:notice.message': ['evil server'],
  'serverTool.definition': COMPARED,
  'serverTool.description': ['approvals by server'],
  'serverTool.name': never('`mcpToolName` makes it, of letters, digits, hyphens and underscores'),
  'serverTool.title': ['machines', 'approvals by server'],
  'session.model': ['session head'],
  'session.title': ['session list', 'session head', 'permissions', 'relay'],
  'session.workspace': ['session list', 'relay'],
  'session:attach.outputs[].text': ['live output'],
  'session:delta.text': ['live answer'],
  'session:list.nextCursor': COMPARED,
  'toolContent(image).data': never('only base64 is taken, into the address of a picture'),
  'toolContent(image).mimeType': ['decided cards'],
  'toolContent(resource).resource.blob': NOT_SHOWN,
  'toolContent(resource).resource.mimeType': NOT_SHOWN,
  'toolContent(resource).resource.text': ['decided cards'],
  'toolContent(resource).resource.uri': ['decided cards'],
  'toolContent(text).text': ['decided cards'],
  'toolMeta.diff': ['changed files'],
  'toolMeta.folder': NOT_SHOWN,
  'toolMeta.signal': NOT_SHOWN,
  'toolResult.error.code': COMPARED,
  'toolResult.error.message': ['decided cards'],
  'undoneFile.path': ['undo card'],
  'undoneFile.why': ['undo card'],
  'workspace.name': ['folders of a session'],
  'workspace.path': ['machines', 'folders of a session', 'relay'],
};

/** A tool that is not named here shows its fields on its card, before it is decided and after. */
const OF_TOOLS: Readonly<Record<string, Row>> = {
  'apply_patch.patch': ['changed files'],
  'ask_user_questions.questions[].options[].description': ['open question'],
  'ask_user_questions.questions[].options[].label': ['open question'],
  'ask_user_questions.questions[].question': ['open question', 'answered questions'],
  'undo_changes.files[]': ['undo card'],
  'undo_changes.others[].tool': ['undo card'],
  'undo_changes.others[].what': ['undo card'],
  'update_plan.steps[].title': ['decided cards'],
};

/** What the database keeps beside what the protocol sends. */
const OF_DATABASE: Readonly<Record<string, Row>> = {
  'accounts.access_token': NOT_SHOWN,
  'accounts.account_id': NOT_SHOWN,
  'accounts.id_token': NOT_SHOWN,
  'accounts.password': NOT_SHOWN,
  'accounts.provider_id': NOT_SHOWN,
  'accounts.refresh_token': NOT_SHOWN,
  'accounts.scope': NOT_SHOWN,
  'api_keys.hash': COMPARED,
  'api_keys.kind': COMPARED,
  'api_keys.name': ['keys and devices'],
  'api_keys.prefix': ['keys and devices'],
  'api_keys.scopes': ['keys and devices'],
  'audit_entries.about': ['people'],
  'audit_entries.action': ['people'],
  'audit_entries.address': ['people'],
  'audit_entries.credential_id': NOT_SHOWN,
  'auth_sessions.ip_address': ['keys and devices'],
  'auth_sessions.opened_with': NOT_SHOWN,
  'auth_sessions.token': COMPARED,
  'auth_sessions.user_agent': ['keys and devices'],
  'invitations.hash': COMPARED,
  'invitations.name': ['people', 'invited person'],
  'invitations.role': COMPARED,
  'pairings.address': ['pairing card'],
  'pairings.decided_with': NOT_SHOWN,
  'pairings.device_hash': COMPARED,
  'pairings.name': ['pairing card', 'paired machine'],
  'pairings.state': COMPARED,
  'pairings.user_code': never('only letters are looked up'),
  'recovery_codes.hash': COMPARED,
  'second_steps.hash': COMPARED,
  'secrets.key_id': NOT_SHOWN,
  'secrets.name': never('the names of four providers, for each of which the page has a label'),
  'secrets.scope': NOT_SHOWN,
  'session_tokens.hash': COMPARED,
  'session_tokens.origin': NOT_SHOWN,
  'sign_in_links.hash': COMPARED,
  'users.email': ['people', 'own account'],
  'users.image': NOT_SHOWN,
  'users.name': ['people', 'own account', 'invited person', 'provider keys'],
  'users.role': COMPARED,
  'verifications.identifier': NOT_SHOWN,
  'verifications.value': NOT_SHOWN,
};

/** What neither schema nor column says: words inside of a text, and words that are kept nowhere. */
const OF_ELSEWHERE: Readonly<Record<string, Row>> = {
  'name of a field of a foreign input': ['approval cards', 'decided cards'],
  'name of a file in a diff': ['changed files'],
  'name of a file in a patch': ['changed files'],
  'words of a server’s refusal': ['evil server'],
  'words of a refused handshake': ['evil server'],
  'address of a provider': ['provider keys'],
  'fault of a provider key': ['provider keys'],
  'last characters of a provider key': ['provider keys'],
  'name of the identity provider': ['sign-in', 'own account', 'invited person'],
};

export const SHOWN: ReadonlyMap<string, Row> = new Map([
  ...Object.entries(OF_PROTOCOL),
  ...toolFields().map((field) => [field, OF_TOOLS[field] ?? CARDS] as const),
  ...Object.entries(OF_DATABASE),
  ...Object.entries(OF_ELSEWHERE),
]);

/** Those that a page shows at this place. */
export function fieldsAt(place: Place): string[] {
  return [...SHOWN].flatMap(([field, row]) => ('never' in row || !row.includes(place) ? [] : [field]));
}

/** Tables whose texts are what the protocol sends. */
export const TABLES_OF_PROTOCOL = ['sessions', 'messages', 'calls', 'session_events', 'gateways', 'permission_rules'];

/** What there is and what has a row, of which each should be in both. */
export function rowsAndFields(columns: readonly string[]): { readonly rows: readonly string[]; readonly fields: readonly string[] } {
  return {
    rows: [...Object.keys(OF_PROTOCOL), ...Object.keys(OF_DATABASE), ...Object.keys(OF_TOOLS).filter((field) => !toolFields().includes(field))].toSorted(),
    fields: [...protocolFields(), ...columns].toSorted(),
  };
}
