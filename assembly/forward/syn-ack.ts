/**
 * SYN proxy: a client's SYN is answered in its own frame, and nothing is remembered: what matters is in the answer's number.
 *
 * The window is 0, unless data are waited for: nobody could take any before there is a server.
 *
 * @module
 */
import { Carry, Profile } from '../../src/abi/protocol';
import {
  SB_HOP_BACK,
  SB_SYNPROXY_DEFER,
  SB_SYNPROXY_MSS,
  SB_SYNPROXY_SACK,
  SB_SYNPROXY_TIMESTAMP,
  SB_SYNPROXY_WSCALE,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { dataOf, makeCookie, stampOffset } from '../flow/cookie';
import { isIntact } from '../flow/intact';
import { forgetPartial } from '../flow/offload';
import { isSane } from '../flow/sequence';
import { Hop, resolveAny } from '../net/hop';
import { Service } from '../service/service';
import { field, now32 } from '../superblock';
import { mssBeside } from '../wire/carried';
import { hasSack, isStamped, mssOf, NO_SCALE, OFFER_MAX, readOffer, scaleOf, stampOf, writeOffer } from '../wire/offer';
import { portsBE } from '../wire/ports';
import { ACK, MSS_DEFAULT, MSS_DEFAULT6, SYN, Tcp } from '../wire/tcp';
import { putLink } from './link';
import { ownHeaders, putSegment } from './own-segment';
import { canLeave } from './transmit';

/** By how much a segment of IPv6 is shorter. */
const LONGER_HEADER: u32 = 20;
const WINDOW_MAX: u32 = 0xffff;

/** Answers a SYN, which has its hash. */
export function answerSyn(frame: Descriptor, packet: Scratch, service: Service): void {
  if (!isSane(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  if (!isIntact(frame, packet)) return;
  const v6 = packet.isV6;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  resolveAny(v6, packet.source, hop, packet.receivedOn);
  if (hop.kind != HopKind.Forward && hop.kind != HopKind.NoNeighbour) {
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return;
  }
  const tcp = changetype<Tcp>(packet.l4);
  const offer = readOffer(packet.l4, tcp.headerLength);
  const most = field(SB_SYNPROXY_MSS) - (v6 ? LONGER_HEADER : 0);
  const own = service.carry == Carry.Toa ? mssBeside(most, v6) : most;
  const said = mssOf(offer);
  const theirs = said != 0 ? said : v6 ? MSS_DEFAULT6 : MSS_DEFAULT;
  const scale = scaleOf(offer);
  const sack = hasSack(offer) && field(SB_SYNPROXY_SACK) != 0;
  // The other profiles take timestamps out of a SYN.
  const mayBeStamped = field(SB_SYNPROXY_TIMESTAMP) != 0 && service.profile == Profile.Linux;
  const stamped = isStamped(offer) && mayBeStamped;
  const number = tcp.sequence;
  const cookie = makeCookie(packet.hash, number, dataOf(min<u32>(theirs, own), scale, sack, stamped));
  const window = field(SB_SYNPROXY_DEFER) != 0 ? WINDOW_MAX : 0;
  const stamp = now32() + stampOffset(packet.hash);
  const ports = rotl<u32>(portsBE(packet.l4), 16);

  const ip = startOf(packet, ownHeaders(v6) + OFFER_MAX);
  if (!canLeave(frame, ip, hop)) return;
  const ownScale = scale == NO_SCALE ? NO_SCALE : field(SB_SYNPROXY_WSCALE);
  const options = writeOffer(ip + ownHeaders(v6), own, ownScale, sack, stamped, stamp, stampOf(offer));
  putSegment(ip, v6, packet.destination, packet.source, ports, cookie, number + 1, SYN | ACK, window, options);
  forgetPartial(frame);
  putLink(frame, ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, Reason.SynCookie);
}

/**
 * Where a segment of so many bytes may be written over another one: what is behind that is another's. By no more in front of it
 * than options take, so that what was written last of these does not hit the other's addresses.
 */
export function startOf(packet: Scratch, bytes: u32): usize {
  const end = packet.ip + packet.totalLength;
  return min<usize>(packet.ip, end - bytes);
}
