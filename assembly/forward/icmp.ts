/**
 * ICMP and ICMPv6 errors about connections, on their way from the client's side to the server; and which NAT refuses.
 *
 * @module
 */
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { icmpChecksumOk } from '../flow/quote';
import { Dest } from '../service/dest';
import { countIn } from '../service/stats';
import { transmitError } from './transmit';

/** Sends an error from the client's side to the server as the connection's packets go; NAT translates it. */
export function sendErrorIn(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (isRefusedIn(frame, packet, conn)) return;
  if (conn.dest != 0) countIn(changetype<Dest>(conn.dest), packet.totalLength);
  // Linux counts for the connection only what it does not translate.
  if (!conn.isTranslated) conn.inPackets += 1;
  transmitError(frame, packet, conn);
}

/** Notes the connection; NAT translates no error whose checksum is wrong, which is judged then. */
export function isRefused(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  frame.conn = <u32>changetype<usize>(conn);
  if (!conn.isTranslated || frame.isPartial || icmpChecksumOk(packet)) return false;
  frame.judge(Verdict.Drop, Reason.IcmpChecksum);
  return true;
}

/** The same from the client's side. There Linux looks at IPv4's checksum alone: a wrong one of ICMPv6 is put right. */
export function isRefusedIn(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!packet.isV6) return isRefused(frame, packet, conn);
  frame.conn = <u32>changetype<usize>(conn);
  return false;
}
