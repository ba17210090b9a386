/**
 * Queries of ICMP and their replies, which an identifier tells apart as ports do others (RFC 5508 §3).
 *
 * @module
 */
import type { Tuple } from './connection.js';
import { type Address, addressBytes } from './packet/address.js';
import { carryChecksum, concatenate, residue } from './packet/checksum.js';
import { ICMP_LENGTH } from './packet/icmp.js';
import type { ReferenceConnectionProtocol } from './types.js';
import { UPPER } from './upper.js';

/** Which of both a message is. */
export type Message = 'query' | 'reply';

interface Between {
  source: Address;
  destination: Address;
}

const MODULUS = 0xffff;

/** Types of echo and timestamp messages (RFC 792, RFC 4443 §4). */
const MESSAGES = {
  icmp: new Map<number, Message>([
    [8, 'query'],
    [0, 'reply'],
    [13, 'query'],
    [14, 'reply'],
  ]),
  icmpv6: new Map<number, Message>([
    [128, 'query'],
    [129, 'reply'],
  ]),
} as const;

/** Whether connections of a protocol are those of queries. */
export function isOfQueries(protocol: ReferenceConnectionProtocol): protocol is keyof typeof MESSAGES {
  return protocol === 'icmp' || protocol === 'icmpv6';
}

/** Which message stands at the start of `bytes`; `undefined`: another one, or one that is cut short. */
export function readMessage(
  { source }: Pick<Between, 'source'>,
  protocol: number,
  bytes: Uint8Array,
): Message | undefined {
  const name = nameFor(source);
  const [type, code] = bytes;
  if (protocol !== UPPER[name] || bytes.length < ICMP_LENGTH || code !== 0) return undefined;
  return MESSAGES[name].get(type!);
}

/** The ends of the connection that a message is of. Who asks has the identifier for a port, who is asked has none. */
export function messageTuple({ source, destination }: Between, message: Message, bytes: Uint8Array): Tuple {
  const identifier = new DataView(bytes.buffer, bytes.byteOffset).getUint16(4);
  const [sourcePort, destinationPort] = message === 'query' ? [identifier, 0] : [0, identifier];
  return { protocol: nameFor(source), source, sourcePort, destination, destinationPort, message };
}

/**
 * A message, perhaps cut behind its header, with another identifier and between other addresses, which only the checksum of
 * ICMPv6 covers (RFC 1624). That keeps whatever error it had.
 *
 * @param isPartial it is only begun: it covers no more than addresses yet
 */
export function withIdentifier(
  bytes: Uint8Array,
  identifier: number,
  before: Between,
  after: Between,
  isPartial: boolean,
): Uint8Array {
  const changed = bytes.slice();
  const view = new DataView(changed.buffer);
  const checksum = view.getUint16(2);
  view.setUint16(4, identifier);
  const [from, to] = [coveredAddresses(before), coveredAddresses(after)];
  if (!isPartial) {
    const covered = concatenate(from, bytes.subarray(2, 6));
    view.setUint16(2, carryChecksum(covered, concatenate(to, changed.subarray(4, 6))));
  } else if (to.length > 0) {
    view.setUint16(2, (checksum + MODULUS - residue(from) + residue(to)) % MODULUS || MODULUS);
  }
  return changed;
}

function coveredAddresses({ source, destination }: Between): Uint8Array {
  return nameFor(source) === 'icmp' ? new Uint8Array(0) : concatenate(addressBytes(source), addressBytes(destination));
}

function nameFor(address: Address): keyof typeof MESSAGES {
  return typeof address === 'bigint' ? 'icmpv6' : 'icmp';
}
