/**
 * The few fields of a frame that its walk is told by. A field that is cut off is absent.
 *
 * @module
 */

import { type Layer, type LayerKind, layersOf } from '../decode/layers.js';
import { icmpText } from '../decode/text.js';
import type { LinkKind } from '../decode.js';

/** What an Ethernet header says. */
export interface LinkFacts {
  readonly destination: string;
  /** VLAN identifier of the first 802.1Q tag. */
  readonly vlan: number | undefined;
  /** EtherType after the first tag, `0x0800`. */
  readonly etherType: string;
}

/** What an ICMP or ICMPv6 header says. */
export interface IcmpFacts {
  /** `ICMP 3/4 (fragmentation needed)`. */
  readonly text: string;
  /** Whether it is an error about another packet. */
  readonly isError: boolean;
  /** That packet. */
  readonly quoted: IpFacts | undefined;
}

/** What an IP header, and what follows it, say. */
export interface IpFacts {
  readonly version: 4 | 6;
  readonly source: string;
  readonly destination: string;
  /** What the packet carries, behind all extension headers. */
  readonly protocol: number;
  /** TTL or hop limit. */
  readonly hops: number;
  /** Bytes, without extension headers. */
  readonly headerLength: number;
  /** Names of the extension headers, in order. */
  readonly extensions: readonly string[];
  /** Bytes. */
  readonly totalLength: number;
  /** Whether it must not be cut: DF, or IPv6. */
  readonly dontFragment: boolean;
  /** Identification and first byte of a fragment. */
  readonly fragment: { readonly id: string; readonly offset: number } | undefined;
  /** Of a query of ICMP its identifier, of its reply 0. */
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  /** Which of both a message of ICMP is. */
  readonly message: 'query' | 'reply' | undefined;
  /** `[S]`, `[SA]`, …; absent when it is not TCP. */
  readonly tcpFlags: string | undefined;
  /** What a TCP segment acknowledges, and the largest segment that it asks for. */
  readonly acknowledgment: number | undefined;
  readonly mss: number | undefined;
  /** Chunk types of SCTP; absent when it is not SCTP. */
  readonly chunks: readonly string[] | undefined;
  readonly icmp: IcmpFacts | undefined;
  /** Whether it carries GUE. */
  readonly isGue: boolean;
  /** The packet within a tunnel. */
  readonly inner: IpFacts | undefined;
}

/** The parts of a frame. */
export interface PacketFacts {
  readonly link: LinkFacts | undefined;
  readonly ip: IpFacts | undefined;
}

/** Reads a frame. */
export function packetFacts(frame: Uint8Array, link: LinkKind): PacketFacts {
  const layers = layersOf(frame, link);
  const first = layers.findIndex(isIp);
  return {
    link: link === 'ether' ? linkFacts(layers) : undefined,
    ip: first < 0 ? undefined : ipFacts(layers.slice(first)),
  };
}

function linkFacts(layers: readonly Layer[]): LinkFacts | undefined {
  const [eth, tag] = [layers[0], layers.find(({ kind }) => kind === 'vlan')];
  const destination = text(eth, 'eth.dst');
  const etherType = text(tag, 'vlan.etype') ?? text(eth, 'eth.type');
  if (destination === undefined || etherType === undefined) return undefined;
  const vlan = text(eth, 'eth.type') === '0x8100' ? text(tag, 'vlan.id') : undefined;
  return { destination, etherType, vlan: vlan === undefined ? undefined : Number(vlan) };
}

/** Extension headers with the names that people use, and the field that says what follows. */
const EXTENSIONS: Readonly<Partial<Record<LayerKind, readonly [name: string, next: string]>>> = {
  hopopts: ['hop-by-hop options', 'ipv6.hopopts.nxt'],
  dstopts: ['destination options', 'ipv6.dstopts.nxt'],
  routing: ['routing', 'ipv6.routing.nxt'],
  fragment: ['fragment', 'ipv6.fraghdr.nxt'],
};

