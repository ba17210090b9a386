/**
 * What segments say of their streams: numbers near each other and near where they wrap, and options of all kinds.
 *
 * @module
 */
import { hex } from '../../support/packets.js';
import type { Choices } from './choices.js';
import type { Ends } from './packets.js';

/** Where the two ends begin. */
const [CLIENT_BEGINS, SERVER_BEGINS] = [1000, 2000];

/** Numbers and options. */
export interface Says {
  seq: number;
  ack: number;
  tcpOptions?: Uint8Array;
}

/** Behind the number of a SYN. */
const NEAR = [1, 1, 1, 1, 0, 2, 3, 30, 53, -1, 70_000, 0x7fffffff, 0xfffffff0];

const TIMESTAMP = '080a0000000100000002';

const OPTIONS = [
  '020405b4',
  '020405b40101080a0000000100000002',
  '0204020001030307',
  '0204 0210 0402 0303 07 00',
  `0101${TIMESTAMP}`,
  `01${TIMESTAMP}01`,
  `${TIMESTAMP}0000`,
  '0101050a0000038800000400',
  '01050a000003880000040001',
  '050a000003880000040000ff',
  `0101${TIMESTAMP}0101051200000388000004000000050000000600`,
  // Somebody names himself.
  'fe08123401020304',
  'fd14123401020304050607080910111213141516',
  '01fe081234010203040000ff',
  // Full, with and without what can go.
  `fc1e${'77'.repeat(28)}${TIMESTAMP}`,
  `fc14${'77'.repeat(18)}${TIMESTAMP}${'01'.repeat(10)}`,
  `0204ffff${'01'.repeat(36)}`,
  `0204000000${'ee'.repeat(35)}`,
  // Not to be read.
  '0501050a',
  'fe080000',
  '0101fc00',
].map(hex);

/** A client's segment with those flags, or a server's. */
export function clientSays(choices: Choices): Says {
  const near = choices.of(NEAR);
  const begins = choices.once(12) ? choices.of([0xfffffffe, 5, CLIENT_BEGINS + 77]) : CLIENT_BEGINS;
  return { seq: (begins + near) >>> 0, ack: (SERVER_BEGINS + choices.of(NEAR)) >>> 0, ...optionsOf(choices) };
}

/** A client's SYN, mostly the same again. */
export function clientBegins(choices: Choices): Says {
  const seq = choices.once(4) ? choices.of([0xffffffff, CLIENT_BEGINS + 77, 0]) : CLIENT_BEGINS;
  return { seq, ack: 0, ...optionsOf(choices) };
}

/** @param begun the number of the client's SYN as the server got it, if it did */
export function serverSays(choices: Choices, begun: number | undefined): Says {
  const ack = ((begun ?? CLIENT_BEGINS) + choices.of(NEAR)) >>> 0;
  return { seq: (SERVER_BEGINS + choices.of([0, 0, 0, 1, 1, 5, 0x7fffffff])) >>> 0, ack, ...optionsOf(choices) };
}

function optionsOf(choices: Choices): Pick<Says, 'tcpOptions'> {
  const tcpOptions = choices.maybe(3, OPTIONS);
  return tcpOptions === undefined ? {} : { tcpOptions: padded(tcpOptions) };
}

function padded(options: Uint8Array): Uint8Array {
  const whole = new Uint8Array((options.length + 3) & ~3);
  whole.set(options);
  return whole;
}

/** The number of the last SYN between two ends among packets that were sent. */
export function sentSyn(seen: readonly Uint8Array[], ends: Omit<Ends, 'protocol'>): number | undefined {
  for (const packet of seen) {
    const v6 = (packet[0] ?? 0) >> 4 === 6;
    const at = v6 ? 40 : ((packet[0] ?? 0) & 15) * 4;
    if (packet[v6 ? 6 : 9] !== 6 || packet.length < at + 20) continue;
    const view = new DataView(packet.buffer, packet.byteOffset);
    const isBetween = view.getUint16(at) === ends.sport && view.getUint16(at + 2) === ends.dport;
    if (isBetween && ((packet[at + 13] ?? 0) & 0x12) === 2) return view.getUint32(at + 4);
  }
  return undefined;
}
