/**
 * One line about a frame.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';
import { type Layer, layersOf } from './layers.js';
import { icmpText } from './text.js';

/**
 * One line about a frame: `10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1 ttl=64 len=0`, a tunnelled or quoted packet
 * after it in parentheses. `len` is the payload in bytes. Never throws.
 */
export function summary(frame: Uint8Array, link: LinkKind = 'ether'): string {
  const layers = layersOf(frame, link);
  const tags = layers.filter(({ kind }) => kind === 'vlan').map((layer) => `VLAN ${textOf(layer, 'vlan.id')} `);
  const rest = layers.filter(({ kind }) => kind !== 'eth' && kind !== 'vlan');
  const first = rest[0];
  if (first === undefined) return tags.join('') + unknownFrame(frame, link, layers);
  if (first.kind === 'arp') return tags.join('') + arpSummary(first);
  return tags.join('') + ipSummary(rest);
}

function unknownFrame(frame: Uint8Array, link: LinkKind, layers: readonly Layer[]): string {
  const [eth] = layers;
  const type = textOf(layers.at(-1), 'vlan.etype') || textOf(eth, 'eth.type');
  if (link === 'raw' || type === '') return `not a packet, ${frame.length} bytes`;
  const name = { '0x0800': 'not IPv4', '0x86dd': 'not IPv6' }[type] ?? `EtherType ${type}`;
  return `${textOf(eth, 'eth.src')} > ${textOf(eth, 'eth.dst')} ${name}, ${frame.length} bytes`;
}

function arpSummary(arp: Layer): string {
  const [from, to] = [textOf(arp, 'arp.src.proto_ipv4'), textOf(arp, 'arp.dst.proto_ipv4')];
  switch (textOf(arp, 'arp.opcode')) {
    case '1':
      return `ARP who has ${to}? tell ${from}`;
    case '2':
      return `ARP ${from} is at ${textOf(arp, 'arp.src.hw_mac')}`;
    default:
      return 'ARP';
  }
}

/** What a packet's own header says, whatever its version. */
interface Head {
  readonly ip: Layer;
  readonly version: 4 | 6;
  readonly src: string;
  readonly dst: string;
  /** `ttl=64`, `hlim=64`. */
  readonly hops: string;
  /** ` fragment id=0x0001 at 1480`, `''`. */
  readonly fragment: string;
  /** Protocol behind the header and its extension headers. */
  readonly protocol: string;
}

const EXTENSIONS = ['hopopts', 'dstopts', 'routing', 'fragment', 'ah'];
const NEXT_HEADERS: Readonly<Record<string, string>> = {
  hopopts: 'ipv6.hopopts.nxt',
  dstopts: 'ipv6.dstopts.nxt',
  routing: 'ipv6.routing.nxt',
  fragment: 'ipv6.fraghdr.nxt',
  ah: 'ah.next_header',
};

function headOf(ip: Layer, extensions: readonly Layer[]): Head {
  const get = (name: string) => textOf(ip, name);
  const last = extensions.at(-1);
  if (ip.kind === 'ip') {
    const [offset, id] = [get('ip.frag_offset'), get('ip.id')];
    const isFragment = offset !== '0' || get('ip.flags').includes('MF');
    const fragment = isFragment ? ` fragment id=${id} at ${offset}` : '';
    const protocol = last === undefined ? get('ip.proto') : textOf(last, NEXT_HEADERS[last.kind]!);
    const hops = `ttl=${get('ip.ttl')}`;
    return { ip, version: 4, src: get('ip.src'), dst: get('ip.dst'), hops, fragment, protocol };
  }
  const header = extensions.find(({ kind }) => kind === 'fragment');
  const of = (name: string) => textOf(header, `ipv6.fraghdr.${name}`);
  const fragment = header === undefined ? '' : ` fragment id=${of('ident')} at ${of('offset')}`;
  const protocol = last === undefined ? get('ipv6.nxt') : textOf(last, NEXT_HEADERS[last.kind]!);
  const [src, dst] = [get('ipv6.src'), get('ipv6.dst')];
  return { ip, version: 6, src, dst, hops: `hlim=${get('ipv6.hlim')}`, fragment, protocol };
}

