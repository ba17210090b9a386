/**
 * A packet's tuple, and the connection that it belongs to.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { SB_NO_CPORT } from '../../src/abi/superblock';
import { hashAny } from '../conn/hash';
import { hasNone, homeBucket, isOverrun, matchTags, nextBucket, refAt } from '../conn/index-table';
import { connOf, find, isReply, isWaiting, refMatches } from '../conn/table';
import { remaining } from '../conn/wheel';
import { Scratch } from '../descriptor';
import { field } from '../superblock';
import { portsBE } from '../wire/ports';

/** ISAKMP's port (500) on both sides, network order: what AH and ESP follow. */
export const ISAKMP_PORTS_BE: u32 = 0xf401f401;

/**
 * `ref`, or 0 for a connection from port 0 by a packet of its client: Linux keeps that port for connections that wait for
 * theirs, and never finds another.
 */
function byClient(ref: u32): u32 {
  return ref != 0 && !isReply(ref) && connOf(ref).cportBE == 0 && !isWaiting(connOf(ref)) ? 0 : ref;
}

/** The entry of the index for a packet in either direction, 0 when there is none, or the packet has no tuple. */
export function findByTuple(packet: Scratch): u32 {
  const bucket = packet.bucket;
  const ref = bucket != 0 && hasNone(bucket, packet.hash) ? 0 : seekByTuple(packet);
  if (ref != 0 || bucket == 0 || field(SB_NO_CPORT) == 0) return ref;
  return findWaiting(packet.isV6, packet.source, packet.destination, portsBE(packet.l4), packet.protocol);
}

function seekByTuple(packet: Scratch): u32 {
  const source = packet.source;
  const destination = packet.destination;
  const v6 = packet.isV6;
  if (packet.bucket != 0) {
    return byClient(find(packet.hash, v6, source, destination, portsBE(packet.l4), packet.protocol));
  }
  return isIpsec(packet) ? findIsakmp(v6, source, destination) : 0;
}

/** The connection of two ends' ISAKMP, which their AH and ESP follow; not by FullNAT: these have no ports. */
export function findIsakmp(v6: bool, source: usize, destination: usize): u32 {
  const ref = findTuple(v6, source, destination, ISAKMP_PORTS_BE, Protocol.Udp);
  return ref != 0 && connOf(ref).isFull ? 0 : ref;
}

/** The same for a tuple that no packet has. */
export function findTuple(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  return find(hashAny(v6, source, destination, portsBE, protocol), v6, source, destination, portsBE, protocol);
}

/** The same, by a packet of the client also where only one that waits for the port has it. */
export function findForClient(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  const ref = byClient(findTuple(v6, source, destination, portsBE, protocol));
  return ref != 0 || field(SB_NO_CPORT) == 0 ? ref : findWaiting(v6, source, destination, portsBE, protocol);
}

/** The entry of a connection that waits for the client's port, whichever that is. */
function findWaiting(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  const ref = findTuple(v6, source, destination, portsBE & 0xffff0000, protocol);
  return ref != 0 && !isReply(ref) && isWaiting(connOf(ref)) ? ref : 0;
}

/** The entry of a request's tuple whose connection is not of NAT, be there one of NAT besides; 0 when there is none. */
export function findUntranslated(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  const hash = hashAny(v6, source, destination, portsBE, protocol);
  const home = homeBucket(hash);
  let bucket = home;
  do {
    for (let lanes = matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      const ref = refAt(bucket, ctz<u32>(lanes));
      if (ref == 0 || isReply(ref) || connOf(ref).isTranslated || remaining(connOf(ref)) == 0) continue;
      if (refMatches(ref, v6, source, destination, portsBE, protocol)) return ref;
    }
    if (!isOverrun(bucket)) return 0;
    bucket = nextBucket(bucket);
  } while (bucket != home);
  return 0;
}

/** AH and ESP have no ports: they go where the ISAKMP of their two ends went. */
export function isIpsec(packet: Scratch): bool {
  const protocol = packet.protocol;
  return protocol == Protocol.Ah || protocol == Protocol.Esp;
}
