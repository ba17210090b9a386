/**
 * The SCTP state machine of a director, as seen from the server, for both directions (NAT) or only one (DR, TUN).
 *
 * A row is a number: the hexadecimal digit i, counted from the right, is the state that follows state i. States count
 * from `ConnState.SctpNone`: NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL.
 *
 * @module
 */
import { ConnState } from '../../src/abi/protocol';
import {
  hasChunk,
  SCTP_ABORT,
  SCTP_COOKIE_ACK,
  SCTP_COOKIE_ECHO,
  SCTP_ERROR,
  SCTP_INIT,
  SCTP_INIT_ACK,
  SCTP_NO_CHUNK,
  SCTP_SHUTDOWN,
  SCTP_SHUTDOWN_ACK,
  SCTP_SHUTDOWN_COMPLETE,
  sctpChunkType,
  secondChunkType,
} from '../wire/sctp';
import { Direction } from './tcp-state';

// client to server                                                       from NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
const IN_DATA: u64 = 0xdcba9876543218; //                                      ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
const IN_INIT: u64 = 0x22ba9876543221; //                                      I1 IN IN CS CR CW CO CE ES SS SR SA IN IN
const IN_INIT_ACK: u64 = 0xdcba9876643555; //                                  CW CW CW CS CR CO CO CE ES SS SR SA RJ CL
const IN_COOKIE_ECHO: u64 = 0xdcba9876544224; //                               CR IN IN CR CR CW CO CE ES SS SR SA RJ CL
const IN_COOKIE_ACK: u64 = 0xdcba9886543218; //                                ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL
const IN_SHUTDOWN: u64 = 0xdcba9a7654321a; //                                  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
const IN_SHUTDOWN_ACK: u64 = 0xdcdad87654322d; //                              CL IN IN CS CR CW CO CE ES CL SR CL RJ CL
const IN_SHUTDOWN_COMPLETE: u64 = 0xdcda9876543ddd; //                         CL CL CL CS CR CW CO CE ES SS SR CL RJ CL
const IN_ERROR: u64 = 0xdcba98d654321d; //                                     CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL
const IN_ABORT: u64 = 0xddddddddcddddd; //                                     CL CL CL CL CL RJ CL CL CL CL CL CL CL CL
// server to client
const OUT_DATA: u64 = 0xdcba9876543218; //                                     ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
const OUT_INIT: u64 = 0x55555855555555; //                                     CW CW CW CW CW CW CW CW ES CW CW CW CW CW
const OUT_INIT_ACK: u64 = 0xdcba9876543333; //                                 CS CS CS CS CR CW CO CE ES SS SR SA RJ CL
const OUT_COOKIE_ECHO: u64 = 0xdcba9877777777; //                              CE CE CE CE CE CE CE CE ES SS SR SA RJ CL
const OUT_COOKIE_ACK: u64 = 0xdcba9888888888; //                               ES ES ES ES ES ES ES ES ES SS SR SA RJ CL
const OUT_SHUTDOWN: u64 = 0xdcba9999999999; //                                 SS SS SS SS SS SS SS SS SS SS SR SA RJ CL
const OUT_SHUTDOWN_ACK: u64 = 0xdcbbb8765bbbbb; //                             SA SA SA SA SA CW CO CE ES SA SA SA RJ CL
const OUT_SHUTDOWN_COMPLETE: u64 = 0xdcba987654321d; //                        CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
const OUT_ERROR: u64 = 0xdcba98765ddddd; //                                    CL CL CL CL CL CW CO CE ES SS SR SA RJ CL
const OUT_ABORT: u64 = 0xddddddddddddcd; //                                    CL RJ CL CL CL CL CL CL CL CL CL CL CL CL
// client to server, where the server answers past the director
const IN_ONLY_DATA: u64 = 0xdcba9876843218; //                                 ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL
const IN_ONLY_INIT: u64 = 0x22ba9876222221; //                                 I1 IN IN IN IN IN CO CE ES SS SR SA IN IN
const IN_ONLY_INIT_ACK: u64 = 0xdcba9876777777; //                             CE CE CE CE CE CE CO CE ES SS SR SA RJ CL
const IN_ONLY_COOKIE_ECHO: u64 = 0xdcba9876888888; //                          ES ES ES ES ES ES CO CE ES SS SR SA RJ CL
const IN_ONLY_COOKIE_ACK: u64 = 0xdcba9888588218; //                           ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL
const IN_ONLY_SHUTDOWN: u64 = 0xdcba9a7654321a; //                             SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
const IN_ONLY_SHUTDOWN_ACK: u64 = 0xdcdadd7654322d; //                         CL IN IN CS CR CW CO CE CL CL SR CL RJ CL
const IN_ONLY_SHUTDOWN_COMPLETE: u64 = 0xdcdd98765ddddd; //                    CL CL CL CL CL CW CO CE ES SS CL CL RJ CL
const IN_ONLY_ERROR: u64 = 0xdcba987654321d; //                                CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
const IN_ONLY_ABORT: u64 = 0xddddddddcddddd; //                                CL CL CL CL CL RJ CL CL CL CL CL CL CL CL

