/**
 * TCP's numbers by FullNAT. Servers see clients of one address behind each other at the same port: so each connection gets
 * a first number of its own, by a clock and a keyed hash (RFC 6528), and all others follow.
 *
 * @module
 */
import { ExtensionFlag } from '../../src/abi/connections';
import { ConnState, Profile, Protocol } from '../../src/abi/protocol';
import { hashAny } from '../conn/hash';
import { Conn } from '../conn/record';
import { firstByte, noteChange, setChange, shiftOf, toReceiver, toReceiverBefore, toSender } from '../conn/sequence';
import { Direction } from '../conn/tcp-state';
import { Scratch } from '../descriptor';
import { now } from '../superblock';
import { ACK, RST, SYN, Tcp } from '../wire/tcp';
import { prefixSize } from './carried';
import { adjustForClient, adjustForServer } from './proxied';
import { adjustAcknowledged, clearTimestamps, difference, isSane, UNREADABLE } from './sequence';

/** What a millisecond adds to first numbers: 4 µs each (RFC 6528 §3). */
const TICKS: u32 = 250;
/** States in which a SYN may have another number than the last one. */
const OPENING: u32 =
  (1 << ConnState.None) | (1 << ConnState.SynSent) | (1 << ConnState.SynRecv) | (1 << ConnState.SynAck);
/** Bytes of a segment up to where its number ends. */
const SEQUENCE_END: u32 = 8;
/** In place of the protocol: no connection's tuple has it. */
const ISN: u32 = 0;

/** Changes the numbers of a client's segment; returns what that adds to its sum. */
export function adjustIn(packet: Scratch, conn: Conn): u64 {
  if (!isSane(packet)) return 0;
  const tcp = changetype<Tcp>(packet.l4);
  const number = tcp.sequence;
  const own = conn.extension;
  const isSyn = (tcp.flags & (SYN | ACK)) == SYN;
  const sequence = own.sequence(Direction.In);
  // Who gives up before the PROXY protocol's header was sent speaks of that one's place.
  const isEarly = (tcp.flags & RST) != 0 && (own.flags & ExtensionFlag.Sent) == 0;
  const adjusted = isEarly ? toReceiverBefore(sequence, number) : toReceiver(sequence, number);
  tcp.sequence = adjusted;
  const behind = own.isProxied ? adjustForServer(packet, conn) : 0;
  const delta = difference(number, adjusted) + behind;
  return isSyn && own.profile != Profile.Linux ? delta + clearTimestamps(packet) : delta;
}

/** What a server's segment acknowledges, in the client's numbers; returns the same. */
export function adjustOut(packet: Scratch, conn: Conn): u64 {
  if (!isSane(packet)) return 0;
  const behind = conn.extension.isProxied ? adjustForClient(packet, conn) : 0;
  if ((changetype<Tcp>(packet.l4).flags & ACK) == 0) return behind;
  return behind + (adjustAcknowledged(packet, conn.extension.sequence(Direction.In)) & ~UNREADABLE);
}

/** Puts the client's own number into its segment at `l4`, which an error quotes up to `end`, if all of it is there. */
export function restoreQuoted(l4: usize, end: usize, conn: Conn): void {
  if (conn.protocol != Protocol.Tcp || l4 + SEQUENCE_END > end) return;
  const tcp = changetype<Tcp>(l4);
  const numbers = conn.extension.sequence(Direction.In);
  const number = tcp.sequence;
  // What has the header of the PROXY protocol began with the client's first byte.
  const isOfPrefix = number - (toReceiver(numbers, firstByte(numbers)) - shiftOf(numbers)) < shiftOf(numbers);
  tcp.sequence = isOfPrefix ? firstByte(numbers) : toSender(numbers, number);
}

/**
 * A client's segment was seen by a connection that was in `state`: a SYN gets its number, the one that it had before if it
 * comes again.
 */
export function noteSyn(packet: Scratch, conn: Conn, state: u32): void {
  const tcp = changetype<Tcp>(packet.l4);
  if ((tcp.flags & (SYN | ACK)) != SYN || !isSane(packet)) return;
  const own = conn.extension;
  // Behind a SYN proxy it was given when the client had answered.
  if (own.isProxied || !own.hearSyn(tcp.sequence)) return;
  if (((OPENING >> state) & 1) != 0) begin(conn, tcp.sequence);
}

/** What a server has answered to the SYN before. */
const ANSWERED: u32 = ExtensionFlag.Answered | ExtensionFlag.Heard | ExtensionFlag.Sent;

/** The client's first number is `number`: the server gets another one. */
export function begin(conn: Conn, number: u32): void {
  const own = conn.extension;
  const sequence = own.sequence(Direction.In);
  own.flags = (own.flags & ~ANSWERED) | ExtensionFlag.Begun;
  const ports = own.lportBE | (conn.dportBE << 16);
  const first = <u32>hashAny(conn.isServerV6, own.laddr, conn.daddr, ports, ISN) + <u32>now() * TICKS;
  setChange(sequence, number, first - number);
  const prefix = prefixSize(conn);
  if (prefix != 0) noteChange(sequence, number, prefix);
}
