/**
 * Packets that are wrong in one place.
 *
 * @module
 */
import { checksum } from '../../support/packets.js';
import type { Random } from '../random.js';

const ODD_SOURCES = [
  '127.0.0.1',
  '0.0.0.0',
  '255.255.255.255',
  '224.0.0.5',
  '10.0.0.100',
  '10.1.0.1',
  '0.1.2.3',
  '10.0.0.255',
];
const ODD_TARGETS = ['127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.5', '10.0.0.255', '10.1.0.255', '0.1.2.3'];
const ODD_SOURCES6 = ['::1', '::', 'ff02::1', 'fd00::100', 'fd00:1::1', '::ffff:10.0.0.2', 'fe80::1'];
const ODD_TARGETS6 = ['::1', '::', 'ff02::1', 'ff05::2', '::ffff:10.0.0.100', 'fe80::1', 'fec0::1'];

/** Addresses that no packet should come from, or go to. */
export function oddAddress(random: Random, six: boolean, end: 'source' | 'destination'): string {
  if (end === 'source') return random.of(six ? ODD_SOURCES6 : ODD_SOURCES);
  return random.of(six ? ODD_TARGETS6 : ODD_TARGETS);
}

/** The packet with something wrong in its IP header, or cut short. */
export function damaged(random: Random, packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  return (copy[0] ?? 0) >> 4 === 6 ? damaged6(random, copy) : damaged4(random, copy);
}

function damaged4(random: Random, packet: Uint8Array): Uint8Array {
  const header = ((packet[0] ?? 0) & 15) * 4;
  switch (random.below(6)) {
    case 0:
      packet[10] = (packet[10] ?? 0) ^ (1 + random.below(255));
      return packet;
    case 1:
      packet[0] = (random.below(16) << 4) | ((packet[0] ?? 0) & 15);
      return fixed(packet);
    case 2:
      // More header than there was: what comes then are no options.
      packet[0] = 0x40 | random.below(16);
      return packet.length < 60 ? packet : fixed(packet);
    case 3:
      return fixed(withLength(packet, oddLength(random, packet.length, header)));
    case 4:
      // Less on the wire than the header says.
      return packet.slice(0, random.below(packet.length));
    default: {
      // Whole up to somewhere within the transport header.
      const cut = packet.slice(0, Math.min(packet.length, header + random.below(24)));
      return fixed(withLength(cut, cut.length));
    }
  }
}

function damaged6(random: Random, packet: Uint8Array): Uint8Array {
  const length = (value: number) => {
    packet.set([value >> 8, value & 255], 4);
    return packet;
  };
  switch (random.below(4)) {
    case 0:
      packet[0] = (random.below(16) << 4) | ((packet[0] ?? 0) & 15);
      return packet;
    case 1:
      return length(oddLength(random, packet.length - 40, 0));
    case 2:
      return packet.slice(0, random.below(packet.length));
    default: {
      const cut = Math.min(packet.length, 40 + random.below(24));
      return length(cut - 40).slice(0, cut);
    }
  }
}

/** A length that is not that of a packet, or of its payload: there are `whole` bytes, the first `headers` of headers. */
function oddLength(random: Random, whole: number, headers: number): number {
  const edges = [0, headers, headers + 1, headers + 8, whole - 1, whole + 1];
  return random.once(2) ? random.below(whole + 40) : Math.max(0, random.of(edges));
}

function withLength(packet: Uint8Array, length: number): Uint8Array {
  packet.set([length >> 8, length & 255], 2);
  return packet;
}

/** Puts the header checksum right. */
function fixed(packet: Uint8Array): Uint8Array {
  if (packet.length < 20) return packet;
  const header = packet.subarray(0, Math.max(20, ((packet[0] ?? 0) & 15) * 4));
  header.set([0, 0], 10);
  const sum = checksum(header);
  header.set([sum >> 8, sum & 255], 10);
  return packet;
}
