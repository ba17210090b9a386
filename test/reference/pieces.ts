import { type IpPacket, ipLength, isIpv6 } from '../../src/reference/packet/ip.js';
import { IP_FLAG } from '../../src/reference/packet/ipv4.js';
import type { Ipv6Packet } from '../../src/reference/packet/ipv6.js';
import { findFragmentHeader, withFragmentHeader } from '../../src/reference/packet/ipv6-extensions.js';
import { Reassembler, type Taken } from '../../src/reference/reassembly.js';
import { ip, type PacketWords } from './builders.js';

export const ROOMY = { bytes: 1 << 20, datagrams: 256 };
export const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

/** An IPv4 fragment; `start` in bytes. */
export const piece = (start: number, length: number, more: boolean, words: PacketWords = {}) =>
  ip({
    protocol: 17,
    flags: more ? IP_FLAG.moreFragments : 0,
    fragmentOffset: start / 8,
    payload: counting(3000).slice(start, start + length),
    ...words,
  });

export const SIX: Ipv6Packet = {
  trafficClass: 0,
  flowLabel: 7,
  nextHeader: 17,
  hopLimit: 64,
  source: 1n,
  destination: 2n,
  payload: new Uint8Array(0),
};

/** An IPv6 fragment; `start` in bytes. */
export const piece6 = (start: number, length: number, more: boolean, words: Partial<Ipv6Packet> = {}) => {
  const payload = counting(70_000).slice(start, start + length);
  const header = { offset: start / 8, more, identification: 5 };
  return withFragmentHeader({ ...SIX, ...words, payload }, 0, header);
};

/** What becomes of each packet, one millisecond apart. */
export function takeAll(packets: IpPacket[], limits = ROOMY): Taken<number>[] {
  const reassembler = new Reassembler<number>(limits);
  return packets.map((packet, i) => reassembler.take(packet, i, i));
}

export const words = (taken: Taken<number>[]) =>
  taken.map((each) => (each.state === 'refused' ? each.reason : each.state));

export function whole(packets: IpPacket[]) {
  const last = takeAll(packets).at(-1);
  if (last?.state !== 'whole') throw new Error(`not whole: ${JSON.stringify(last)}`);
  return last;
}

/** `[bytes of the IP packet, offset in bytes, more fragments]` of each. */
export function geometry(packets: IpPacket[] | 'too-big'): number[][] {
  if (packets === 'too-big') throw new Error(packets);
  return packets.map((packet) => {
    if (!isIpv6(packet)) return [ipLength(packet), packet.fragmentOffset * 8, packet.flags];
    const header = findFragmentHeader(packet)?.header;
    return [ipLength(packet), (header?.offset ?? 0) * 8, header?.more === true ? 1 : 0];
  });
}
