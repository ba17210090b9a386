/**
 * A network with both families, and packets of either by the text of their addresses.
 *
 * @module
 */
import {
  findUpper,
  type IpPacket,
  internetChecksum,
  isIpv6,
  parseAnyAddress,
  parseIp,
  pseudoHeader,
  ReferenceDirector,
  type ReferenceNetwork,
  type ReferenceOptions,
  serialiseEthernet,
  serialiseIcmp,
  serialiseIcmpv6,
  serialiseIp,
  serialiseSctp,
} from '../../src/reference/index.js';
import { frame as frame4, MAC } from './builders.js';

/** The ends that packets have here, by family. */
export const ENDS = {
  4: {
    client: '10.0.0.2',
    vip: '10.0.0.100',
    own: '10.0.0.1',
    server: '10.1.0.11',
    inner: '10.1.0.1',
    far: '10.9.0.1',
  },
  6: {
    client: 'fd00::2',
    vip: 'fd00::100',
    own: 'fd00::1',
    server: 'fd00:1::11',
    inner: 'fd00:1::1',
    far: 'fd00:9::1',
  },
} as const;

export const NETWORK: ReferenceNetwork = {
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] },
    { name: 'cli', mac: MAC.cli, addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::100/128', 'fd00::1/64'] },
    { name: 'srv', mac: MAC.srv, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'tunl0', kind: 'ipip' },
    { name: 'sit0', kind: 'sit' },
    { name: 'ip6tnl0', kind: 'ip6tnl' },
    { name: 'gre0', kind: 'gre' },
    { name: 'ip6gre0', kind: 'ip6gre' },
  ],
  routes: [
    { dst: '10.9.0.0/16', dev: 'cli', gateway: '10.0.0.2' },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: 'fd00::2' },
  ],
  neighbours: [
    ...[ENDS[4].client, ENDS[6].client].map((dst) => ({ dst, dev: 'cli', lladdr: MAC.client })),
    ...[ENDS[4].server, ENDS[6].server].map((dst) => ({ dst, dev: 'srv', lladdr: MAC.server })),
  ],
  fou: [{ port: 6080 }, { port: 6080, family: 6 }],
};

/** A director without services. */
export function plainDirector(options: Partial<ReferenceOptions> = {}): ReferenceDirector {
  return new ReferenceDirector({ network: NETWORK, ...options });
}

/** What a packet may be told besides its ends. */
export interface Words {
  ttl?: number;
  /** Type of service or traffic class. */
  tos?: number;
  /** IPv4 only. */
  flags?: number;
  fragmentOffset?: number;
}

/** A packet by its ends, its protocol and what follows the header. */
export function packet(from: string, to: string, protocol: number, payload: Uint8Array, words: Words = {}): IpPacket {
  const [source, destination] = [parseAnyAddress(from), parseAnyAddress(to)];
  const { ttl = 64, tos = 0, flags = 0, fragmentOffset = 0 } = words;
  if (typeof source === 'bigint' && typeof destination === 'bigint') {
    return {
      trafficClass: tos,
      flowLabel: 0,
      nextHeader: protocol,
      hopLimit: ttl,
      source,
      destination,
      payload,
    };
  }
  if (typeof source === 'bigint' || typeof destination === 'bigint') throw new Error('two families');
  return {
    tos,
    identification: 0x1234,
    flags,
    fragmentOffset,
    ttl,
    protocol,
    checksum: 0,
    source,
    destination,
    options: new Uint8Array(0),
    payload,
  };
}

/** `from` and `to` with ports, and a right checksum. */
export function udp(from: [string, number], to: [string, number], data = 5, words: Words = {}): IpPacket {
  const bytes = new Uint8Array(8 + data).fill(7, 8);
  bytes.set(words16(from[1], to[1], bytes.length, 0));
  return withChecksum(packet(from[0], to[0], 17, bytes, words), 6);
}

export function tcp(
  from: [string, number],
  to: [string, number],
  flags: number,
  data = 0,
  words: Words = {},
): IpPacket {
  const bytes = new Uint8Array(20 + data).fill(7, 20);
  bytes.set(words16(from[1], to[1]));
  bytes.set([0x50, flags, 0xfa, 0], 12);
  return withChecksum(packet(from[0], to[0], 6, bytes, words), 16);
}

