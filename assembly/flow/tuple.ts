/**
 * A packet's tuple, and the connection that it belongs to.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { hashAny } from '../conn/hash';
import { hasNone } from '../conn/index-table';
import { connOf, find, isReply } from '../conn/table';
import { Scratch } from '../descriptor';
import { portsBE } from '../wire/ports';

/** ISAKMP's port (500) on both sides, network order: what AH and ESP follow. */
export const ISAKMP_PORTS_BE: u32 = 0xf401f401;

/**
 * `ref`, or 0 for a connection from port 0 by a packet of its client: Linux keeps that port for connections that do not know
 * theirs yet, and never finds it.
 */
export function byClient(ref: u32): u32 {
  return ref != 0 && !isReply(ref) && connOf(ref).cportBE == 0 ? 0 : ref;
}

/** The entry of the index for a packet in either direction, 0 when there is none, or the packet has no tuple. */
export function findByTuple(packet: Scratch): u32 {
  const bucket = packet.bucket;
  return bucket != 0 && hasNone(bucket, packet.hash) ? 0 : seekByTuple(packet);
}

function seekByTuple(packet: Scratch): u32 {
  const source = packet.source;
  const destination = packet.destination;
  const v6 = packet.isV6;
  if (packet.bucket != 0) {
    return byClient(find(packet.hash, v6, source, destination, portsBE(packet.l4), packet.protocol));
  }
  return isIpsec(packet) ? findTuple(v6, source, destination, ISAKMP_PORTS_BE, Protocol.Udp) : 0;
}

/** The same for a tuple that no packet has. */
export function findTuple(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  return find(hashAny(v6, source, destination, portsBE, protocol), v6, source, destination, portsBE, protocol);
}

/** AH and ESP have no ports: they go where the ISAKMP of their two ends went. */
export function isIpsec(packet: Scratch): bool {
  const protocol = packet.protocol;
  return protocol == Protocol.Ah || protocol == Protocol.Esp;
}
