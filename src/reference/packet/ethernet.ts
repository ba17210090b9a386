/**
 * Ethernet II frames with at most one 802.1Q tag.
 *
 * @module
 */
import { formatMac, parseMac } from './address.js';
import { concatenate } from './checksum.js';

/** EtherTypes (IEEE 802 numbers registry). */
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;

/** Bytes of an untagged header, and of a tag. */
export const ETHERNET_LENGTH = 14;
export const TAG_LENGTH = 4;

/** An Ethernet frame taken apart. */
export interface EthernetFrame {
  /** `02:00:00:00:00:01`. */
  destination: string;
  source: string;
  /** Tag control information of an 802.1Q tag: 3 bits priority, 1 bit DEI, 12 bits VLAN identifier. */
  tag: number | undefined;
  /** EtherType behind the tag, if there is one. */
  etherType: number;
  payload: Uint8Array;
}

/** Takes a frame apart. @throws RangeError when it is shorter than its header. */
export function parseEthernet(bytes: Uint8Array): EthernetFrame {
  if (bytes.length < ETHERNET_LENGTH) throw new RangeError(`Ethernet needs 14 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addresses = { destination: formatMac(bytes.slice(0, 6)), source: formatMac(bytes.slice(6, 12)) };
  const etherType = view.getUint16(12);
  if (etherType !== ETHERTYPE.vlan) return { ...addresses, tag: undefined, etherType, payload: bytes.slice(14) };
  if (bytes.length < ETHERNET_LENGTH + TAG_LENGTH) {
    throw new RangeError(`a tagged frame needs 18 bytes, got ${bytes.length}`);
  }
  return { ...addresses, tag: view.getUint16(14), etherType: view.getUint16(16), payload: bytes.slice(18) };
}

/** Puts a frame together, without padding. */
export function serialiseEthernet(frame: EthernetFrame): Uint8Array {
  const words = frame.tag === undefined ? [frame.etherType] : [ETHERTYPE.vlan, frame.tag, frame.etherType];
  const rest = Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]));
  return concatenate(parseMac(frame.destination), parseMac(frame.source), rest, frame.payload);
}

/** Whether a MAC address is a group address: multicast or broadcast (IEEE 802-2014 §8.2.2). */
export function isGroupMac(mac: string): boolean {
  return (parseMac(mac)[0]! & 1) === 1;
}
