/**
 * Taking a frame in: link layer, IPv4 header, addresses, options; then delivered here or forwarded.
 *
 * @module
 */
import { deliver } from './deliver.js';
import { forward } from './forward.js';
import { drop, type Host, type Judgement, local, pass, type Received } from './host.js';
import type { Interface } from './network.js';
import { processOptions } from './options.js';
import { isLoopback, isMulticast, isZeroNet, LIMITED_BROADCAST } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { ETHERNET_LENGTH, ETHERTYPE, isGroupMac, parseEthernet, TAG_LENGTH } from './packet/ethernet.js';
import {
  findIpv4Fault,
  type Ipv4Packet,
  isFragment,
  PROTOCOL,
  parseIpv4,
  totalLength,
  withChecksum,
} from './packet/ipv4.js';
import { decapsulateIpip } from './tunnel.js';

/** Where bytes of an IP packet come from. */
interface Origin {
  interface: Interface;
  link: Uint8Array;
  decapsulated: boolean;
  now: number;
}

/** Judges a frame that came in on the interface of that name. */
export function receive(host: Host, frame: Uint8Array, inInterface: string, now: number): Judgement {
  const device = host.network.interface(inInterface);
  if (device === undefined) return drop('unknown-interface');
  if (!device.up) return drop('interface-down');
  if (device.kind === 'ether') return receiveEthernet(host, frame, device, now);
  if (frame.length > 0 && frame[0]! >>> 4 === 6) return pass('ipv6');
  return receiveIpv4(host, frame, { interface: device, link: new Uint8Array(0), decapsulated: false, now });
}

function receiveEthernet(host: Host, bytes: Uint8Array, parent: Interface, now: number): Judgement {
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
  if (frame.etherType === ETHERTYPE.ipv6) return pass('ipv6');
  if (frame.etherType !== ETHERTYPE.ipv4) return pass('not-ip');
  const link = bytes.slice(0, bytes.length - frame.payload.length);
  return receiveIpv4(host, frame.payload, { interface: device, link, decapsulated: false, now });
}

function receiveIpv4(host: Host, bytes: Uint8Array, origin: Origin): Judgement {
  const fault = findIpv4Fault(bytes);
  if (fault !== undefined) return drop(fault);
  const packet = parseIpv4(bytes);
  // What follows the packet is padding of the link: it goes, whatever becomes of the packet.
  const frame = concatenate(origin.link, bytes.subarray(0, totalLength(packet)));
  return { frame, ...judgeIpv4(host, packet, origin) };
}

function judgeIpv4(host: Host, packet: Ipv4Packet, origin: Origin): Judgement {
  const martian = findMartian(host, packet, origin.interface);
  if (martian !== undefined) return drop(martian);

  const toUs = host.network.isLocal(packet.destination);
  const options = processOptions(packet.options, {
    // Forwarding overwrites it; until then, in errors, it is the address on the way back.
    address: toUs ? packet.destination : (host.network.route(packet.source)?.source ?? 0),
    now: origin.now,
    isLocal: (address) => host.network.isLocal(address),
    isSubnetBroadcast: (address) => host.network.isSubnetBroadcast(address),
  });
  if (typeof options === 'string') return drop(options);
  if (isFragment(packet)) return pass('fragment');
  const received: Received = {
    ...origin,
    packet: options.changed ? withChecksum({ ...packet, options: options.options }) : packet,
    givenOptions: packet.options,
    addressSlots: options.addressSlots,
  };
  if (toUs) return receiveOwn(host, received);
  return isBroadcast(host, packet.destination) ? hand(received, local('local-delivery')) : forward(host, received);
}

/** A packet to one of our addresses: the end of a tunnel, a service, or the host itself. */
function receiveOwn(host: Host, received: Received): Judgement {
  const tunnel = host.network.tunnelInterface;
  const isTunnelled = received.packet.protocol === PROTOCOL.ipip && tunnel !== undefined;
  if (!isTunnelled || received.decapsulated) return hand(received, deliver(host, received));
  if (findIpv4Fault(received.packet.payload) === 'ipv4-checksum') return drop('ipv4-checksum');
  const inner = decapsulateIpip(received.packet);
  if (typeof inner === 'string') return drop(inner);
  const judgement = receiveIpv4(host, inner, {
    interface: tunnel,
    link: new Uint8Array(0),
    decapsulated: true,
    now: received.now,
  });
  return { frame: inner, ...judgement };
}

/** What came out of a tunnel and is for the host says so. */
function hand(received: Received, judgement: Judgement): Judgement {
  const plain = judgement.reason === 'local-delivery' || judgement.reason === 'not-opening';
  return received.decapsulated && plain ? local('decapsulated') : judgement;
}

/** Addresses that no packet can have, in the order in which Linux routes input (RFC 1812 §5.3.7). */
function findMartian(host: Host, packet: Ipv4Packet, device: Interface): string | undefined {
  const { source, destination } = packet;
  if (isMulticast(source) || source === LIMITED_BROADCAST) return 'martian-source';
  // Who has no address yet may still call everybody (RFC 1122 §3.2.1.3).
  const toAll = destination === LIMITED_BROADCAST || (source === 0 && destination === 0);
  if (toAll && isZeroNet(source)) return undefined;
  if (isZeroNet(source)) return 'martian-source';
  if (isZeroNet(destination)) return 'martian-destination';
  if (device.kind === 'loopback') return undefined;
  if (isLoopback(destination)) return 'martian-destination';
  return isLoopback(source) || host.network.isLocal(source) ? 'martian-source' : undefined;
}

function isBroadcast(host: Host, address: number): boolean {
  return (
    address === 0 || isMulticast(address) || address === LIMITED_BROADCAST || host.network.isSubnetBroadcast(address)
  );
}
