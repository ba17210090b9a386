/**
 * Sending: puts the link header of the out interface in front of an IP packet.
 *
 * @module
 */
import { IF_VLAN_NONE, InterfaceFlag } from '../../src/abi/tables';
import { Descriptor } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { interfaceHas, interfaceMac, interfaceVlan } from '../net/interface';
import { ETHERNET_SIZE, Ethernet, TYPE_IPV4_BE, TYPE_IPV6_BE, TYPE_VLAN_BE } from '../wire/ethernet';
import { Ipv4 } from '../wire/ipv4';
import { IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { copyMac } from '../wire/mac';
import { VLAN_SIZE, Vlan } from '../wire/vlan';

/** Bytes of the link header on interface `out`. */
function linkSize(out: u32): u32 {
  if (!interfaceHas(out, InterfaceFlag.Ethernet)) return 0;
  return interfaceVlan(out) == IF_VLAN_NONE ? ETHERNET_SIZE : ETHERNET_SIZE + VLAN_SIZE;
}

/** Where the link header of `out` begins that ends at `ip`; 0 when it does not fit behind the frame's floor. */
export function linkStart(frame: Descriptor, ip: usize, out: u32): usize {
  const size = linkSize(out);
  // A sum, not a difference: near address 0 a difference would wrap.
  return frame.floor + size <= ip ? ip - size : 0;
}

/** Whether the link header of `out` fits between the frame's floor and an IP header at `ip`. */
export function hasHeadroom(frame: Descriptor, ip: usize, out: u32): bool {
  return linkStart(frame, ip, out) != 0;
}

/** Makes the IP packet at `ip` the frame, with the link header of `out` to `mac`. `hasHeadroom` was asked. */
export function putLink(frame: Descriptor, ip: usize, out: u32, mac: usize): void {
  if (changetype<Ipv4>(ip).version == 6) putLinkOf<v128>(frame, ip, out, mac);
  else putLinkOf<u32>(frame, ip, out, mac);
}

/** The same where the family is known. */
export function putLinkOf<A>(frame: Descriptor, ip: usize, out: u32, mac: usize): void {
  putLinkAt<A>(frame, ip - linkSize(out), ip, out, mac);
}

/** The same where it is known what `linkStart` says. */
export function putLinkAt<A>(frame: Descriptor, start: usize, ip: usize, out: u32, mac: usize): void {
  const floor = frame.floor;
  const type = isIpv6<A>() ? TYPE_IPV6_BE : TYPE_IPV4_BE;
  const size = <u32>(ip - start);
  if (size != 0) {
    const ethernet = changetype<Ethernet>(start);
    copyMac(ethernet.destination, mac);
    copyMac(ethernet.source, interfaceMac(out));
    if (size == ETHERNET_SIZE) {
      ethernet.typeBE = type;
    } else {
      ethernet.typeBE = TYPE_VLAN_BE;
      const tag = changetype<Vlan>(start + ETHERNET_SIZE);
      tag.identifier = interfaceVlan(out);
      tag.typeBE = type;
    }
  }
  frame.address = start;
  frame.length =
    size + (isIpv6<A>() ? IPV6_SIZE + changetype<Ipv6>(ip).payloadLength : changetype<Ipv4>(ip).totalLength);
  frame.headroom = <u32>(start - floor);
  frame.outInterface = out;
}
