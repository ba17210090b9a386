/**
 * ICMP errors that the director sends about a packet (RFC 792, RFC 1122 §3.2.2).
 *
 * They come out of the burst as frames of their own, linked to the frame that caused them.
 *
 * @module
 */
import {
  DESCRIPTOR_MAX,
  DESCRIPTOR_SIZE,
  DescriptorFlag,
  HEADROOM,
  HopKind,
  MADE_FRAME_MAX,
  RouteType,
  SB_ARENA_END,
  SB_ARENA_NEXT,
  SB_BURST_COUNT,
  SB_DESCRIPTORS,
  SB_HOP,
  SUPERBLOCK,
} from '../../src/abi/memory';
import { Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { Hop, resolveHop, routeType } from '../net/hop';
import { field, nextIpId, setField } from '../superblock';
import { finish, sum } from '../wire/checksum';
import {
  DESTINATION_UNREACHABLE,
  FRAGMENTATION_NEEDED,
  HOST_UNREACHABLE,
  ICMP_SIZE,
  Icmp,
  isError,
  NET_UNREACHABLE,
  PORT_UNREACHABLE,
  TIME_EXCEEDED,
} from '../wire/icmp';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { putLink } from './link';

/** RFC 1812 §4.3.2.3: as much of the packet as fits without the error exceeding 576 bytes (nor the MTU of the way back). */
const ERROR_MAX: u32 = 576;
/** Precedence of network control, which errors travel with (RFC 1812 §4.3.2.5). */
const TOS_CONTROL: u32 = 0xc0;
/** The bits of the packet's own TOS that stay. */
const TOS_KEPT: u32 = 0x1e;
const TTL: u32 = 64;

/** Sends time exceeded in transit (11/0). */
export function answerTimeExceeded(frame: Descriptor, packet: Scratch): void {
  answer(frame, packet, TIME_EXCEEDED, 0, 0, Reason.TimeExceeded);
}

/** Sends fragmentation needed (3/4) with the MTU of the next hop (RFC 1191 §4). */
export function answerTooBig(frame: Descriptor, packet: Scratch, mtu: u32): void {
  answer(frame, packet, DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, mtu, Reason.FragmentationNeeded);
}

/** Sends port unreachable (3/3). */
export function answerPortUnreachable(frame: Descriptor, packet: Scratch): void {
  answer(frame, packet, DESTINATION_UNREACHABLE, PORT_UNREACHABLE, 0, Reason.PortUnreachable);
}

/** Sends host unreachable (3/1). */
export function answerHostUnreachable(frame: Descriptor, packet: Scratch): void {
  answer(frame, packet, DESTINATION_UNREACHABLE, HOST_UNREACHABLE, 0, Reason.HostUnreachable);
}

/** Sends network unreachable (3/0). */
export function answerNetUnreachable(frame: Descriptor, packet: Scratch): void {
  answer(frame, packet, DESTINATION_UNREACHABLE, NET_UNREACHABLE, 0, Reason.NetUnreachable);
}

/** Makes an error about `packet` and sends it to where that came from, if it may and can be sent. */
function answer(cause: Descriptor, packet: Scratch, type: u32, code: u32, rest: u32, reason: Reason): void {
  const offending = packet.header;
  if (offending.isLaterFragment || isAboutError(packet)) return;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  const senderBE = offending.sourceBE;
  resolveHop(senderBE, hop);
  if (hop.kind != HopKind.Forward) return;
  const made = takeFrame(cause);
  if (made == null) return;

  const ip = made.address;
  const room = min<u32>(hop.mtu, ERROR_MAX) - IPV4_MIN - ICMP_SIZE;
  const quoted = min<u32>(offending.totalLength, room);
  const icmp = changetype<Icmp>(ip + IPV4_MIN);
  icmp.type = type;
  icmp.code = code;
  icmp.checksum = 0;
  icmp.rest = rest;
  memory.copy(ip + IPV4_MIN + ICMP_SIZE, packet.ip, quoted);
  icmp.checksum = finish(sum(ip + IPV4_MIN, ICMP_SIZE + quoted));

  const virtualBE = offending.destinationBE;
  const header = changetype<Ipv4>(ip);
  header.setHeaderLength(IPV4_MIN);
  header.tos = (offending.tos & TOS_KEPT) | TOS_CONTROL;
  header.totalLength = IPV4_MIN + ICMP_SIZE + quoted;
  header.identification = nextIpId();
  header.fragmentBE = 0;
  header.ttl = TTL;
  header.protocol = Protocol.Icmp;
  header.sourceBE = routeType(virtualBE) == RouteType.Local ? virtualBE : hop.sourceBE;
  header.destinationBE = senderBE;
  header.fillChecksum();

  putLink(made, ip, hop.outInterface, hop.mac);
  made.judge(Verdict.Forward, reason);
}

/** Whether the packet is itself an ICMP error, or cannot be told not to be one. */
function isAboutError(packet: Scratch): bool {
  if (packet.header.protocol != Protocol.Icmp) return false;
  return packet.l4Length == 0 || isError(changetype<Icmp>(packet.l4).type);
}

/** A descriptor for a frame of the core's own, with its address where the IP header goes; null when there is no room. */
function takeFrame(cause: Descriptor): Descriptor | null {
  const index = field(SB_BURST_COUNT);
  const start = (field(SB_ARENA_NEXT) + 63) & ~63;
  if (index >= <u32>DESCRIPTOR_MAX || <u64>start + HEADROOM + MADE_FRAME_MAX > <u64>field(SB_ARENA_END)) return null;
  setField(SB_BURST_COUNT, index + 1);
  setField(SB_ARENA_NEXT, start + HEADROOM + MADE_FRAME_MAX);
  const made = Descriptor.at(index);
  made.clear();
  made.address = start + HEADROOM;
  made.headroom = HEADROOM;
  made.inInterface = cause.inInterface;
  made.flags = DescriptorFlag.Made;
  made.cause = <u32>((changetype<usize>(cause) - <usize>field(SB_DESCRIPTORS)) / DESCRIPTOR_SIZE);
  return made;
}
