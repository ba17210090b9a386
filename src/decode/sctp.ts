/**
 * SCTP: the common header with its CRC32c, and the chunks.
 *
 * @module
 */
import { hexText, readU16 } from './text.js';
import { decimal, hex, type Layer, type Place, type Walk } from './walk.js';

/** RFC 9260 §3. A checksum that is wrong says so; it is not looked at in fragments and what is cut short. */
export function sctp(walk: Walk, at: number, end: number, { prefix, whole }: Place): void {
  const layer = walk.layer('sctp', prefix, at, at + 12, end);
  walk.add(layer, 'sctp.srcport', at, 2, decimal);
  walk.add(layer, 'sctp.dstport', at + 2, 2, decimal);
  walk.add(layer, 'sctp.verification_tag', at + 4, 4, hex);
  walk.add(layer, 'sctp.checksum', at + 8, 4, (f, i) => {
    const wrong = whole && !checksumOk(f.subarray(at, end));
    return `0x${hexText(f, i, 4)}${wrong ? ' (wrong)' : ''}`;
  });
  for (let chunk = at + 12; chunk + 4 <= end; ) {
    const length = readU16(walk.frame, chunk + 2);
    walk.add(layer, 'sctp.chunk_type', chunk, 1, (f, i) => chunkText(f[i]!));
    walk.add(layer, 'sctp.chunk_flags', chunk + 1, 1, hex);
    walk.add(layer, 'sctp.chunk_length', chunk + 2, 2, decimal);
    if (length < 4) break;
    const after = Math.min(end, chunk + length);
    walk.rest(layer, 'sctp.chunk_value', chunkFields(walk, layer, chunk, after), after);
    chunk += (length + 3) & ~3;
    walk.rest(layer, 'sctp.chunk_padding', after, Math.min(end, chunk));
  }
  layer.payload = end;
}

/** Chunk types of RFC 9260 §3.2. */
const CHUNKS = [
  'DATA',
  'INIT',
  'INIT ACK',
  'SACK',
  'HEARTBEAT',
  'HEARTBEAT ACK',
  'ABORT',
  'SHUTDOWN',
  'SHUTDOWN ACK',
  'ERROR',
  'COOKIE ECHO',
  'COOKIE ACK',
];

function chunkText(type: number): string {
  return CHUNKS[type] ?? (type === 14 ? 'SHUTDOWN COMPLETE' : String(type));
}

/** The fixed fields of a chunk by type, after its header: name and bytes. */
const CHUNK_FIELDS: Readonly<Record<number, readonly (readonly [name: string, length: number])[]>> = {
  0: [
    ['data_tsn', 4],
    ['data_sid', 2],
    ['data_ssn', 2],
    ['data_payload_proto_id', 4],
  ],
  1: [
    ['init_initiate_tag', 4],
    ['init_credit', 4],
    ['init_nr_out_streams', 2],
    ['init_nr_in_streams', 2],
    ['init_initial_tsn', 4],
  ],
  2: [
    ['initack_initiate_tag', 4],
    ['initack_credit', 4],
    ['initack_nr_out_streams', 2],
    ['initack_nr_in_streams', 2],
    ['initack_initial_tsn', 4],
  ],
  3: [
    ['sack_cumulative_tsn_ack', 4],
    ['sack_a_rwnd', 4],
    ['sack_number_of_gap_blocks', 2],
    ['sack_number_of_duplicated_tsns', 2],
  ],
  7: [['shutdown_cumulative_tsn_ack', 4]],
};

/** Adds the fixed fields; gives the byte after them. */
function chunkFields(walk: Walk, layer: Layer, chunk: number, end: number): number {
  let at = chunk + 4;
  for (const [name, length] of CHUNK_FIELDS[walk.frame[chunk]!] ?? []) {
    if (at + length > end) break;
    walk.add(layer, `sctp.${name}`, at, length, decimal);
    at += length;
  }
  return at;
}

/** Whether the CRC32c over a packet is right, with its own field taken as 0 (RFC 9260 §6.8, appendix A). */
function checksumOk(packet: Uint8Array): boolean {
  if (packet.length < 12) return false;
  let crc = ~0;
  for (let i = 0; i < packet.length; i++) {
    crc ^= i >= 8 && i < 12 ? 0 : packet[i]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  // The first byte on the wire is the lowest one.
  return packet.subarray(8, 12).every((byte, i) => byte === ((~crc >>> (8 * i)) & 255));
}