/** The packet of the first layer, whose layers come first. */
function ipFacts(layers: readonly Layer[]): IpFacts | undefined {
  const [ip, ...behind] = layers;
  if (ip === undefined) return undefined;
  const get = (name: string) => text(ip, `${ip.kind}.${name}`);
  const [source, destination] = [get('src'), get('dst')];
  if (source === undefined || destination === undefined) return undefined;
  const own = behind.filter(({ prefix }) => prefix === ip.prefix);
  const headers = own.filter(({ kind }) => kind in EXTENSIONS);
  const deeper = behind.findIndex((layer) => isIp(layer) && layer.prefix !== ip.prefix);
  const within = deeper < 0 ? undefined : ipFacts(behind.slice(deeper));
  const icmp = own.find(({ kind }) => kind === 'icmp' || kind === 'icmpv6');
  const transport = own.find(({ kind }) => kind === 'tcp' || kind === 'udp' || kind === 'sctp');
  const port = (name: string) => number(text(transport, `${transport?.kind}.${name}`));
  const message = icmp && messageOf(icmp);
  const version = ip.kind === 'ip' ? 4 : 6;
  const last = headers.at(-1);
  const next = last === undefined ? get(version === 4 ? 'proto' : 'nxt') : text(last, EXTENSIONS[last.kind]![1]);
  return {
    version,
    source,
    destination,
    protocol: number(next) ?? 0,
    hops: number(get(version === 4 ? 'ttl' : 'hlim')) ?? 0,
    headerLength: version === 4 ? (number(get('hdr_len')) ?? 0) : 40,
    extensions: headers.map(({ kind }) => EXTENSIONS[kind]![0]),
    totalLength: version === 4 ? (number(get('len')) ?? 0) : 40 + (number(get('plen')) ?? 0),
    dontFragment: version === 6 || (get('flags')?.includes('DF') ?? false),
    fragment: fragmentOf(ip, headers),
    ...(message ?? { sourcePort: port('srcport'), destinationPort: port('dstport'), message }),
    tcpFlags: text(transport, 'tcp.flags'),
    acknowledgment: number(text(transport, 'tcp.ack')),
    mss: number(text(transport, 'tcp.options.mss')),
    chunks: transport?.kind === 'sctp' ? textsOf(transport, 'sctp.chunk_type') : undefined,
    icmp: icmp && icmpFacts(icmp, within),
    isGue: own.some(({ kind }) => kind === 'gue'),
    inner: icmp === undefined ? within : undefined,
  };
}

function fragmentOf(ip: Layer, headers: readonly Layer[]): IpFacts['fragment'] {
  if (ip.kind === 'ip') {
    const offset = number(text(ip, 'ip.frag_offset')) ?? 0;
    const isFragment = offset !== 0 || text(ip, 'ip.flags')?.includes('MF');
    return isFragment ? { id: text(ip, 'ip.id') ?? '', offset } : undefined;
  }
  const header = headers.find(({ kind }) => kind === 'fragment');
  const offset = number(text(header, 'ipv6.fraghdr.offset')) ?? 0;
  // One that is all of its packet (RFC 6946) is taken as such.
  if (header === undefined || (offset === 0 && text(header, 'ipv6.fraghdr.more') === '0')) return undefined;
  return { id: text(header, 'ipv6.fraghdr.ident') ?? '', offset };
}

/** Types that are queries, and those that are replies to them. */
const QUERIES: Readonly<Record<string, readonly [queries: readonly string[], replies: readonly string[]]>> = {
  icmp: [
    ['8', '13'],
    ['0', '14'],
  ],
  icmpv6: [['128'], ['129']],
};

/** A query's identifier in place of its source port, a reply's in place of its destination port; the other is 0. */
function messageOf(layer: Layer): Pick<IpFacts, 'sourcePort' | 'destinationPort' | 'message'> | undefined {
  const { kind } = layer;
  const identifier = number(text(layer, kind === 'icmp' ? 'icmp.ident' : 'icmpv6.echo.identifier'));
  const [queries, replies] = QUERIES[kind] ?? [[], []];
  const type = text(layer, `${kind}.type`) ?? '';
  if (identifier === undefined || text(layer, `${kind}.code`) !== '0') return undefined;
  if (queries.includes(type)) return { sourcePort: identifier, destinationPort: 0, message: 'query' };
  return replies.includes(type) ? { sourcePort: 0, destinationPort: identifier, message: 'reply' } : undefined;
}

function icmpFacts(layer: Layer, quoted: IpFacts | undefined): IcmpFacts {
  const [type = '', code = ''] = [text(layer, `${layer.kind}.type`), text(layer, `${layer.kind}.code`)];
  const isIPv4 = layer.kind === 'icmp';
  const isError = isIPv4 ? ['3', '4', '5', '11', '12'].includes(type) : type !== '' && Number(type) < 128;
  return { text: `${isIPv4 ? 'ICMP' : 'ICMPv6'} ${icmpText(type, code, isIPv4 ? 4 : 6)}`, isError, quoted };
}

function isIp({ kind }: Layer): boolean {
  return kind === 'ip' || kind === 'ipv6';
}

function text(layer: Layer | undefined, name: string): string | undefined {
  return layer === undefined ? undefined : textsOf(layer, name)[0];
}

function textsOf(layer: Layer, name: string): string[] {
  return layer.fields.filter((field) => field.name === layer.prefix + name).map(({ value }) => value);
}

function number(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  132: 'SCTP',
};

/** `TCP`, `IPIP`, `GUE`, …, or `protocol N`. */
export function protocolWord({ version, protocol, isGue }: Pick<IpFacts, 'version' | 'protocol' | 'isGue'>): string {
  if (isGue) return 'GUE';
  if (protocol === 4) return version === 4 ? 'IPIP' : '4in6';
  if (protocol === 41) return version === 4 ? '6in4' : 'IP6IP6';
  return PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}
