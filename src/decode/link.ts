/**
 * Ethernet, VLAN tags and ARP.
 *
 * @module
 */
import { readU16 } from './text.js';
import { address, decimal, hex, type Layer, mac, type Walk } from './walk.js';

/** An Ethernet frame; `packet` reads the IP packet in it. */
export function ethernet(walk: Walk, packet: (at: number, end: number) => Layer | undefined): void {
  const { frame } = walk;
  const end = frame.length;
  const eth = walk.layer('eth', '', 0, 14, end);
  walk.add(eth, 'eth.dst', 0, 6, mac);
  walk.add(eth, 'eth.src', 6, 6, mac);
  walk.add(eth, 'eth.type', 12, 2, hex);
  if (end < 14) return;
  let type = readU16(frame, 12);
  let at = 14;
  for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8) && end >= at + 4; tags++) {
    const vlan = walk.layer('vlan', '', at, at + 4, end);
    walk.add(vlan, 'vlan.priority', at, 1, (f, i) => String(f[i]! >> 5));
    walk.add(vlan, 'vlan.dei', at, 1, (f, i) => String((f[i]! >> 4) & 1));
    walk.add(vlan, 'vlan.id', at, 2, (f, i) => String(readU16(f, i) & 0xfff));
    walk.add(vlan, 'vlan.etype', at + 2, 2, hex);
    type = readU16(frame, at + 2);
    at += 4;
  }
  if (type === 0x0806) arp(walk, at, end);
  // What the EtherType promises must be there.
  if (!(type === 0x0800 && frame[at]! >> 4 === 4) && !(type === 0x86dd && frame[at]! >> 4 === 6)) return;
  const ip = packet(at, end);
  if (ip !== undefined) walk.rest(eth, 'eth.padding', ip.end, end);
}

function arp(walk: Walk, at: number, end: number): void {
  const layer = walk.layer('arp', '', at, at + 28, end);
  walk.add(layer, 'arp.hw.type', at, 2, decimal);
  walk.add(layer, 'arp.proto.type', at + 2, 2, hex);
  walk.add(layer, 'arp.hw.size', at + 4, 1, decimal);
  walk.add(layer, 'arp.proto.size', at + 5, 1, decimal);
  walk.add(layer, 'arp.opcode', at + 6, 2, decimal);
  walk.add(layer, 'arp.src.hw_mac', at + 8, 6, mac);
  walk.add(layer, 'arp.src.proto_ipv4', at + 14, 4, address);
  walk.add(layer, 'arp.dst.hw_mac', at + 18, 6, mac);
  walk.add(layer, 'arp.dst.proto_ipv4', at + 24, 4, address);
}
