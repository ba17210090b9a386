/**
 * Services, servers and connections in the words of a walk, and which packets are theirs.
 *
 * @module
 */
import { addressBytes, formatAddress, formatEndpoint } from '../address.js';
import type { ConnectionInfo, DestInfo, ServiceInfo } from '../director.js';
import type { TunnelConfig } from '../types.js';
import { type IpFacts, protocolWord } from './packet.js';

/** `10.1.0.11:8080`. */
export function server({ destAddress, destPort }: ConnectionInfo): string {
  return formatEndpoint(destAddress, destPort);
}

/** Whether packets of a connection go past all servers, to where they are addressed. */
export function isBypass({ method }: ConnectionInfo): boolean {
  return String(method) === 'bypass';
}

/** `SYN_RECV, server 10.1.0.11:8080 (nat)`. */
export function connectionText(one: ConnectionInfo): string {
  return `${one.state}, ${isBypass(one) ? 'no server' : `server ${server(one)}`} (${one.method})`;
}

/** `10.0.0.100:80`. */
export function virtual({ virtualAddress, virtualPort }: ConnectionInfo): string {
  return formatEndpoint(virtualAddress, virtualPort);
}

/** `10.1.0.1:1024`: what the server sees of a client by FullNAT. */
export function local({ localAddress = '', localPort = 0 }: ConnectionInfo): string {
  return formatEndpoint(localAddress, localPort);
}

/** Address and port of a packet's source; `?` where the port is cut off. */
export function sourceOf({ source, sourcePort }: IpFacts): string {
  return sourcePort === undefined ? `${bracketed(source)}:?` : formatEndpoint(source, sourcePort);
}

/** Address and port of a packet's destination; `?` where the port is cut off. */
export function destinationOf({ destination, destinationPort }: IpFacts): string {
  return destinationPort === undefined ? `${bracketed(destination)}:?` : formatEndpoint(destination, destinationPort);
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** `TCP 10.0.0.2:40001 > 10.0.0.100:80`. */
export function flowOf(ip: IpFacts): string {
  return `${protocolWord(ip)} ${sourceOf(ip)} > ${destinationOf(ip)}`;
}

function isProtocol({ protocol }: { protocol: string }, ip: IpFacts): boolean {
  return protocol.toUpperCase() === protocolWord(ip).toUpperCase();
}

/** Whether a packet belongs to a service: by its mark, else by address and port. */
export function isService(one: ServiceInfo, ip: IpFacts, mark: number): boolean {
  if ('fwmark' in one) return one.fwmark === mark && (!('family' in one) || one.family === ip.version);
  return isProtocol(one, ip) && one.address === ip.destination && one.port === ip.destinationPort;
}

/** The service of a packet to this host. */
export function serviceFor(services: readonly ServiceInfo[], ip: IpFacts, mark: number): ServiceInfo | undefined {
  return (
    services.find((one) => 'fwmark' in one && !isSnat(one) && isService(one, ip, mark)) ??
    services.find((one) => !('fwmark' in one) && isService(one, ip, mark)) ??
    services.find((one) => mayBeFtpData(one, ip)) ??
    services.find((one) => takesAnyPort(one, ip))
  );
}

/** Whether a service is by SNAT: then it takes what is routed. */
export function isSnat({ dests }: ServiceInfo): boolean {
  return dests.some(({ method }) => method === 'snat');
}

/** FTP's ports: its service is asked for what may be a data connection. */
const [FTP_DATA, FTP] = [20, 21];

/** Whether a packet may be one of the data connections of an FTP service. */
export function mayBeFtpData(one: ServiceInfo, ip: IpFacts): boolean {
  const port = ip.destinationPort ?? 0;
  const isData = protocolWord(ip) === 'TCP' && (port === FTP_DATA || port >= 1024);
  return isData && !('fwmark' in one) && isService(one, { ...ip, destinationPort: FTP }, 0);
}

/** Whether a packet belongs to a service for every port of its address. */
export function takesAnyPort(one: ServiceInfo, ip: IpFacts): boolean {
  return !('fwmark' in one) && isService(one, { ...ip, destinationPort: 0 }, 0);
}

/** Whether a template may be the one of a packet's client: it has the service's key, and names its network. */
export function isTemplateOf(one: ConnectionInfo, service: ServiceInfo, ip: IpFacts): boolean {
  if (one.clientAddress !== networkOf(ip.source, service.netmask)) return false;
  // Templates of marks, of every port and of FTP have port 0.
  if ('fwmark' in service) {
    return one.protocol === 'ip' && one.virtualPort === 0 && one.virtualAddress === markAddress(service.fwmark, ip);
  }
  const isOwnPort = ip.destinationPort === service.port && service.port !== FTP;
  return (
    isProtocol(one, ip) && one.virtualAddress === ip.destination && one.virtualPort === (isOwnPort ? service.port : 0)
  );
}

/** A mark as templates have it: the first four bytes of an address. */
function markAddress(mark = 0, { version }: IpFacts): string {
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  new DataView(bytes.buffer).setUint32(0, mark);
  return formatAddress(bytes);
}

/** The bits of an address that count: under a mask of IPv4, or that many. */
function networkOf(address: string, netmask: string | number | undefined): string {
  const { bytes } = addressBytes(address);
  const mask = typeof netmask === 'string' ? addressBytes(netmask).bytes : undefined;
  const bits = typeof netmask === 'number' ? netmask : 128;
  const kept = bytes.map((byte, i) => byte & (mask?.[i] ?? 0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))));
  return formatAddress(kept);
}

