/**
 * Queries of ICMP and their replies (RFC 5508 §3), which SNAT knows by an identifier: it stands as the client's port, the
 * server's is 0.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { hashAny } from '../conn/hash';
import { homeBucket } from '../conn/index-table';
import { isReply } from '../conn/table';
import { Scratch } from '../descriptor';
import { ECHO_REPLY, ECHO_REQUEST, ICMP_SIZE, Icmp, TIMESTAMP_REPLY, TIMESTAMP_REQUEST } from '../wire/icmp';
import { ECHO_REPLY6, ECHO_REQUEST6 } from '../wire/icmpv6';
import { hasPorts, portsBE } from '../wire/ports';
import { findTuple } from './tuple';

/** Whether the message, whose header is there, is a query. */
export function isQuery(v6: bool, icmp: Icmp): bool {
  const type = icmp.type;
  return icmp.code == 0 && (v6 ? type == ECHO_REQUEST6 : type == ECHO_REQUEST || type == TIMESTAMP_REQUEST);
}

/** Whether it is the reply to one. */
export function isQueryReply(v6: bool, icmp: Icmp): bool {
  const type = icmp.type;
  return icmp.code == 0 && (v6 ? type == ECHO_REPLY6 : type == ECHO_REPLY || type == TIMESTAMP_REPLY);
}

/** ICMP of that family. */
export function icmpOf(v6: bool): u32 {
  return v6 ? Protocol.Icmpv6 : Protocol.Icmp;
}

/** The message of a packet that is ICMP of its family, with its header; null for all else. */
export function messageOf(packet: Scratch): Icmp | null {
  if (packet.protocol != icmpOf(packet.isV6) || packet.isFragment || packet.l4Length < ICMP_SIZE) return null;
  return changetype<Icmp>(packet.l4);
}

/** The entry of a connection for a query of its client, or for what is `answering` one; 0 when there is none. */
export function findMessage(v6: bool, source: usize, destination: usize, identifierBE: u32, answering: bool): u32 {
  const ref = findTuple(v6, source, destination, answering ? identifierBE << 16 : identifierBE, icmpOf(v6));
  // With the identifier 0 both have one tuple.
  return isReply(ref) == answering ? ref : 0;
}

/** Both ports of a packet that may open a connection; of a query its identifier, as the source's. */
export function tuplePortsBE(packet: Scratch): u32 {
  return hasPorts(packet.protocol) ? portsBE(packet.l4) : changetype<Icmp>(packet.l4).identifierBE;
}

/** Gives a query its tuple, which was not looked for when it was parsed. */
export function noteTuple(packet: Scratch): void {
  packet.hash = hashAny(packet.isV6, packet.source, packet.destination, tuplePortsBE(packet), packet.protocol);
  packet.bucket = homeBucket(packet.hash);
}
