/*
 * A network of one's own separates only what the kernel has divided by network. Some kinds of sockets are not (AF_VSOCK reaches the host of a
 * virtual machine), so a command without the machine's network can make those of the internet, of local sockets and of netlink alone.
 * io_uring, which makes sockets past this filter, is not there; programs do without it.
 *
 * Classic BPF for seccomp(2): the architecture picks a block, the number of the system call is compared, then the family.
 */

interface Calls {
  /** AUDIT_ARCH_… of linux/audit.h. */
  readonly architecture: number;
  /** Both begin with a family. */
  readonly socket: number;
  readonly socketpair: number;
  /** Not there at all: what makes sockets with arguments that cannot be seen. */
  readonly missing: readonly number[];
}

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

const IO_URING_SETUP = 425;
const X64: Calls = { architecture: 0xc000003e, socket: 41, socketpair: 53, missing: [IO_URING_SETUP] };
const I386: Calls = { architecture: 0x40000003, socket: 359, socketpair: 360, missing: [IO_URING_SETUP, 102] };
const ARM64: Calls = { architecture: 0xc00000b7, socket: 198, socketpair: 199, missing: [IO_URING_SETUP] };
const ARM: Calls = { architecture: 0x40000028, socket: 281, socketpair: 288, missing: [IO_URING_SETUP, 102] };
/** Numbers from here on are those of x32 programs, which call themselves x64. */
const X32_BIT = 0x40000000;
const ON: Readonly<Partial<Record<NodeJS.Architecture, readonly Calls[]>>> = { x64: [X64, I386], arm64: [ARM64, ARM] };

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const FAMILIES = [1, 2, 10, 16];

const LOAD = 0x20;
const EQUAL = 0x15;
const AT_LEAST = 0x35;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const FIRST_ARGUMENT_AT = 16;
const ALLOW: Instruction = [RETURN, 0, 0, 0x7fff0000];
const NO_SUCH_CALL: Instruction = [RETURN, 0, 0, 0x00050000 | 38];
const NO_SUCH_FAMILY: Instruction = [RETURN, 0, 0, 0x00050000 | 97];

/** Undefined where the numbers of the system calls are not known. Pure. */
export function socketFilter(architecture: NodeJS.Architecture): Buffer | undefined {
  const known = ON[architecture];
  if (!known) return undefined;
  const program: Instruction[] = [[LOAD, 0, 0, ARCHITECTURE_AT], ...known.flatMap(blockOf), NO_SUCH_CALL];
  return Buffer.concat(program.map(encode));
}

/** Passed over as a whole for another architecture, which leaves what was loaded as it is. */
function blockOf({ architecture, socket, socketpair, missing }: Calls): Instruction[] {
  const rest: Instruction[] = [
    [LOAD, 0, 0, NUMBER_AT],
    ...missing.flatMap((call): Instruction[] => [[EQUAL, 0, 1, call], NO_SUCH_CALL]),
    [AT_LEAST, 0, 1, X32_BIT],
    NO_SUCH_CALL,
    [EQUAL, 2, 0, socket],
    [EQUAL, 1, 0, socketpair],
    ALLOW,
    [LOAD, 0, 0, FIRST_ARGUMENT_AT],
    ...FAMILIES.map((family, index): Instruction => [EQUAL, FAMILIES.length - index, 0, family]),
    NO_SUCH_FAMILY,
    ALLOW,
  ];
  return [[EQUAL, 0, rest.length, architecture], ...rest];
}

/** `struct sock_filter`. */
function encode([code, ifTrue, ifFalse, value]: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}

/**
 * What a command line begins with so that bubblewrap finds the filter at descriptor 9. It stands in the line itself: a file could be changed
 * by an earlier command.
 */
export function withDescriptorNine(bytes: Buffer): string[] {
  const text = [...bytes].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
  // Privileged (`-p`): this shell leaves BASH_ENV to the one of the command.
  return ['bash', '-p', '-c', 'exec 9< <(printf %b "$0"); exec "$@"', text];
}
