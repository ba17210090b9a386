/**
 * The burst loop.
 *
 * A burst is worked on in tiles, each in stages, so that the cache misses of a tile's frames overlap
 * instead of adding up: parse and hash; touch the index buckets; find the entries; touch the
 * records; then judge. Only the last stage changes a table. WebAssembly has no prefetch, so the
 * touching is loads, in loops that do nothing else: a processor looks a few hundred instructions
 * ahead, which is dozens of turns of such a loop but hardly one of a loop that also parses
 * (measured with 1 M connections: five times slower).
 *
 * @module
 */
import { CONN_CONTROL, EXTENDED, REF_REPLY } from '../src/abi/connections';
import { BURST_MAX, DESCRIPTOR_SIZE, SCRATCH_SIZE, ScratchFlag } from '../src/abi/frames';
import { SB_BURST_COUNT, SB_FULLNAT, SB_REPLIES_TAKEN } from '../src/abi/superblock';
import { matchTags, refAt } from './conn/index-table';
import { connOf, isReply, refMatches } from './conn/table';
import { firstOwing, remaining } from './conn/wheel';
import { Descriptor, Scratch } from './descriptor';
import { isIpv6 } from './flow/family';
import { parseFrame, parsePacket } from './flow/parse';
import { returnFull, sendFull } from './forward/fullnat';
import { sendOwed } from './forward/owed';
import { routeReply } from './forward/route';
import { hasTransportHeader } from './forward/translate';
import { serve } from './hook/balance';
import { input, openTunnel } from './hook/input';
import { isMarked } from './hook/schedule';
import { sendMarked } from './hook/snat';
import { Dest } from './service/dest';
import { field, netGeneration } from './superblock';
import { IPV4_DESTINATION, IPV4_MIN, IPV4_SOURCE } from './wire/ipv4';
import { IPV6_SIZE } from './wire/ipv6';
import { portsBE } from './wire/ports';

/** Frames a tile holds: enough misses in flight, and scratch still in the first cache (measured: 64 and 256 are slower). */
const TILE: u32 = 128;

/** A cache line is 64 bytes. */
const LINE_SHIFT: usize = 6;

/** Keeps the touching loads alive. */
// biome-ignore lint/correctness/noUnusedVariables: storing into it is its use
let touched: u32 = 0;

/** Judges the burst; returns the number of descriptors, those of frames that the core made included. */
export function processBurst(): u32 {
  const given = min<u32>(field(SB_BURST_COUNT), BURST_MAX);
  if (firstOwing() != 0) sendOwed();
  for (let start: u32 = 0; start < given; start += TILE) {
    const frames = changetype<usize>(Descriptor.at(start));
    const first = changetype<usize>(Scratch.at(start));
    const end = first + <usize>min<u32>(TILE, given - start) * SCRATCH_SIZE;

    let frame = frames;
    for (let p = first; p < end; p += SCRATCH_SIZE, frame += DESCRIPTOR_SIZE) {
      parse(changetype<Descriptor>(frame), changetype<Scratch>(p));
    }
    let sum: u32 = 0;
    for (let p = first; p < end; p += SCRATCH_SIZE) sum += load<u32>(changetype<Scratch>(p).bucket);
    for (let p = first; p < end; p += SCRATCH_SIZE) foresee(changetype<Scratch>(p));
    for (let p = first; p < end; p += SCRATCH_SIZE) sum += touchRecord(changetype<Scratch>(p));
    if (field(SB_FULLNAT) != 0) {
      for (let p = first; p < end; p += SCRATCH_SIZE) sum += touchExtension(changetype<Scratch>(p));
    }
    touched = sum;
    const taken = field(SB_REPLIES_TAKEN);
    frame = frames;
    for (let p = first; p < end; p += SCRATCH_SIZE, frame += DESCRIPTOR_SIZE) {
      if (changetype<Scratch>(p).ip != 0) judge(changetype<Descriptor>(frame), changetype<Scratch>(p), taken);
    }
  }
  return field(SB_BURST_COUNT);
}

/** Parses a frame, and what is in it if that is a tunnel packet to us. */
function parse(frame: Descriptor, packet: Scratch): void {
  let ip = parseFrame(frame, packet);
  // Nearly every packet has ports, which the hash says. Of GUE the tables are asked first, as frames before it leave them.
  while (ip != 0 && parsePacket(frame, packet, ip) && packet.bucket == 0) ip = openTunnel(frame, packet);
}