/** `TCP 10.0.0.100:80`, `mark 5`. */
export function serviceText(one: ServiceInfo): string {
  if ('fwmark' in one) return `mark ${one.fwmark}`;
  return `${one.protocol.toUpperCase()} ${formatEndpoint(one.address, one.port)}`;
}

/** What is updated in a connection's packets besides addresses and ports. */
export function updated({ protocol }: ConnectionInfo): string {
  if (protocol === 'icmp' || protocol === 'icmpv6') return 'checksum updated';
  return protocol === 'tcp' ? 'numbers of TCP and checksums updated' : 'checksums updated';
}

/** Whether a packet goes from the client of a connection to its service. One from port 0 is never found again, but as an identifier. */
export function isRequest(one: ConnectionInfo, ip: IpFacts): boolean {
  return (
    isAsked(one, ip) &&
    (one.clientPort !== 0 || ip.message !== undefined) &&
    one.clientAddress === ip.source &&
    one.clientPort === ip.sourcePort &&
    one.virtualAddress === ip.destination &&
    one.virtualPort === ip.destinationPort
  );
}

/** Whether a packet goes from the server of a connection by NAT or FullNAT to its client. */
export function isReply(one: ConnectionInfo, ip: IpFacts): boolean {
  return (one.method === 'nat' || one.method === 'fullnat') && isTranslated(one, turned(ip));
}

/** Whether a packet is a request of such a connection as its server gets it. */
export function isTranslated(one: ConnectionInfo, ip: IpFacts): boolean {
  const { localAddress = one.clientAddress, localPort = one.clientPort } = one;
  return (
    isAsked(one, ip) &&
    localAddress === ip.source &&
    localPort === ip.sourcePort &&
    one.destAddress === ip.destination &&
    one.destPort === ip.destinationPort
  );
}

/** Whether a packet is of a connection's protocol, and no reply to a query: only servers send these. */
function isAsked(one: ConnectionInfo, ip: IpFacts): boolean {
  return isProtocol(one, ip) && ip.message !== 'reply';
}

const ANSWERED = { query: 'reply', reply: 'query' } as const;

