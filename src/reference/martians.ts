/**
 * Addresses that no packet can have, and those that mean many hosts.
 *
 * @module
 */
import type { Host } from './host.js';
import type { Interface } from './network.js';
import { type Address, isLoopback, isMulticast, isUnspecified, LIMITED_BROADCAST } from './packet/address.js';
import { type IpPacket, isIpv6 } from './packet/ip.js';

/** Why a packet with these addresses is dropped on receipt, if it is. `isTaken`: it is ours, whoever it is addressed to. */
export function findMartian(host: Host, packet: IpPacket, device: Interface, isTaken: boolean): string | undefined {
  const { source, destination } = packet;
  if (!isIpv6(packet)) return findIpv4Martian(host, packet.source, packet.destination, device, isTaken);
  const isFromUs = device.kind === 'loopback';
  if (isLoopback(source) && !isFromUs) return 'martian-source';
  if (isLoopback(destination) && !isFromUs) return 'martian-destination';
  // Scope 0 is reserved, scope 1 never leaves the interface (RFC 4291 §2.7).
  const scope = Number((packet.destination >> 112n) & 0xfn);
  if (isMulticast(destination) && (scope === 0 || (scope === 1 && !isFromUs))) return 'martian-destination';
  return isMulticast(source) ? 'martian-source' : undefined;
}

/** In the order in which Linux routes input (RFC 1812 §5.3.7). */
function findIpv4Martian(
  host: Host,
  source: number,
  destination: number,
  device: Interface,
  isTaken: boolean,
): string | undefined {
  if (isMulticast(source) || source === LIMITED_BROADCAST) return 'martian-source';
  // Who has no address yet may still call everybody (RFC 1122 §3.2.1.3).
  const toAll = destination === LIMITED_BROADCAST || (source === 0 && destination === 0);
  // The rest of 0.0.0.0/8 is as good as any other.
  if (isUnspecified(source)) return toAll ? undefined : 'martian-source';
  if (isUnspecified(destination)) return 'martian-destination';
  if (device.kind === 'loopback') return undefined;
  if (isLoopback(destination)) return 'martian-destination';
  if (isLoopback(source)) return 'martian-source';
  const leadsOn = isTaken || isForAll(host, destination) || leadsOut(host, destination);
  return host.network.isLocal(source) && leadsOn ? 'martian-source' : undefined;
}

/** Linux looks at who sent a packet when it has found a way for it; what has none is refused without that. */
function leadsOut({ network, sysctl }: Host, destination: number): boolean {
  return sysctl.ip_forward !== 0 && network.route(destination) !== undefined;
}

/** Whether nothing but another host has an address of IPv4. */
export function isOfAnother(host: Host, address: number): boolean {
  return !isForAll(host, address) && !host.network.isLocal(address);
}

/** Whether an address is a group's or everybody's. */
export function isForAll(host: Host, address: Address): boolean {
  return (
    address === 0 || isMulticast(address) || address === LIMITED_BROADCAST || host.network.isSubnetBroadcast(address)
  );
}
