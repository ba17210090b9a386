/**
 * Packets and a small network for the tests of the reference.
 *
 * @module
 */
import {
  type Ipv4Packet,
  internetChecksum,
  PROTOCOL,
  parseAddress,
  pseudoHeader,
  ReferenceDirector,
  type ReferenceNetwork,
  type ReferenceOptions,
  type ReferenceOutcome,
  serialiseEthernet,
  serialiseIpv4,
  serialiseTcp,
  serialiseUdp,
} from '../../src/reference/index.js';

export const MAC = {
  client: '02:00:00:00:00:02',
  cli: '02:00:00:00:00:01',
  srv: '02:00:00:00:01:01',
  server: '02:00:00:00:01:11',
} as const;

export const CLIENT = '10.0.0.2';
export const VIP = '10.0.0.100';
export const SERVER = '10.1.0.11';

/** A client side, a server side, and three servers. */
export const NETWORK: ReferenceNetwork = {
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] },
    { name: 'cli', mac: MAC.cli, addresses: ['10.0.0.1/24', `${VIP}/32`, 'fd00::1/64'] },
    { name: 'srv', mac: MAC.srv, addresses: ['10.1.0.1/24'] },
  ],
  routes: [
    { dst: '10.0.0.0/24', dev: 'cli', prefsrc: '10.0.0.1' },
    { dst: '10.1.0.0/24', dev: 'srv', prefsrc: '10.1.0.1' },
    { dst: 'fd00::/64', dev: 'cli' },
  ],
  neighbours: [
    { dst: CLIENT, dev: 'cli', lladdr: MAC.client },
    { dst: SERVER, dev: 'srv', lladdr: MAC.server },
    { dst: '10.1.0.12', dev: 'srv', lladdr: '02:00:00:00:01:12' },
    { dst: '10.1.0.13', dev: 'srv', lladdr: '02:00:00:00:01:13' },
    { dst: 'fd00::2', dev: 'cli', lladdr: MAC.client },
  ],
};

/** IPv4 in IPv4. */
export function tunnelled(inner: Ipv4Packet, source: string, destination: string): Ipv4Packet {
  return ip({ source, destination, protocol: 4, payload: serialiseIpv4(inner) });
}

/** A network with other interfaces changed or added. */
export function networkWith(...interfaces: ReferenceNetwork['interfaces'][number][]): ReferenceNetwork {
  const names = new Set(interfaces.map((each) => each.name));
  const kept = NETWORK.interfaces.filter((each) => !names.has(each.name));
  return { ...NETWORK, interfaces: [...kept, ...interfaces] };
}

export const TCP_SERVICE = { protocol: 'tcp', address: VIP, port: 80 } as const;
export const UDP_SERVICE = { protocol: 'udp', address: VIP, port: 53 } as const;

/** A director with one rr service for TCP and one for UDP, and one dest each. */
export function director(method: 'nat' | 'dr' | 'tun', options: Partial<ReferenceOptions> = {}): ReferenceDirector {
  const made = new ReferenceDirector({ network: NETWORK, ...options });
  made.addService({ ...TCP_SERVICE, scheduler: 'rr' });
  made.addDest(TCP_SERVICE, { address: SERVER, port: 8080, method });
  made.addService({ ...UDP_SERVICE, scheduler: 'rr' });
  made.addDest(UDP_SERVICE, { address: SERVER, port: 5353, method });
  return made;
}

/** The fields of a packet that a test cares about. */
export interface PacketWords extends Partial<Omit<Ipv4Packet, 'source' | 'destination'>> {
  source?: string;
  destination?: string;
}

/** An IPv4 packet from the client to the VIP unless told otherwise. */
export function ip(words: PacketWords = {}): Ipv4Packet {
  return {
    tos: 0,
    identification: 0x1234,
    flags: 0,
    fragmentOffset: 0,
    ttl: 64,
    protocol: PROTOCOL.tcp,
    checksum: 0,
    options: new Uint8Array(0),
    payload: new Uint8Array(0),
    ...words,
    source: parseAddress(words.source ?? CLIENT),
    destination: parseAddress(words.destination ?? VIP),
  };
}

/** A TCP packet with a right checksum. */
export function tcp(flags: number, ports: [number, number], words: PacketWords = {}, data = 0): Ipv4Packet {
  const packet = ip({ ...words, protocol: PROTOCOL.tcp });
  const segment = {
    sourcePort: ports[0],
    destinationPort: ports[1],
    sequence: 1000,
    acknowledgment: 0,
    offsetAndReserved: 0x50,
    flags,
    window: 64240,
    checksum: 0,
    urgentPointer: 0,
    rest: Uint8Array.from({ length: data }, (_, i) => i),
  };
  const bytes = serialiseTcp(segment);
  const checksum = transportChecksum(packet, bytes);
  return { ...packet, payload: serialiseTcp({ ...segment, checksum }) };
}

/** A UDP packet with a right checksum. */
export function udp(ports: [number, number], words: PacketWords = {}, data = 10): Ipv4Packet {
  const packet = ip({ ...words, protocol: PROTOCOL.udp });
  const datagram = {
    sourcePort: ports[0],
    destinationPort: ports[1],
    length: 8 + data,
    checksum: 0,
    payload: Uint8Array.from({ length: data }, (_, i) => i),
  };
  const checksum = transportChecksum(packet, serialiseUdp(datagram));
  return { ...packet, payload: serialiseUdp({ ...datagram, checksum: checksum || 0xffff }) };
}

/** The checksum of a TCP segment or UDP datagram in which it is zero. */
export function transportChecksum(packet: Ipv4Packet, segment: Uint8Array): number {
  const pseudo = pseudoHeader(packet.source, packet.destination, packet.protocol, segment.length);
  return internetChecksum(Uint8Array.from([...pseudo, ...segment]));
}

/** A frame on the way to the director. */
export function frame(packet: Ipv4Packet | Uint8Array, side: 'cli' | 'srv' = 'cli', tag?: number): Uint8Array {
  return serialiseEthernet({
    destination: MAC[side],
    source: side === 'cli' ? MAC.client : MAC.server,
    tag,
    etherType: 0x0800,
    payload: packet instanceof Uint8Array ? packet : serialiseIpv4(packet),
  });
}

/** `verdict reason` of each outcome. */
export function judged(outcomes: ReferenceOutcome[]): string[] {
  return outcomes.map(({ verdict, reason }) => `${verdict} ${reason}`);
}

export const SYN = 0x02;
export const ACK = 0x10;
export const FIN_ACK = 0x11;
export const RST = 0x04;
