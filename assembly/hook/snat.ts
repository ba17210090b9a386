/**
 * SNAT: the short way of what clients of known connections send.
 *
 * @module
 */
import { SB_HOP, SB_IP_FORWARD, SB_IPV6_FORWARDING, SB_SIP_SERVICES, SUPERBLOCK } from '../../src/abi/superblock';
import { HOP_INTERFACE_NONE, HopKind } from '../../src/abi/tables';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { sendSnat } from '../forward/fullnat';
import { Hop, resolveAny } from '../net/hop';
import { field } from '../superblock';
import { isUnspecified6 } from '../wire/ipv6';
import { findPassing } from './forward';
import { snatService } from './schedule';
import { isStray } from './stray';

/**
 * A packet of a connection whose replies go the short way: of its addresses nothing has to be asked but the way to V. Its mark
 * may be another one than the last packet's. False: take the long way.
 */
export function sendMarked<A>(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (conn.hopInterface == HOP_INTERFACE_NONE || field(isIpv6<A>() ? SB_IPV6_FORWARDING : SB_IP_FORWARD) == 0)
    return false;
  if (isIpv6<A>() && isUnspecified6(packet.source)) return false;
  if (snatService(frame, packet) == 0 || isStray(packet)) return false;
  // Others have such packets first.
  if (field(SB_SIP_SERVICES) != 0 || findPassing(packet) != null) return false;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveAny(isIpv6<A>(), packet.destination, hop, packet.receivedOn);
  return hop.kind == HopKind.Forward && sendSnat<A>(frame, packet, conn, hop);
}