/** The chunks with a right CRC32c. */
export function sctp(from: [string, number], to: [string, number], chunks: Uint8Array, words: Words = {}): IpPacket {
  const bytes = serialiseSctp({
    sourcePort: from[1],
    destinationPort: to[1],
    verificationTag: 7,
    checksum: 0,
    payload: chunks,
  });
  return packet(from[0], to[0], 132, bytes, words);
}

/** A chunk of that type with a body of 4 bytes. */
export function chunk(type: number): Uint8Array {
  return Uint8Array.of(type, 0, 0, 8, 1, 2, 3, 4);
}

/** An error, of ICMP or ICMPv6 as the addresses have it, about `bytes`. */
export function icmpError(
  [from, to]: [string, string],
  [type, code, rest]: [number, number, number],
  bytes: Uint8Array,
  words: Words = {},
): IpPacket {
  const message = { type, code, rest, payload: bytes };
  const [source, destination] = [parseAnyAddress(from), parseAnyAddress(to)];
  if (typeof source === 'number') return packet(from, to, 1, serialiseIcmp(message), words);
  return packet(from, to, 58, serialiseIcmpv6(message, source, destination), words);
}

/** An IPv6 packet as a fragment. */
export function fragment6(
  whole: IpPacket,
  offset: number,
  length: number,
  more: boolean,
  identification = 9,
): IpPacket {
  if (!isIpv6(whole)) throw new Error('not IPv6');
  const header = Uint8Array.of(
    whole.nextHeader,
    0,
    offset >>> 8,
    (offset & 0xf8) | Number(more),
    0,
    0,
    0,
    identification,
  );
  const data = whole.payload.subarray(offset, offset + length);
  return { ...whole, nextHeader: 44, payload: Uint8Array.from([...header, ...data]) };
}

/** An IPv4 packet as a fragment. */
export function fragment4(whole: IpPacket, offset: number, length: number, more: boolean, flags = 0): IpPacket {
  if (isIpv6(whole)) throw new Error('not IPv4');
  const payload = whole.payload.slice(offset, offset + length);
  return { ...whole, payload, fragmentOffset: offset / 8, flags: flags | Number(more) };
}

/** A frame on the way to the director. */
export function frame(whole: IpPacket, side: 'cli' | 'srv' = 'cli'): Uint8Array {
  if (!isIpv6(whole)) return frame4(whole, side);
  return serialiseEthernet({
    destination: MAC[side],
    source: side === 'cli' ? MAC.client : MAC.server,
    tag: undefined,
    etherType: 0x86dd,
    payload: serialiseIp(whole),
  });
}

/** The packet in a frame without VLAN tag. */
export function packetOf(bytes: Uint8Array): IpPacket {
  return parseIp(bytes.subarray(14));
}

/** Whether the checksum of TCP, UDP or ICMPv6 behind all headers is right. */
export function checksumIsRight(whole: IpPacket): boolean {
  const { protocol, bytes } = upper(whole);
  const { source, destination } = whole;
  const covered = [...pseudoHeader(source, destination, protocol, bytes.length), ...bytes];
  return internetChecksum(Uint8Array.from(covered)) % 0xffff === 0;
}

function upper(whole: IpPacket): { protocol: number; bytes: Uint8Array } {
  if (!isIpv6(whole)) return { protocol: whole.protocol, bytes: whole.payload };
  const found = findUpper(whole);
  if (found === 'ipv6-truncated') throw new Error(found);
  return { protocol: found.protocol, bytes: whole.payload.subarray(found.offset) };
}

/** The packet with a right checksum of its transport, which stands at that byte of it. */
export function withChecksum(whole: IpPacket, at: number): IpPacket {
  const { source, destination, payload } = whole;
  const protocol = isIpv6(whole) ? whole.nextHeader : whole.protocol;
  const pseudo = pseudoHeader(source, destination, protocol, payload.length);
  const checksum = internetChecksum(Uint8Array.from([...pseudo, ...payload])) || 0xffff;
  const bytes = payload.slice();
  bytes.set(words16(checksum), at);
  return { ...whole, payload: bytes };
}

function words16(...words: number[]): number[] {
  return words.flatMap((word) => [word >>> 8, word & 0xff]);
}
