/**
 * nat_icmp_send: packets of NAT servers that belong to no connection.
 *
 * @module
 */
import { SB_NAT_ICMP_SEND } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { isReset } from '../flow/opening';
import { answerPortUnreachable } from '../forward/answer';
import { hasNatDest } from '../service/dest';
import { field } from '../superblock';
import { portsBE } from '../wire/ports';

/** Tells a server so, and drops its packet; false when it is none. */
export function refuseStray(frame: Descriptor, packet: Scratch): bool {
  if (!isStray(packet)) return false;
  answerPortUnreachable(frame, packet);
  frame.judge(Verdict.Drop, Reason.NoConnection);
  return true;
}

/** A packet from a NAT server's end, whose connection nobody found. RSTs and ABORTs go on. */
export function isStray(packet: Scratch): bool {
  return field(SB_NAT_ICMP_SEND) != 0 && packet.bucket != 0 && isOfServer(packet);
}

function isOfServer(packet: Scratch): bool {
  return !isReset(packet) && hasNatDest(packet.isV6, packet.protocol, packet.source, portsBE(packet.l4) & 0xffff);
}