/** Notes the likely entry of the index. Frames before this one may still change what it says. */
function foresee(packet: Scratch): void {
  const bucket = packet.bucket;
  if (bucket == 0) return;
  const lanes = matchTags(bucket, packet.hash);
  if (lanes != 0) packet.ref = refAt(bucket, ctz<u32>(lanes));
}

/** Loads a word of each line of the likely record: IPv6's second one has the addresses. */
function touchRecord(packet: Scratch): u32 {
  const ref = <usize>packet.ref;
  return load<u32>(ref) + load<u32>(ref + ((<usize>(packet.flags & ScratchFlag.V6)) << LINE_SHIFT));
}

/** Loads a word of the likely record's extension, or of who controls it. */
function touchExtension(packet: Scratch): u32 {
  const ref = packet.ref;
  // Nobody knows what lies at address 0.
  return ref == 0 ? 0 : load<u32>(<usize>(load<u32>(<usize>(ref & ~REF_REPLY), CONN_CONTROL) & ~EXTENDED));
}

/** The short way for a packet of a known connection in an unchanged network, else the long one. */
function judge(frame: Descriptor, packet: Scratch, taken: u32): void {
  if (packet.ref != 0) {
    if (packet.isV6 ? judgeShort<v128>(frame, packet, taken) : judgeShort<u32>(frame, packet, taken)) return;
  }
  input(frame, packet);
}

/**
 * Judges a packet whose entry was foreseen, if all that it needs to know was looked at before; false when not. What was
 * foreseen for a reply holds only while no connection has taken replies over since: `taken` is how often that had happened
 * by then.
 */
function judgeShort<A>(frame: Descriptor, packet: Scratch, taken: u32): bool {
  const ref = packet.ref;
  const conn = connOf(ref);
  const ip = packet.ip;
  const v6 = isIpv6<A>();
  const source = v6 ? packet.header6.source : ip + IPV4_SOURCE;
  const destination = v6 ? packet.header6.destination : ip + IPV4_DESTINATION;
  // Nothing stands between the two headers that would have to be looked at.
  if (<u32>(packet.l4 - ip) != (v6 ? IPV6_SIZE : IPV4_MIN)) return false;
  if (conn.hopGeneration != netGeneration()) {
    return conn.hopGeneration == ~netGeneration() && judgeFull(frame, packet, taken);
  }
  if (!refMatches(ref, v6, source, destination, portsBE(packet.l4), packet.protocol)) return false;
  if (remaining(conn) == 0 || !hasTransportHeader(packet)) return false;
  if (isReply(ref)) {
    // What has the mark of a service is taken in, and not routed.
    return field(SB_REPLIES_TAKEN) == taken && !isMarked(frame, v6) && routeReply<A>(frame, packet, conn);
  }
  if (!changetype<Dest>(conn.dest).isAvailable) return false;
  serve<A>(frame, packet, conn, true);
  return true;
}

/** The same for a connection by FullNAT; that nothing stands between the headers was looked at. */
function judgeFull(frame: Descriptor, packet: Scratch, taken: u32): bool {
  return packet.isV6 ? judgeFullOf<v128>(frame, packet, taken) : judgeFullOf<u32>(frame, packet, taken);
}

function judgeFullOf<A>(frame: Descriptor, packet: Scratch, taken: u32): bool {
  const ref = packet.ref;
  const conn = connOf(ref);
  const ip = packet.ip;
  const v6 = isIpv6<A>();
  const source = v6 ? packet.header6.source : ip + IPV4_SOURCE;
  const destination = v6 ? packet.header6.destination : ip + IPV4_DESTINATION;
  if (!refMatches(ref, v6, source, destination, portsBE(packet.l4), packet.protocol)) return false;
  if (remaining(conn) == 0 || !hasTransportHeader(packet)) return false;
  if (isReply(ref)) return field(SB_REPLIES_TAKEN) == taken && returnFull<A>(frame, packet, conn);
  return conn.isSnat ? sendMarked<A>(frame, packet, conn) : sendFull<A>(frame, packet, conn);
}
