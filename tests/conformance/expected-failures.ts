/** Client scenarios of the public MCP conformance suite that Tendon does not pass, and why. One that begins to pass has to leave this list. */
export const EXPECTED_FAILURES: Readonly<Record<string, string>> = {
  'elicitation-sep1034-client-defaults':
    'A server cannot ask the person a question of its own (elicitation): the greeting says so. A model asks with `ask_user_questions`, where it is seen who asks.',
  'auth/basic-cimd':
    'A warning, not a fault: a client whose id is the address of a public document (SEP-991) needs a public https address, and a machine has none. It registers, which the service also takes.',
  'auth/client-credentials-jwt': 'An extension: a program that signs in as itself, with a key. A person signs in, or a token stands in `headers`.',
  'auth/client-credentials-basic': 'An extension: a program that signs in as itself, with a secret. A person signs in, or a token stands in `headers`.',
  'auth/cross-app-access-complete-flow': "An extension: a company's identity provider signs in for the person (SEP-990). A person signs in.",
};
