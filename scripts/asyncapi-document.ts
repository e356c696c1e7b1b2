import { ERROR_CODES, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { z } from 'zod';

/** An event: its payload, and the data of its acknowledgement when it takes one. */
type EventSchema = z.ZodType | { readonly payload: z.ZodType; readonly data: z.ZodType };

export interface ChannelSource {
  readonly id: string;
  readonly address: string;
  readonly title: string;
  /** From the client to the server. */
  readonly receives: Readonly<Record<string, EventSchema>>;
  /** From the server to the client. */
  readonly sends: Readonly<Record<string, EventSchema>>;
}

export interface ProtocolSource {
  readonly handshake: z.ZodType;
  /** Shapes that stand once in the document and are referred to by name. */
  readonly shapes: Readonly<Record<string, z.ZodType>>;
  readonly channels: readonly ChannelSource[];
}

/** AsyncAPI 3.0: a channel per namespace, an operation per event seen from the server, an acknowledgement as the operation's reply. */
export function asyncApiDocument({ handshake, shapes, channels }: ProtocolSource): object {
  const schemas = new SchemaWriter({ handshake, ...shapes });
  schemas.write(handshake);
  const messages = Object.fromEntries(channels.flatMap((channel) => messagesOf(channel, schemas)));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Tendon',
      version: `${PROTOCOL_VERSION}.0.0`,
      description: 'Socket.IO 4. Every event carries one object; every event of a client takes an acknowledgement. Rules: SPEC.md.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: { local: { host: '127.0.0.1:7420', protocol: 'socketio', pathname: SOCKET_PATH } },
    channels: Object.fromEntries(channels.map((channel) => [channel.id, channelObject(channel, Object.keys(messages))])),
    operations: Object.fromEntries(channels.flatMap(operations)),
    components: { schemas: { ...schemas.collected, refusal: refusalSchema() }, messages },
  };
}

function channelObject(channel: ChannelSource, messageKeys: readonly string[]): object {
  const own = messageKeys.filter((key) => key.startsWith(`${channel.id}.`));
  return {
    address: channel.address,
    title: channel.title,
    description: 'The `auth` of the Socket.IO connection is #/components/schemas/handshake.',
    messages: Object.fromEntries(own.map((key) => [key, { $ref: `#/components/messages/${key}` }])),
  };
}

/** Seen from the server, as AsyncAPI wants it: `receive` is what clients emit. */
function operations(channel: ChannelSource): [string, object][] {
  const of = (action: 'receive' | 'send', events: ChannelSource['receives']): [string, object][] =>
    Object.entries(events).map(([name, schema]) => {
      const key = messageKey(channel, action, name);
      const base = { action, channel: { $ref: `#/channels/${channel.id}` }, messages: [{ $ref: `#/channels/${channel.id}/messages/${key}` }] };
      if (!('payload' in schema)) return [key, base];
      return [key, { ...base, reply: { channel: { $ref: `#/channels/${channel.id}` }, messages: [{ $ref: `#/channels/${channel.id}/messages/${key}.ack` }] } }];
    });
  return [...of('receive', channel.receives), ...of('send', channel.sends)];
}

function messagesOf(channel: ChannelSource, schemas: SchemaWriter): [string, object][] {
  const of = (action: 'receive' | 'send', events: ChannelSource['receives']): [string, object][] =>
    Object.entries(events).flatMap(([name, schema]): [string, object][] => {
      const key = messageKey(channel, action, name);
      if (!('payload' in schema)) return [[key, { name, payload: schemas.write(schema) }]];
      return [
        [key, { name, payload: schemas.write(schema.payload) }],
        [
          `${key}.ack`,
          { name: `acknowledgement of ${name}`, payload: action === 'receive' ? acknowledgement(schemas.write(schema.data)) : schemas.write(schema.data) },
        ],
      ];
    });
  return [...of('receive', channel.receives), ...of('send', channel.sends)];
}

/** Component names may hold letters, digits, dots, dashes and underscores; two directions may use the same event name. */
function messageKey(channel: ChannelSource, action: 'receive' | 'send', name: string): string {
  return `${channel.id}.${action}.${name.replace(':', '.')}`;
}

function acknowledgement(data: object): object {
  return {
    oneOf: [
      { type: 'object', properties: { ok: { const: true }, data }, required: ['ok', 'data'] },
      { type: 'object', properties: { ok: { const: false }, error: { $ref: '#/components/schemas/refusal' } }, required: ['ok', 'error'] },
    ],
  };
}

function refusalSchema(): object {
  return {
    type: 'object',
    properties: { code: { enum: Object.keys(ERROR_CODES) }, message: { type: 'string' }, details: {} },
    required: ['code', 'message'],
  };
}

/** Turns zod into JSON schema; what has a name is collected and referred to, once for the whole document. */
class SchemaWriter {
  readonly collected: Record<string, object> = {};
  readonly #names = z.registry<{ id: string }>();

  constructor(named: Readonly<Record<string, z.ZodType>>) {
    for (const [id, schema] of Object.entries(named)) this.#names.add(schema, { id });
  }

  /** Of what is accepted: room is left for fields that a later version adds. */
  write(schema: z.ZodType): object {
    const written = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any', metadata: this.#names });
    const moved = JSON.parse(JSON.stringify(written).replaceAll('"#/definitions/', '"#/components/schemas/')) as WrittenSchema;
    const { $schema: _, definitions, ...rest } = moved;
    Object.assign(this.collected, definitions);
    return rest;
  }
}

interface WrittenSchema {
  readonly $schema?: string;
  readonly definitions?: Readonly<Record<string, object>>;
}
