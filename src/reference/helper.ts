/**
 * The FTP helper at work on control connections: it opens the way for data connections, and names the virtual address
 * where the server named its own.
 *
 * @module
 */
import type { Connection, Tuple } from './connection.js';
import { type FtpAnswer, readAnswer, readCommand, writeEnd } from './ftp.js';
import { drop, type Host, type Judgement } from './host.js';
import { type Address, familyOf } from './packet/address.js';
import { checksumIsRight, concatenate, pseudoHeader, residue } from './packet/checksum.js';
import { type IpPacket, ipLength } from './packet/ip.js';
import type { Unfinished } from './packet/partial.js';
import { parseTcp, TCP_FLAG, TCP_LENGTH } from './packet/tcp.js';
import type { Arrival } from './reassembly.js';
import { coveredByTcp, isPossible, segmentIn, withSegment } from './segment.js';
import { shifted, shiftReply, shiftRequest } from './sequences.js';
import { UPPER, upperLayer, withUpperLayer } from './upper.js';

/** A packet as the helper leaves it. */
export interface Helped {
  packet: IpPacket;
  /** Whether its TCP checksum is only begun, because it was changed. */
  isBegun: boolean;
}

const LARGEST = { 4: 0xffff, 6: 0xffff + 40 } as const;

/** A packet of the client is looked at before it is translated; `undefined`: it may go on. */
export function hearClient(
  host: Host,
  packet: IpPacket,
  connection: Connection,
  unfinished: Unfinished,
  now: number,
): Judgement | undefined {
  if (connection.ftp === undefined) return undefined;
  if (!isWhole(packet, unfinished)) return drop('tcp-checksum');
  const data = dataOf(packet, connection);
  const command = data && readCommand(data, familyOf(connection.clientAddress));
  if (command === undefined) return undefined;
  if (typeof command === 'string') {
    connection.ftp = command;
    return undefined;
  }
  connection.ftp = 'idle';
  const { clientAddress, virtualAddress, virtualPort, destAddress, destPort } = connection;
  const tuple: Tuple = {
    protocol: 'tcp',
    source: command.address ?? clientAddress,
    sourcePort: command.port,
    destination: virtualAddress,
    destinationPort: portBelow(virtualPort),
  };
  const ends = { destAddress, destPort: portBelow(destPort) };
  const expected = host.connections.findRequest(tuple) ?? openData(host, connection, tuple, ends, false, now);
  if (expected === undefined) return drop('table-full');
  host.connections.listen(expected, now);
  return undefined;
}

/** A packet of the server is looked at, and changed, before it is translated. */
export function hearServer(
  host: Host,
  packet: IpPacket,
  connection: Connection,
  unfinished: Unfinished,
  now: number,
): Helped | Judgement {
  const { ftp } = connection;
  if (ftp === undefined) return { packet, isBegun: false };
  if (!isWhole(packet, unfinished)) return drop('tcp-checksum');
  const data = ftp === 'idle' ? undefined : dataOf(packet, connection);
  const answer = ftp === 'idle' || data === undefined ? undefined : readAnswer(data, ftp, familyOf(packet.source));
  if (ftp === 'idle' || answer === undefined) return { packet, isBegun: false };
  const expected = expectClient(host, connection, answer, now);
  if (expected === undefined) return drop('table-full');
  const { bytes } = upperLayer(packet)!;
  const isSane = isPossible(parseTcp(bytes), bytes.length);
  const words = writeEnd(ftp, expected.virtualAddress, expected.virtualPort);
  connection.ftp = 'idle';
  host.connections.listen(expected, now);
  if (!isSane) return drop('tcp-option');
  return replaceWords(packet, connection, answer, words);
}

/**
 * What is known of the fragments of a packet on its way through: where the helper reads it, Linux has made one buffer of
 * them, and nobody knows where they began.
 */
export function arrivalAfter(arrival: Arrival | undefined, { ftp, state }: Connection): Arrival | undefined {
  return arrival !== undefined && ftp !== undefined && state === 'ESTABLISHED' ? { ...arrival, rest: [] } : arrival;
}

