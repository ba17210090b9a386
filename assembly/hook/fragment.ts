/**
 * What the sender of an IPv6 fragment is told that nobody can put together (RFC 8200 §4.5).
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { RouteType } from '../../src/abi/tables';
import { Reason } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { endsOdd, isIncomplete } from '../flow/reassembly';
import { answerParameterProblem } from '../forward/answer';
import { routeTypeAny } from '../net/hop';
import { foundFragment, foundProtocol, isLaterFragment6, protocolBehindCut, walkExtensions } from '../wire/extension';
import { HEADER_FIELD, INCOMPLETE_HEADERS } from '../wire/icmpv6';
import { IPV6_PAYLOAD_LENGTH } from '../wire/ipv6';
import { hasPorts } from '../wire/ports';

/** Answers a fragment to this host that was not taken in; nothing when there is nothing to be said about it. */
export function answerFragment(frame: Descriptor, packet: Scratch): void {
  if (frame.reason != Reason.FragmentMalformed) return;
  if (routeTypeAny(true, packet.destination) != RouteType.Local) return;
  const total = packet.totalLength;
  const found = walkExtensions(packet.ip, packet.ip + total);
  if (isIncomplete(packet.ip, found, total)) {
    // What is too short of a protocol that may be balanced is dropped before the host could complain.
    const protocol = foundProtocol(found);
    if (hasPorts(protocol) || protocol == Protocol.Icmpv6) return;
    answerParameterProblem(frame, packet, INCOMPLETE_HEADERS, 0);
  } else if (endsOdd(packet.ip, found, total)) {
    // IPVS, which comes before the host, drops what of an ICMPv6 message is not its beginning, or ends before it.
    if (foundProtocol(found) == Protocol.Icmpv6 && isLaterFragment6(packet.ip + foundFragment(found))) return;
    if (protocolBehindCut(packet.ip, packet.ip + total) == Protocol.Icmpv6) return;
    answerParameterProblem(frame, packet, HEADER_FIELD, <u32>IPV6_PAYLOAD_LENGTH);
  }
}
