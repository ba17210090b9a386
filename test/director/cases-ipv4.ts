/**
 * Frames and their reasons: links, IPv4, connections.
 *
 * @module
 */
import { segment } from '../support/ftp.js';
import {
  CLIENT,
  DR,
  fromClient,
  fromServer,
  MAC,
  NAT,
  NETWORK,
  networkWith,
  request,
  SERVERS,
  TCP_KEY,
  TUN,
  UDP_KEY,
  VIP,
} from '../support/lab.js';
import { ACK, ethernet, fixIpv4, hex, icmp, ipv4, RST, SYN, tcp, udp } from '../support/packets.js';
import { type Case, open, reply } from './cases.js';

const words = { source: CLIENT, destination: '10.0.0.100' };
const changed = (change: (packet: Uint8Array) => void, fix = true): Uint8Array => {
  const packet = request('tcp');
  change(packet);
  return fromClient(fix ? fixIpv4(packet) : packet);
};
const big = new Uint8Array(1480);
const inTunnel = (inner: Uint8Array, tos = 0): Uint8Array =>
  fromClient(ipv4({ source: CLIENT, destination: '10.0.0.1', protocol: 4, tos }, inner));

/** FTP at the service's port, and a connection of which an answer grew. */
const ENDS = { source: CLIENT, destination: VIP, sport: 40_000, dport: 80, seq: 1, ack: 1 };
const FTP: Partial<Case> = {
  options: { network: { ...NETWORK, ip_vs_ftp: { ports: [80] } } },
  before: (director) => {
    open(director);
    const ends = { source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, seq: 1, ack: 1 };
    director.send(fromServer(segment({ ...ends, flags: SYN | ACK })), 'srv', 0);
    director.send(fromClient(segment(ENDS)), 'cli', 0);
    director.send(fromClient(segment({ ...ENDS, text: 'PASV\r\n' })), 'cli', 0);
    director.send(fromServer(segment({ ...ends, text: '227 (1,1,1,1,1,1)' })), 'srv', 0);
  },
};