/** The row for a chunk: whatever is not about the association's beginning or end is data. */
function row(direction: Direction, chunk: u32): u64 {
  switch (chunk) {
    case SCTP_INIT:
      return pick(direction, IN_INIT, OUT_INIT, IN_ONLY_INIT);
    case SCTP_INIT_ACK:
      return pick(direction, IN_INIT_ACK, OUT_INIT_ACK, IN_ONLY_INIT_ACK);
    case SCTP_COOKIE_ECHO:
      return pick(direction, IN_COOKIE_ECHO, OUT_COOKIE_ECHO, IN_ONLY_COOKIE_ECHO);
    case SCTP_COOKIE_ACK:
      return pick(direction, IN_COOKIE_ACK, OUT_COOKIE_ACK, IN_ONLY_COOKIE_ACK);
    case SCTP_SHUTDOWN:
      return pick(direction, IN_SHUTDOWN, OUT_SHUTDOWN, IN_ONLY_SHUTDOWN);
    case SCTP_SHUTDOWN_ACK:
      return pick(direction, IN_SHUTDOWN_ACK, OUT_SHUTDOWN_ACK, IN_ONLY_SHUTDOWN_ACK);
    case SCTP_SHUTDOWN_COMPLETE:
      return pick(direction, IN_SHUTDOWN_COMPLETE, OUT_SHUTDOWN_COMPLETE, IN_ONLY_SHUTDOWN_COMPLETE);
    case SCTP_ERROR:
      return pick(direction, IN_ERROR, OUT_ERROR, IN_ONLY_ERROR);
    case SCTP_ABORT:
      return pick(direction, IN_ABORT, OUT_ABORT, IN_ONLY_ABORT);
    default:
      return pick(direction, IN_DATA, OUT_DATA, IN_ONLY_DATA);
  }
}

function pick(direction: Direction, inRow: u64, outRow: u64, inOnlyRow: u64): u64 {
  return direction == Direction.In ? inRow : direction == Direction.Out ? outRow : inOnlyRow;
}

/**
 * The chunk by which the packet of `length` bytes at `segment` counts: the first, unless an ABORT comes right behind
 * COOKIE-ECHO or COOKIE-ACK. SCTP_NO_CHUNK when it is too short for any.
 */
export function sctpEvent(segment: usize, length: u32): u32 {
  if (!hasChunk(length)) return SCTP_NO_CHUNK;
  const first = sctpChunkType(segment);
  const mayBundle = first == SCTP_COOKIE_ECHO || first == SCTP_COOKIE_ACK;
  return mayBundle && secondChunkType(segment, length) == SCTP_ABORT ? SCTP_ABORT : first;
}

/** The state after a packet that counts by this chunk: the same when it has none. */
export function nextSctpState(direction: Direction, chunk: u32, state: u32): u32 {
  if (chunk == SCTP_NO_CHUNK) return state;
  const digit = (state - ConnState.SctpNone) << 2;
  return ConnState.SctpNone + (<u32>(row(direction, chunk) >> <u64>digit) & 15);
}

/** Whether a connection in this state counts as active. */
export function isActiveSctp(state: u32): bool {
  return state == ConnState.SctpEstablished;
}
