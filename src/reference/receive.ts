/**
 * Taking a frame in: link layer, IP header, addresses, options; then delivered here or forwarded.
 *
 * @module
 */
import { answerProblem } from './answer.js';
import { deliver } from './deliver.js';
import { forward } from './forward.js';
import { gather } from './gather.js';
import { drop, type Host, type Judgement, local, pass, type Received } from './host.js';
import { findMartian, isForAll } from './martians.js';
import type { Interface } from './network.js';
import { optionContext, processOptions } from './options.js';
import { isLinkLocal, isMulticast } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { ETHERNET_LENGTH, ETHERTYPE, isGroupMac, parseEthernet, TAG_LENGTH } from './packet/ethernet.js';
import { type IpPacket, ipLength, isIpv6 } from './packet/ip.js';
import { findIpv4Fault, type Ipv4Packet, isFragment, parseIpv4 } from './packet/ipv4.js';
import { findIpv6Fault, parseIpv6 } from './packet/ipv6.js';
import { findFragmentHeader, findHopByHopFault } from './packet/ipv6-extensions.js';
import { leaveTunnel } from './terminate.js';
import type { ReferenceFrameNotes } from './types.js';

/** Bytes of an IPv4 header without options. */
const IPV4_LENGTH = 20;

/** Where bytes of an IP packet come from. */
export type Origin = Pick<Received, 'interface' | 'link' | 'decapsulated' | 'mark' | 'partialChecksum' | 'now'>;

/** Judges a frame that came in on the interface of that name. */
export function receive(
  host: Host,
  frame: Uint8Array,
  inInterface: string,
  now: number,
  { mark = 0, partialChecksum = false }: ReferenceFrameNotes,
): Judgement {
  const device = host.network.interface(inInterface);
  if (device === undefined) return drop('unknown-interface');
  if (!device.up) return drop('interface-down');
  const notes = { decapsulated: false, mark, partialChecksum, now };
  if (device.kind === 'ether') return receiveEthernet(host, frame, device, notes);
  return receiveIp(host, frame, { ...notes, interface: device, link: new Uint8Array(0) });
}

function receiveEthernet(
  host: Host,
  bytes: Uint8Array,
  parent: Interface,
  notes: Omit<Origin, 'interface' | 'link'>,
): Judgement {
  if (bytes.length < ETHERNET_LENGTH) return drop('link-truncated');
  const tagged = ((bytes[12]! << 8) | bytes[13]!) === ETHERTYPE.vlan;
  if (tagged && bytes.length < ETHERNET_LENGTH + TAG_LENGTH) return drop('link-truncated');
  const frame = parseEthernet(bytes);

  let device = parent;
  const vlan = (frame.tag ?? 0) & 0xfff;
  // VLAN identifier 0 is no VLAN: only the priority counts (IEEE 802.1Q §9.6).
  if (vlan !== 0) {
    const own = host.network.vlanInterface(parent.name, vlan);
    if (own === undefined) return drop('unknown-vlan');
    if (!own.up) return drop('interface-down');
    device = own;
  }

  if (isGroupMac(frame.destination)) return local(frame.etherType === ETHERTYPE.arp ? 'arp' : 'link-group');
  if (frame.destination !== device.mac) return drop('other-host');
  if (frame.etherType === ETHERTYPE.arp) return local('arp');
  const link = bytes.slice(0, bytes.length - frame.payload.length);
  const origin = { ...notes, interface: device, link };
  if (frame.etherType === ETHERTYPE.ipv6) return receiveIpv6(host, frame.payload, origin);
  if (frame.etherType === ETHERTYPE.ipv4) return receiveIpv4(host, frame.payload, origin);
  return pass('not-ip');
}

/** Bare IP: the first four bits are the version. */
export function receiveIp(host: Host, bytes: Uint8Array, origin: Origin): Judgement {
  const isVersion6 = bytes.length > 0 && bytes[0]! >>> 4 === 6;
  return isVersion6 ? receiveIpv6(host, bytes, origin) : receiveIpv4(host, bytes, origin);
}

function receiveIpv4(host: Host, bytes: Uint8Array, origin: Origin): Judgement {
  const fault = findIpv4Fault(bytes);
  if (fault !== undefined) return drop(fault);
  const packet = parseIpv4(bytes);
  return { frame: withoutPadding(bytes, packet, origin), ...judgeIpv4(host, packet, origin) };
}

