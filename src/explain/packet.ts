/**
 * The few fields of a frame that its walk is told by. A field that is cut off is absent.
 *
 * @module
 */
import { fields, type LinkKind } from '../decode.js';

/** What an Ethernet header says. */
export interface LinkFacts {
  readonly destination: string;
  /** VLAN identifier of the first 802.1Q tag. */
  readonly vlan: number | undefined;
  /** EtherType after the first tag, `0x0800`. */
  readonly etherType: string;
}

/** What an IPv4 header, and the ports after it, say. */
export interface IpFacts {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl: number;
  /** Bytes. */
  readonly headerLength: number;
  /** Bytes. */
  readonly totalLength: number;
  readonly dontFragment: boolean;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  /** `[S]`, `[SA]`, …; absent when it is not TCP. */
  readonly tcpFlags: string | undefined;
}

/** The parts of a frame. */
export interface PacketFacts {
  readonly link: LinkFacts | undefined;
  readonly ip: IpFacts | undefined;
}

/** Reads a frame. */
export function packetFacts(frame: Uint8Array, link: LinkKind): PacketFacts {
  const found = new Map<string, string>();
  // The first field of a name counts: the outer tag.
  for (const { name, value } of fields(frame, link)) if (!found.has(name)) found.set(name, value);
  return { link: link === 'ether' ? linkFacts(found) : undefined, ip: ipFacts(found) };
}

function linkFacts(found: ReadonlyMap<string, string>): LinkFacts | undefined {
  const destination = found.get('eth.dst');
  const etherType = found.get('vlan.etype') ?? found.get('eth.type');
  if (destination === undefined || etherType === undefined) return undefined;
  const vlan = found.get('eth.type') === '0x8100' ? found.get('vlan.id') : undefined;
  return { destination, etherType, vlan: number(vlan) };
}

function ipFacts(found: ReadonlyMap<string, string>): IpFacts | undefined {
  const destination = found.get('ip.dst');
  if (destination === undefined) return undefined;
  return {
    source: found.get('ip.src') ?? '',
    destination,
    protocol: number(found.get('ip.proto')) ?? 0,
    ttl: number(found.get('ip.ttl')) ?? 0,
    headerLength: number(found.get('ip.hdr_len')) ?? 0,
    totalLength: number(found.get('ip.len')) ?? 0,
    dontFragment: found.get('ip.flags')?.includes('DF') ?? false,
    sourcePort: number(found.get('tcp.srcport') ?? found.get('udp.srcport')),
    destinationPort: number(found.get('tcp.dstport') ?? found.get('udp.dstport')),
    tcpFlags: found.get('tcp.flags'),
  };
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** The packet inside an IPIP packet; both start at their IP header. */
export function innerPacket(packet: Uint8Array): Uint8Array {
  return packet.subarray((packet[0]! & 0x0f) * 4);
}

/** `TCP`, `UDP`, `ICMP`, `IPIP`, or `protocol N`. */
export function protocolWord(protocol: number): string {
  return { 1: 'ICMP', 4: 'IPIP', 6: 'TCP', 17: 'UDP' }[protocol] ?? `protocol ${protocol}`;
}