/** IPv4, and frames that are neither family's. */
export const CASES_4: Record<string, Case> = {
  'a client to a service by NAT': { expect: ['nat-in'], frame: fromClient(request('tcp')) },
  'a server to its client by NAT': { expect: ['nat-out'], before: open, frame: fromServer(reply()), by: 'srv' },
  'a client to a service by DR': { expect: ['direct-route'], dests: [DR], frame: fromClient(request('udp')) },
  'a client to a service by TUN': { expect: ['tunnel-ipip'], dests: [TUN], frame: fromClient(request('udp')) },
  'a packet to somebody else': {
    expect: ['routed'],
    frame: fromClient(udp({ ...words, destination: SERVERS[1], sport: 1, dport: 2 })),
  },
  'a TTL of 1': { expect: ['ttl-exceeded', 'time-exceeded'], frame: fromClient(request('tcp', { ttl: 1 })) },
  'a TTL of 0': { expect: ['ttl-exceeded', 'time-exceeded'], frame: fromClient(request('tcp', { ttl: 0 })) },
  'no server': { expect: ['no-dest', 'port-unreachable'], dests: [], frame: fromClient(request('udp')) },
  'one of those that drop_packet drops': {
    expect: ['drop-packet'],
    options: { sysctl: { drop_packet: 3 } },
    frame: fromClient(request('tcp')),
  },
  'no Call-ID for a service by calls': {
    expect: ['no-call-id'],
    before: (director) => director.editService({ ...UDP_KEY, scheduler: 'rr', persistent: 60, pe: 'sip' }),
    frame: fromClient(request('udp')),
  },
  'too big, with DF': {
    expect: ['too-big', 'fragmentation-needed'],
    options: { network: networkWith({ srv: { mtu: 1400 } }) },
    frame: fromClient(request('tcp', { payload: big.subarray(0, 1400), df: true })),
  },
  'a server without a route': {
    expect: ['no-route', 'host-unreachable'],
    dests: [{ ...NAT, address: '203.0.113.9' }],
    frame: fromClient(request('tcp')),
  },
  'a destination without a route': {
    expect: ['no-route', 'net-unreachable'],
    frame: fromClient(udp({ ...words, destination: '203.0.113.9', sport: 1, dport: 2 })),
  },
  'a port that nobody serves': { expect: ['local-delivery'], frame: fromClient(request('tcp', { dport: 81 })) },
  'an echo request': { expect: ['local-delivery'], frame: fromClient(icmp(words, 8)) },
  'a segment that opens nothing': { expect: ['not-opening'], frame: fromClient(request('tcp', { flags: ACK })) },
  'a server that is the director': {
    expect: ['local-dest'],
    dests: [{ ...NAT, address: '10.1.0.1' }],
    frame: fromClient(request('tcp')),
  },
  'a reply to the director as the client': {
    expect: ['local-client'],
    by: 'srv',
    before: (director) => void director.send(request('tcp', { source: '10.1.0.1' }), 'lo', 0),
    frame: fromServer(
      tcp({ source: SERVERS[0], destination: '10.1.0.1', sport: 8080, dport: 40_000, flags: SYN | ACK }),
    ),
  },
  ARP: { expect: ['arp'], frame: ethernet('ff:ff:ff:ff:ff:ff', MAC.client, new Uint8Array(28), 0x0806) },
  'ARP to us alone': { expect: ['arp'], frame: ethernet(MAC.cli, MAC.client, new Uint8Array(28), 0x0806) },
  'a broadcast frame': { expect: ['link-group'], frame: ethernet('ff:ff:ff:ff:ff:ff', MAC.client, request('tcp')) },
  'from port 20': { expect: ['ftp-data'], frame: fromClient(request('tcp', { sport: 20 })) },
  'out of a tunnel, for the host': { expect: ['decapsulated'], frame: inTunnel(icmp(words, 8)) },
  'another EtherType': { expect: ['not-ip'], frame: ethernet(MAC.cli, MAC.client, new Uint8Array(50), 0x88cc) },
  'a packet to somebody else without ip_forward': {
    expect: ['not-forwarding'],
    options: { sysctl: { ip_forward: 0 } },
    frame: fromClient(udp({ ...words, destination: SERVERS[1], sport: 1, dport: 2 })),
  },
  'half an Ethernet header': { expect: ['link-truncated'], frame: fromClient(request('tcp')).slice(0, 13) },
  'half a tag': { expect: ['link-truncated'], frame: ethernet(MAC.cli, MAC.client, big, 0x0800, 1).slice(0, 17) },
  'the MAC of another host': { expect: ['other-host'], frame: ethernet(MAC.srv, MAC.client, request('tcp')) },
  'a tag that is not ours': {
    expect: ['unknown-vlan'],
    frame: ethernet(MAC.cli, MAC.client, request('tcp'), 0x0800, 9),
  },
  'half an IP header': { expect: ['ipv4-truncated'], frame: fromClient(request('tcp')).slice(0, 14 + 19) },
  'IP version 5': { expect: ['ipv4-version'], frame: changed((packet) => packet.fill(0x55, 0, 1)) },
  'IHL 4': { expect: ['ipv4-header-length'], frame: changed((packet) => packet.fill(0x44, 0, 1)) },
  'a wrong IP checksum': { expect: ['ipv4-checksum'], frame: changed((packet) => packet.fill(9, 10, 11), false) },
  'longer than it is': { expect: ['ipv4-total-length'], frame: changed((packet) => packet.fill(200, 3, 4)) },
  'a malformed option': {
    expect: ['ipv4-option', 'parameter-problem'],
    frame: fromClient(request('tcp', { options: hex('07000000') })),
  },
  'a source route': {
    expect: ['source-route'],
    frame: fromClient(request('tcp', { options: hex('8307040a00000200') })),
  },
  'from ourselves': { expect: ['martian-source'], frame: fromClient(request('tcp', { source: '10.0.0.100' })) },
  'to loopback': {
    expect: ['martian-destination'],
    frame: fromClient(request('tcp', { destination: '127.0.0.1' })),
  },
  'half a TCP header': {
    expect: ['transport-truncated'],
    frame: fromClient(ipv4({ ...words, protocol: 6 }, request('tcp').subarray(20, 39))),
  },
  'a tunnel packet with nothing in it': { expect: ['tunnel-malformed'], frame: inTunnel(new Uint8Array(19)) },
  'CE outside, nothing inside': { expect: ['tunnel-ecn'], frame: inTunnel(request('tcp'), 3) },
  'a connection to a deleted server': {
    expect: ['dest-unavailable'],
    before: (director) => {
      open(director);
      director.deleteDest(TCP_KEY, NAT);
    },
    frame: fromClient(request('tcp', { flags: ACK })),
  },
  'one connection too many': {
    expect: ['table-full'],
    options: { plan: { connections: 1, arenaBytes: 65_536 } },
    before: open,
    frame: fromClient(request('tcp', { sport: 40_001 })),
  },
  'a server whose MAC nobody knows': {
    expect: ['no-neighbour'],
    dests: [{ ...NAT, address: '10.1.0.99' }],
    frame: fromClient(request('tcp')),
  },
  'a tunnel too narrow': {
    expect: ['tunnel-mtu'],
    dests: [TUN],
    options: { network: networkWith({ srv: { mtu: 87 } }) },
    frame: fromClient(request('udp')),
  },
  'NAT to loopback': {
    expect: ['local-boundary'],
    dests: [{ ...NAT, address: '127.0.0.1' }],
    frame: fromClient(request('tcp')),
  },
  'a wrong checksum of what the helper reads': {
    expect: ['tcp-checksum'],
    ...FTP,
    frame: fromClient(request('tcp', { flags: ACK, checksum: 1 })),
  },
  'options that cannot be read of what the helper adjusts': {
    expect: ['tcp-option'],
    ...FTP,
    frame: fromClient(segment({ ...ENDS, tcpOptions: Uint8Array.of(1, 1, 8, 3) })),
  },
  'an interface that is down': {
    expect: ['interface-down'],
    options: { network: networkWith({ cli: { up: false } }) },
    frame: fromClient(request('tcp')),
  },
  'a server without a connection': {
    expect: ['no-connection', 'port-unreachable'],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(reply()),
    by: 'srv',
  },
  'a server without a connection that speaks to the director': {
    expect: ['no-connection', 'port-unreachable'],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(tcp({ source: SERVERS[0], destination: '10.1.0.1', sport: 8080, dport: 9, flags: ACK })),
    by: 'srv',
  },
  'a client at the end of a server': {
    expect: ['no-connection', 'port-unreachable'],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(tcp({ source: SERVERS[0], destination: VIP, sport: 8080, dport: 80, flags: SYN })),
    by: 'srv',
  },
  'a reset of a server without a connection': {
    expect: ['routed'],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(reply(RST)),
    by: 'srv',
  },
};