/** The data connection that a server waits for, from a port of the client that nobody knows yet. */
function expectClient(host: Host, connection: Connection, { end }: FtpAnswer, now: number): Connection | undefined {
  const { clientAddress, virtualAddress, destAddress } = connection;
  const address = end.address ?? destAddress;
  const reply: Tuple = {
    protocol: 'tcp',
    source: address,
    sourcePort: end.port,
    destination: clientAddress,
    destinationPort: 0,
  };
  const request: Tuple = {
    protocol: 'tcp',
    source: clientAddress,
    sourcePort: 0,
    destination: virtualAddress,
    destinationPort: end.port,
  };
  const there = host.connections.findReply(reply) ?? host.connections.findDirect(reply);
  return there ?? openData(host, connection, request, { destAddress: address, destPort: end.port }, true, now);
}

/** A connection that the control connection controls; nobody counts it as a new one. */
function openData(
  { connections }: Host,
  control: Connection,
  tuple: Tuple,
  ends: { destAddress: Address; destPort: number },
  awaitsPort: boolean,
  now: number,
): Connection | undefined {
  if (connections.isFull(familyOf(tuple.source))) return undefined;
  return connections.create(tuple, control.dest, now, { ...ends, control, awaitsPort });
}

/** The data port belongs to the control port. */
function portBelow(port: number): number {
  return (port - 1) & 0xffff;
}

/** The bytes behind the TCP header, if there are any; the helper listens only while the connection is established. */
function dataOf(packet: IpPacket, { state }: Connection): Uint8Array | undefined {
  if (state !== 'ESTABLISHED') return undefined;
  const bytes = upperLayer(packet)?.bytes ?? new Uint8Array(0);
  const offset = (bytes[12]! >>> 4) * 4;
  return offset < TCP_LENGTH || offset >= bytes.length ? undefined : bytes.subarray(offset);
}

/** Whether the TCP checksum is right, or nobody's business yet. */
function isWhole(packet: IpPacket, unfinished: Unfinished): boolean {
  const { bytes } = upperLayer(packet)!;
  return unfinished !== false || checksumIsRight(coveredByTcp(packet, bytes));
}

/** The answer with other words in it; its checksum is begun anew. */
function replaceWords(
  packet: IpPacket,
  connection: Connection,
  { from, to }: FtpAnswer,
  words: Uint8Array,
): Helped | Judgement {
  const { bytes } = upperLayer(packet)!;
  const segment = parseTcp(bytes);
  const data = (segment.offsetAndReserved >>> 4) * 4;
  const changed = concatenate(bytes.subarray(0, data + from), words, bytes.subarray(data + to));
  const longer = withUpperLayer(packet, changed);
  // No length field says more.
  if (ipLength(longer) > LARGEST[familyOf(packet.source)]) return drop('too-big');
  const { source, destination } = packet;
  const begun = residue(pseudoHeader(source, destination, UPPER.tcp, changed.length)) || 0xffff;
  new DataView(changed.buffer).setUint16(16, begun);
  connection.shift = shifted(connection.shift, segment.sequence, words.length - (to - from));
  return { packet: withUpperLayer(packet, changed), isBegun: true };
}

/**
 * The last thing that happens to a translated packet: its sequence numbers follow what the helper has changed, as
 * connection tracking does it. Selective acknowledgments too, for which all options must be well-formed.
 *
 * @param isPartial its checksum covers no sequence numbers yet
 */
export function followShift(
  packet: IpPacket,
  { shift }: Connection,
  direction: 'input' | 'output',
  isPartial: boolean,
): IpPacket | Judgement {
  const segment = shift && segmentIn(packet);
  if (segment === undefined) return packet;
  const hasAck = (segment.flags & TCP_FLAG.ack) !== 0;
  const moved = (direction === 'output' ? shiftReply : shiftRequest)(segment, hasAck, shift!);
  return moved === undefined ? drop('tcp-option') : withSegment(packet, moved, isPartial);
}