/** The packet with its ends the other way round. */
export function turned(ip: IpFacts): IpFacts {
  const { source, sourcePort, destination, destinationPort } = ip;
  const message = ip.message && ANSWERED[ip.message];
  const ends = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  return { ...ip, ...ends, message };
}

/** The server of a connection among those of the services. */
export function destOf(services: readonly ServiceInfo[], { destAddress, destPort, method }: ConnectionInfo) {
  const all = services.flatMap(({ dests }) => dests);
  const isIt = (dest: DestInfo) => dest.address === destAddress && dest.method === method;
  return all.find((dest) => isIt(dest) && dest.port === destPort) ?? all.find(isIt);
}

/** The tunnel to a server; IPIP unless it says otherwise. */
export function tunnelOf(dest: { readonly method: string; readonly tunnel?: TunnelConfig } | undefined): TunnelConfig {
  return dest?.tunnel ?? {};
}

/** Bytes of the headers that a tunnel puts in front of a packet. */
export function tunnelOverhead({ type = 'ipip', checksum = 'nocsum' }: TunnelConfig, outside: 4 | 6): number {
  const ip = outside === 4 ? 20 : 40;
  if (type === 'gue') return ip + 8 + 4 + (checksum === 'remcsum' ? 8 : 0);
  if (type === 'gre') return ip + (checksum === 'csum' ? 8 : 4);
  return ip;
}

/** `an IPIP header`, `IPv4, UDP and GUE headers`, …. */
export function tunnelText({ type = 'ipip', port }: TunnelConfig, outside: 4 | 6, inside: 4 | 6): string {
  if (type === 'gre') return `IPv${outside} and GRE headers`;
  if (type === 'gue') return `IPv${outside}, UDP (port ${port}) and GUE headers`;
  const word = protocolWord({ version: outside, protocol: inside === 4 ? 4 : 41, isGue: false });
  return `${/^I/.test(word) ? 'an' : 'a'} ${word} header`;
}

/** Bytes by which a packet of that version is longer when it goes to that address (NAT64). */
export function longer(version: 4 | 6, address: string): number {
  const to = address.includes(':') ? 6 : 4;
  return (to - version) * 10;
}

/** `MTU 1500`; of a packet that becomes so much longer also what it may have: `MTU 1500: 1520 as IPv6, whose header is 20 bytes longer`. */
export function mtuText(mtu: number, more: number): string {
  if (more === 0) return `MTU ${mtu}`;
  const [version, word] = more < 0 ? [6, 'longer'] : [4, 'shorter'];
  return `MTU ${mtu}: ${mtu - more} as IPv${version}, whose header is ${Math.abs(more)} bytes ${word}`;
}

/** `IPv6 becomes IPv4, ` of such a packet. */
export function versions(version: 4 | 6, address: string): string {
  return longer(version, address) === 0 ? '' : `IPv${version} becomes IPv${10 - version}, `;
}

/** What becomes of a packet by the method of its connection. */
export function methodText(connection: ConnectionInfo, tunnel: TunnelConfig, inside: 4 | 6): string {
  const { destAddress } = connection;
  switch (String(connection.method)) {
    case 'nat':
      return `destination ${virtual(connection)} becomes ${server(connection)}, checksums updated`;
    case 'fullnat':
      return `${versions(inside, destAddress)}destination ${virtual(connection)} becomes ${server(connection)}, source ${formatEndpoint(
        connection.clientAddress,
        connection.clientPort,
      )} becomes ${local(connection)}, ${updated(connection)}`;
    case 'dr':
      return `addresses and ports stay, only the MAC becomes that of ${destAddress}`;
    case 'tun':
      return `${tunnelText(tunnel, destAddress.includes(':') ? 6 : 4, inside)} to ${destAddress} ${
        tunnel.type === undefined || tunnel.type === 'ipip' ? 'is' : 'are'
      } put in front`;
    default:
      return 'sent on to where it was addressed, addresses and ports stay';
  }
}