function receiveIpv6(host: Host, bytes: Uint8Array, origin: Origin): Judgement {
  const fault = findIpv6Fault(bytes);
  if (fault !== undefined) return drop(fault);
  const packet = parseIpv6(bytes);
  const frame = withoutPadding(bytes, packet, origin);
  const martian = findMartian(host, packet, origin.interface, false);
  if (martian !== undefined) return { ...drop(martian), frame };
  const refused = findHopByHopFault(packet);
  if (refused !== undefined) {
    const { reason, problem } = refused;
    const { code, pointer } = problem ?? {};
    const told =
      code === undefined || pointer === undefined
        ? undefined
        : answerProblem(host, code, pointer, packet, origin.interface);
    return { ...drop(reason, told), frame };
  }
  const received = { ...origin, packet, givenOptions: new Uint8Array(0), addressSlots: [], arrival: undefined };
  const isCut = host.services.any(6) && findFragmentHeader(packet) !== undefined;
  return { frame, ...(isCut ? gather(host, received, (whole) => take(host, whole)) : take(host, received)) };
}

/** What follows the packet is padding of the link: it goes, whatever becomes of the packet. */
function withoutPadding(bytes: Uint8Array, packet: IpPacket, origin: Origin): Uint8Array {
  return concatenate(origin.link, bytes.subarray(0, ipLength(packet)));
}

function judgeIpv4(host: Host, packet: Ipv4Packet, origin: Origin): Judgement {
  const toUs = host.network.isLocal(packet.destination) || hasServiceMark(host, { packet, mark: origin.mark });
  const martian = findMartian(host, packet, origin.interface, toUs);
  if (martian !== undefined) return drop(martian);

  const back = host.network.route(packet.source)?.source;
  // Forwarding overwrites it; until then, in errors, it is the address on the way back.
  const address =
    toUs && !isForAll(host, packet.destination) ? packet.destination : typeof back === 'number' ? back : 0;
  const options = processOptions(packet.options, optionContext(host, address, origin.now));
  if ('reason' in options) {
    const { reason, pointer } = options;
    // Nobody answers from an address that is the host's by its mark alone.
    if (pointer === undefined || (toUs && !host.network.isLocal(packet.destination))) return drop(reason);
    const quoted = { ...packet, options: options.options };
    return drop(reason, answerProblem(host, 0, IPV4_LENGTH + pointer, quoted, origin.interface));
  }
  return take(host, {
    ...origin,
    // The checksum is set right when the packet leaves.
    packet: { ...packet, options: options.options },
    givenOptions: packet.options,
    addressSlots: options.addressSlots,
    arrival: undefined,
  });
}

/** A packet without faults: to us, to all, or to somebody else. */
function take(host: Host, received: Received): Judgement {
  const { packet } = received;
  // Who is in a group the host knows.
  const isOwn =
    host.network.isLocal(packet.destination) || (hasServiceMark(host, received) && !isMulticast(packet.destination));
  const isTaken = isOwn || isForAll(host, packet.destination);
  if (!isTaken) return forward(host, received);
  const keep = (whole: Received): Judgement =>
    isOwn && !isFragmentOfIpv6(whole.packet) ? receiveOwn(host, whole) : hand(whole, local('local-delivery'));
  // Fragments of IPv6 were put together before, where anybody wants that; else that is the host's business.
  return !isIpv6(packet) && isFragment(packet) ? gather(host, received, keep) : keep(received);
}

function isFragmentOfIpv6(packet: IpPacket): boolean {
  return isIpv6(packet) && findFragmentHeader(packet) !== undefined;
}

/** Who marks packets for a service routes them to it, too, wherever they are addressed to: but to an address of one link (IPv6). */
function hasServiceMark(host: Host, { packet, mark }: Pick<Received, 'packet' | 'mark'>): boolean {
  if (isIpv6(packet) && isLinkLocal(packet.destination)) return false;
  return mark !== 0 && host.services.hasMark(mark, isIpv6(packet) ? 6 : 4);
}

/** A packet to one of our addresses: the end of a tunnel, a service, or the host itself. */
function receiveOwn(host: Host, received: Received): Judgement {
  const judgement = deliver(host, received);
  if (received.decapsulated) return hand(received, judgement);
  // IPVS is asked first: a service may have the port of GUE.
  const inner = judgement.reason === 'local-delivery' ? leaveTunnel(host, received) : undefined;
  if (inner === undefined) return judgement;
  if ('verdict' in inner) return inner;
  const { bytes, origin } = inner;
  return { frame: bytes, partialChecksum: origin.partialChecksum !== false, ...receiveIp(host, bytes, origin) };
}

/** What came out of a tunnel and is for the host says so. */
function hand(received: Received, judgement: Judgement): Judgement {
  const plain = ['local-delivery', 'not-opening', 'bad-cookie'].includes(judgement.reason);
  return received.decapsulated && plain ? local('decapsulated') : judgement;
}
