import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Canary, countOf, formsOf, hunt, type Place } from './canary-hunt.ts';
import { type CanaryRig, canaryRig, passphrase, secret } from './canary-rig.ts';
import { goThrough, MARKS } from './canary-story.ts';

/*
 * Every credential that there is goes in, right ones and wrong ones, while things go well and break. Afterwards all of it is hunted for
 * in what the processes print and are started with, what the server, a relay and the model's server were sent, in every row of the
 * database and in every file, under every spelling.
 */

/** Who may know what: everything else that is found is a leak. A browser session's row has the token that its cookie signs. */
const MAY_BE_FOUND = [
  ...['Ada', 'Ada again', 'Bob', 'the owner'].flatMap((name) => [
    `${name}: the cookie in what the server answers URL-encoded`,
    `${name}: the signature of the cookie in what the server answers URL-encoded`,
    `${name}: what the cookie is looked up by in what the server answers`,
    ...(name === 'the owner' ? [] : [`${name}: what the cookie is looked up by in the database`]),
  ]),
  ...Array.from({ length: 10 }, (_, index) => `recovery code ${index + 1} in what the server answers`),
  ...['access', 'refresh'].map((kind) => `the ${kind} token of the machine's MCP server in the file gateway/NAME/mcp-credentials.json`),
  "a header of the server's mcp.json in the file server/mcp.json",
  "a variable of the server's mcp.json in the file server/mcp.json",
  'a recovery code in place of an old one in what the server answers',
  'a step after the password in what the server answers',
  "the client's secret of the machine's MCP server in the file gateway/NAME/mcp-credentials.json",
  "the client's secret of the machine's MCP server in the file mcp.json",
  "the client's secret of the server's MCP server in the file server/mcp.json",
  'the cookie after a recovery code in what the server answers URL-encoded',
  'the secret of the second factor in what the server answers',
  'a header of mcp.json in the file mcp.json',
  'a variable of mcp.json in the file mcp.json',
  'a key in what the server answers',
  'a key with a scope in what the server answers',
  'a session token in what the server answers',
  'environment in the environment of the gateway',
  'the invitation of Ada in what the server answers',
  'the invitation of Bob in what the server answers',
  "the key of the machine's page in the file gateway/paired/http_127.0.0.1_PORT-ID.json",
  "the key of the machine's page in what the server answers",
  'the key of the own gateway in the file gateway/credential.json',
  'the link in what the server prints',
  "the machine's device code in what the server answers",
  "the machine's key in the file gateway/paired/http_127.0.0.1_PORT-ID.json",
  "the machine's key in what the server answers",
  "the page's link in what the machine prints",
  "the token of the page's socket in what the relay answers",
  'what a browser carries to the provider in what the server answers',
];
/** Credentials that the server says, each to who got it and to nobody else. */
const SAID_ONCE = [
  'a key',
  'a key with a scope',
  'a session token',
  'recovery code 1',
  'a recovery code in place of an old one',
  'the invitation of Ada',
  'the invitation of Bob',
  "the machine's key",
  "the key of the machine's page",
  "the machine's device code",
];
const SEARCHED = [
  'what the server prints',
  'what the machine prints',
  'what commands print',
  'the database',
  'what the model is asked',
  'what the server answers',
  'what the relay answers',
  'what an MCP sign-in answers',
  'the arguments of processes',
  'the environment of the gateway',
];

describe('every credential, hunted for everywhere', () => {
  let rig: CanaryRig;
  let places: Place[];
  before(async () => {
    rig = await canaryRig();
    await goThrough(rig);
    places = await rig.places();
  });
  after(() => rig[Symbol.asyncDispose]());

  const place = (name: string): Place => {
    const found = places.find((one) => one.name === name);
    assert.ok(found, `${name} was not looked through`);
    return found;
  };

  test('H13, O5, H6: nothing is found but where it belongs', () => {
    assert.ok(!place('what the server prints').bytes.includes('rate_limited'), 'a limit has kept a credential from being looked at');
    assert.ok(rig.canaries.length > 120, `only ${rig.canaries.length} were hunted for`);
    assert.deepEqual(hunt(rig.canaries, places), MAY_BE_FOUND.toSorted());
  });

  for (const name of SAID_ONCE) {
    test(`H6, H7: ${name} is said once`, () => {
      const canary = rig.canaries.find((one) => one.name === name);
      assert.ok(canary);
      assert.equal(countOf(canary, place('what the server answers')), 1);
    });
  }

  test('H13: the hunt does find what is there: a mark in every place', () => {
    const marks: Canary[] = Object.entries(MARKS).map(([name, value]) => ({ name, value }));
    const finds = hunt(marks, places);
    const wanted = [
      ...['the database', 'what the model is asked', 'what the server answers', 'what the relay answers'].map((where) => `file in ${where}`),
      ...['what the server prints'].map((where) => `client in ${where}`),
      ...['the arguments of processes', 'what commands print', 'what the server answers', 'the database'].map((where) => `machine in ${where}`),
    ];
    for (const find of wanted) assert.ok(finds.includes(find), `${find} is missing among:\n${finds.join('\n')}`);
  });

  test('H13: the hunt does find what is there: every spelling, in every place', () => {
    for (const name of SEARCHED) {
      const { bytes } = place(name);
      const middle = Math.floor(bytes.length / 2);
      for (const value of [secret(), passphrase(), Buffer.from(secret())]) {
        for (const spelling of formsOf(value)) {
          const planted = { name, bytes: Buffer.concat([bytes.subarray(0, middle), spelling.bytes, bytes.subarray(middle)]) };
          assert.ok(
            hunt([{ name: 'planted', value }], [planted]).some((find) => find.startsWith(`planted in ${name}`)),
            `${spelling.form} in ${name}`,
          );
        }
      }
    }
  });
});

test('H13: base64 is recognised wherever the value stands in what was encoded', () => {
  for (const value of [secret(), passphrase()]) {
    for (let before = 0; before < 7; before += 1) {
      for (const alphabet of ['base64', 'base64url'] as const) {
        const bytes = Buffer.from(Buffer.from(`${'u'.repeat(before)}${value}:after`).toString(alphabet));
        assert.equal(hunt([{ name: 'it', value }], [{ name: 'there', bytes }]).length > 0, true, `${before} ${alphabet}`);
      }
    }
  }
});
