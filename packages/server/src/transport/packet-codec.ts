import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';

/**
 * Stands where a packet's payload would be when the packet was refused before it was read. No JSON can make one,
 * so a client cannot forge it.
 */
export class PacketFault {
  readonly code: 'invalid_payload' | 'too_large';
  readonly message: string;

  constructor(code: PacketFault['code'], message: string) {
    this.code = code;
    this.message = message;
  }
}

export interface CodecLimits {
  readonly packetBytes: number;
  readonly handshakeBytes: number;
}

const MAX_ATTACHMENTS = 10;
const HEAD = /^([0-6])(?:(\d{1,2})-)?(?:(\/[^,]{0,100}),)?(\d{1,15})?/;
const EVENT_NAME = /\["([^"\\]{1,100})",/y;

interface PacketHead {
  readonly type: PacketType;
  readonly attachments: number;
  readonly nsp: string;
  readonly id: number | undefined;
  readonly bodyStart: number;
}

/**
 * The two halves of Socket.IO's `parser` option. Outgoing packets are JSON text only, so none is searched for binary
 * parts. Incoming ones are measured before they are parsed, and binary parts are passed over instead of being collected
 * (the stock decoder would hold ten of the largest size for each connection).
 */
export function packetCodec(limits: CodecLimits): { Encoder: typeof Encoder; Decoder: typeof Decoder } {
  return {
    Encoder: TextEncoderOnly,
    Decoder: class extends MeasuringDecoder {
      constructor() {
        super(limits);
      }
    },
  };
}

class TextEncoderOnly extends Encoder {
  override encode(packet: Packet): string[] {
    const nsp = packet.nsp && packet.nsp !== '/' ? `${packet.nsp},` : '';
    return [`${packet.type}${nsp}${packet.id ?? ''}${packet.data === undefined ? '' : JSON.stringify(packet.data)}`];
  }
}

class MeasuringDecoder extends Decoder {
  readonly #limits: CodecLimits;
  #attachmentsToSkip = 0;

  constructor(limits: CodecLimits) {
    super();
    this.#limits = limits;
  }

  /** Throws on what is no Socket.IO packet at all; Socket.IO then ends the connection. */
  override add(chunk: unknown): void {
    if (typeof chunk !== 'string') this.#skipAttachment();
    else if (this.#attachmentsToSkip > 0) throw new Error('text where a binary part was announced');
    else this.#addText(chunk);
  }

  #addText(text: string): void {
    const type = text.charCodeAt(0) - 48;
    if (type === PacketType.CONNECT && text.length > this.#limits.handshakeBytes) throw new Error('handshake packet over its limit');
    if (type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK) this.#refuseBinary(readHead(text));
    else if (this.#isTooLarge(text)) this.#refuse(readHead(text), this.#tooLarge());
    else super.add(text);
  }

  #tooLarge(): PacketFault {
    return new PacketFault('too_large', `the packet is over ${this.#limits.packetBytes} bytes; send less at once`);
  }

  #isTooLarge(text: string): boolean {
    // A UTF-16 unit takes at most three bytes, so most packets need no counting.
    return text.length * 3 > this.#limits.packetBytes && payloadBytes(text) > this.#limits.packetBytes;
  }

  #refuseBinary(head: PacketHead): void {
    if (head.attachments < 1 || head.attachments > MAX_ATTACHMENTS) throw new Error('illegal number of binary parts');
    this.#attachmentsToSkip = head.attachments;
    this.#refuse(head, new PacketFault('invalid_payload', 'binary data is not accepted'));
  }

  #skipAttachment(): void {
    if (this.#attachmentsToSkip === 0) throw new Error('binary part that was not announced');
    this.#attachmentsToSkip -= 1;
  }

  #refuse(head: PacketHead, fault: PacketFault): void {
    const isAnswer = head.type === PacketType.ACK || head.type === PacketType.BINARY_ACK;
    const packet: Packet = { type: isAnswer ? PacketType.ACK : PacketType.EVENT, nsp: head.nsp, data: isAnswer ? [fault] : ['', fault] };
    if (head.id !== undefined) packet.id = head.id;
    this.emitReserved('decoded', packet);
  }
}

function readHead(text: string): PacketHead {
  const match = HEAD.exec(text.slice(0, 200));
  if (!match) throw new Error('not a packet');
  const [whole, type, attachments, nsp, id] = match;
  return { type: Number(type), attachments: Number(attachments ?? 0), nsp: nsp ?? '/', id: id === undefined ? undefined : Number(id), bodyStart: whole.length };
}

/** Bytes of the payload itself: without the head, the event's name and the brackets of the argument list. */
function payloadBytes(text: string): number {
  const { bodyStart } = readHead(text);
  EVENT_NAME.lastIndex = bodyStart;
  const hasName = EVENT_NAME.test(text);
  const envelope = Buffer.byteLength(text.slice(0, hasName ? EVENT_NAME.lastIndex : bodyStart + 1)) + 1;
  return Buffer.byteLength(text) - envelope;
}
