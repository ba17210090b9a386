/**
 * The link header: what a frame is addressed to, and where its IP header is.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { SB_INTERFACE_COUNT } from '../../src/abi/superblock';
import { InterfaceFlag } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { findVlan, interfaceHas, interfaceMac, NO_INTERFACE } from '../net/interface';
import { field } from '../superblock';
import { ETHERNET_SIZE, Ethernet, TYPE_ARP_BE, TYPE_IPV4_BE, TYPE_IPV6_BE, TYPE_VLAN_BE } from '../wire/ethernet';
import { sameMac } from '../wire/mac';
import { VLAN_SIZE, Vlan } from '../wire/vlan';

/**
 * Reads the link header of `frame`. Sets `scratch.receivedOn` and the family, and returns the address of the IP header;
 * 0 when the frame has been judged.
 */
export function parseLink(frame: Descriptor, scratch: Scratch): usize {
  const index = frame.inInterface;
  if (index >= field(SB_INTERFACE_COUNT)) return refuse(frame, Verdict.Drop, Reason.UnknownInterface);
  scratch.receivedOn = index;
  if (!interfaceHas(index, InterfaceFlag.Up)) return refuse(frame, Verdict.Drop, Reason.InterfaceDown);
  const address = frame.address;
  if (!interfaceHas(index, InterfaceFlag.Ethernet)) {
    scratch.flags = frame.length != 0 && load<u8>(address) >> 4 == 6 ? ScratchFlag.V6 : 0;
    return address;
  }

  if (frame.length < ETHERNET_SIZE) return refuse(frame, Verdict.Drop, Reason.LinkTruncated);
  const ethernet = changetype<Ethernet>(address);
  let type = ethernet.typeBE;
  let receiver = index;
  let ip = address + ETHERNET_SIZE;
  if (type == TYPE_VLAN_BE) {
    if (frame.length < ETHERNET_SIZE + VLAN_SIZE) return refuse(frame, Verdict.Drop, Reason.LinkTruncated);
    const tag = changetype<Vlan>(ip);
    type = tag.typeBE;
    ip += VLAN_SIZE;
    const identifier = tag.identifier;
    if (identifier != 0) {
      receiver = findVlan(index, identifier);
      if (receiver == NO_INTERFACE) return refuse(frame, Verdict.Drop, Reason.UnknownVlan);
      if (!interfaceHas(receiver, InterfaceFlag.Up)) return refuse(frame, Verdict.Drop, Reason.InterfaceDown);
      scratch.receivedOn = receiver;
    }
  }
  if (ethernet.isGroup) return refuse(frame, Verdict.Local, type == TYPE_ARP_BE ? Reason.Arp : Reason.LinkGroup);
  if (!sameMac(ethernet.destination, interfaceMac(receiver))) return refuse(frame, Verdict.Drop, Reason.OtherHost);
  scratch.flags = type == TYPE_IPV6_BE ? ScratchFlag.V6 : 0;
  if (type == TYPE_IPV4_BE || type == TYPE_IPV6_BE) return ip;
  if (type == TYPE_ARP_BE) return refuse(frame, Verdict.Local, Reason.Arp);
  return refuse(frame, Verdict.Pass, Reason.NotIp);
}

function refuse(frame: Descriptor, verdict: Verdict, reason: Reason): usize {
  frame.judge(verdict, reason);
  return 0;
}