const isIp = ({ kind }: Layer) => kind === 'ip' || kind === 'ipv6';

/** The first packet of the layers, and the one within it. */
function ipSummary(layers: readonly Layer[]): string {
  const ip = layers[0]!;
  let count = 1;
  while (EXTENSIONS.includes(layers[count]?.kind ?? '')) count++;
  const extensions = layers.slice(1, count);
  const head = headOf(ip, extensions);
  const { version, src, dst, hops, fragment, protocol } = head;
  if (dst === '') return `IPv${version} cut short, ${ip.end - ip.start} bytes`;
  const plain = `${src} > ${dst}${extensions.some(({ kind }) => kind === 'ah') ? ' AH' : ''}`;
  const next = layers[count];
  if (next === undefined) {
    const length = ip.end - (extensions.at(-1) ?? ip).payload;
    return `${plain} protocol ${protocol}${fragment} ${hops} len=${length}`;
  }
  const inner = layers.findIndex((layer, i) => i >= count && isIp(layer));
  const nested = inner < 0 ? '' : ` (${ipSummary(layers.slice(inner))})`;
  if (isIp(next)) return `${plain} ${tunnelWord(version, next)}${fragment} ${hops}${nested}`;
  const length = `len=${next.end - next.payload}`;
  const tail = nested === '' ? ` ${length}` : nested;
  switch (next.kind) {
    case 'icmp':
    case 'icmpv6':
      return `${plain} ${icmpSummary(next)}${fragment} ${hops}${tail}`;
    case 'esp':
      return `${plain} ESP spi=${textOf(next, 'esp.spi')}${fragment} ${hops} ${length}`;
    case 'gre':
      return `${plain} GRE${fragment} ${hops}${tail}`;
    default:
      return transportSummary(head, next, layers[count + 1]?.kind === 'gue' ? 'GUE' : next.kind.toUpperCase(), tail);
  }
}

function transportSummary(
  { version, src, dst, hops, fragment }: Head,
  next: Layer,
  name: string,
  tail: string,
): string {
  const get = (field: string) => textOf(next, `${next.kind}.${field}`);
  const [from, to] = version === 4 ? [src, dst] : [`[${src}]`, `[${dst}]`];
  const ends = `${from}:${get('srcport') || '?'} > ${to}:${get('dstport') || '?'}`;
  if (next.kind === 'tcp') {
    const [letters, sequence] = [get('flags'), get('seq')];
    const segment = `${letters === '' ? '' : ` ${letters}`}${sequence === '' ? '' : ` seq=${sequence}`}`;
    return `${ends} TCP${segment}${fragment} ${hops}${tail}`;
  }
  if (next.kind === 'sctp') {
    const chunks = next.fields.filter((field) => field.name.endsWith('sctp.chunk_type')).map(({ value }) => value);
    const wrong = get('checksum').includes('wrong') ? ' wrong CRC32c' : '';
    return `${ends} SCTP [${chunks.join(', ')}]${wrong}${fragment} ${hops}`;
  }
  return `${ends} ${name}${fragment} ${hops}${tail}`;
}

/** A tunnel without a header of its own, by what is outside and inside. */
function tunnelWord(outside: 4 | 6, inside: Layer): string {
  if (inside.kind === 'ip') return outside === 4 ? 'IPIP' : '4in6';
  return outside === 4 ? '6in4' : 'IP6IP6';
}

function icmpSummary(layer: Layer): string {
  const get = (name: string) => textOf(layer, `${layer.kind}.${name}`);
  const what = icmpText(get('type'), get('code'), layer.kind === 'icmp' ? 4 : 6);
  const isTooBig = layer.kind === 'icmp' ? what.startsWith('3/4') : what.startsWith('2/0');
  const mtu = isTooBig ? ` mtu=${get('mtu')}` : '';
  const target = get('nd.ns.target_address') || get('nd.na.target_address');
  return `${layer.kind === 'icmp' ? 'ICMP' : 'ICMPv6'} ${what}${mtu}${target === '' ? '' : ` ${target}`}`;
}

/** The text of a field of a layer, `''` when it is not there. */
function textOf(layer: Layer | undefined, name: string): string {
  return layer?.fields.find((field) => field.name === layer.prefix + name)?.value ?? '';
}
