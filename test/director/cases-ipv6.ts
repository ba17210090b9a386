/**
 * Frames and their reasons: IPv6.
 *
 * @module
 */
import {
  CLIENT,
  CLIENT6,
  DR6,
  fromClient,
  fromServer,
  MAC,
  NAT6,
  networkWith,
  onV6,
  request6,
  SCTP_KEY,
  SERVERS,
  SERVERS6,
  sctpRequest,
  TCP_KEY,
  TUN6,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, ethernet, hex, type Ipv6Words, icmp, ipv4, ipv6, join, RST, SYN, tcp, udp } from '../support/packets.js';
import { ABORT, DATA, INIT } from '../support/sctp.js';
import { type Case, open6, reply6 } from './cases.js';

const words = { source: CLIENT6, destination: VIP6 };
const OPTIONS = 0;
const ROUTING = 43;

/** A TCP request behind extension headers. */
const behind = (extensions: Ipv6Words['extensions'], more: Partial<Ipv6Words> = {}): Uint8Array =>
  fromClient(ipv6({ ...words, ...more, extensions: extensions ?? [] }, request6('tcp').subarray(40)));

const changed = (change: (packet: Uint8Array) => void): Uint8Array => {
  const packet = request6('tcp');
  change(packet);
  // The EtherType stays, whatever the version becomes.
  return ethernet(MAC.cli, MAC.client, packet, 0x86dd);
};

const narrow = { network: networkWith({ srv: { mtu: 1280 } }) };
const long = new Uint8Array(1300);
const marked = { fwmark: 7, family: 6 } as const;

export const CASES_6: Record<string, Case> = {
  'an IPv6 client to a service by NAT': { expect: ['nat-in'], dests: [NAT6], frame: fromClient(request6('tcp')) },
  'a server to its IPv6 client by NAT': {
    expect: ['nat-out'],
    dests: [NAT6],
    before: open6,
    frame: fromServer(reply6()),
    by: 'srv',
  },
  'an IPv6 client to a service by DR': { expect: ['direct-route'], dests: [DR6], frame: fromClient(request6('udp')) },
  'an IPv6 client to a service by TUN': { expect: ['tunnel-ipip'], dests: [TUN6], frame: fromClient(request6('udp')) },
  'an IPv6 client to an SCTP service': {
    expect: ['nat-in'],
    dests: [{ ...NAT6, port: 3868 }],
    services: [onV6(SCTP_KEY)],
    frame: fromClient(sctpRequest({ ...words })),
  },
  'an IPv6 packet to somebody else': {
    expect: ['routed'],
    dests: [NAT6],
    frame: fromClient(udp({ ...words, destination: SERVERS6[1], sport: 1, dport: 2 })),
  },
  'a hop limit of 1': {
    expect: ['ttl-exceeded', 'time-exceeded'],
    dests: [NAT6],
    frame: fromClient(request6('tcp', { ttl: 1 })),
  },
  'no IPv6 server': {
    expect: ['no-dest', 'port-unreachable'],
    dests: [],
    services: [onV6(TCP_KEY)],
    frame: fromClient(request6('tcp')),
  },
  'IPv6, too big': {
    expect: ['too-big', 'fragmentation-needed'],
    dests: [NAT6],
    options: narrow,
    frame: fromClient(request6('tcp', { payload: long })),
  },
  'IPv6, too big to be routed': {
    expect: ['too-big', 'fragmentation-needed'],
    options: narrow,
    frame: fromClient(udp({ ...words, destination: SERVERS6[1], sport: 1, dport: 2, payload: long })),
  },
  'an IPv6 server without a route': {
    expect: ['no-route', 'host-unreachable'],
    dests: [{ ...NAT6, address: '2001:db8::9' }],
    frame: fromClient(request6('tcp')),
  },
  'an IPv6 destination without a route': {
    expect: ['no-route', 'net-unreachable'],
    frame: fromClient(udp({ ...words, destination: '2001:db8::9', sport: 1, dport: 2 })),
  },
  'an IPv6 tunnel too narrow': {
    expect: ['tunnel-mtu'],
    dests: [TUN6],
    options: { network: networkWith({ srv: { mtu: 1319 } }) },
    frame: fromClient(request6('udp')),
  },
  'an IPv6 server whose MAC nobody knows': {
    expect: ['no-neighbour'],
    dests: [{ ...NAT6, address: 'fd00:1::99' }],
    frame: fromClient(request6('tcp')),
  },
  'an IPv6 server that is the director': {
    expect: ['local-dest'],
    dests: [{ ...NAT6, address: 'fd00:1::1' }],
    frame: fromClient(request6('tcp')),
  },
  'NAT to ::1': {
    expect: ['local-boundary'],
    dests: [{ ...NAT6, address: '::1' }],
    frame: fromClient(request6('tcp')),
  },
  'an ICMPv6 echo request': { expect: ['local-delivery'], dests: [NAT6], frame: fromClient(icmp(words, 128)) },
  'to all nodes': {
    expect: ['local-delivery'],
    dests: [NAT6],
    frame: fromClient(udp({ ...words, destination: 'ff02::1', sport: 1, dport: 2 })),
  },
  'an IPv6 packet to somebody else without forwarding': {
    expect: ['not-forwarding'],
    options: { sysctl: { ipv6_forwarding: 0 } },
    frame: fromClient(udp({ ...words, destination: SERVERS6[1], sport: 1, dport: 2 })),
  },
  'an IPv6 packet to somebody else with ip_forward off': {
    expect: ['routed'],
    options: { sysctl: { ip_forward: 0 } },
    frame: fromClient(udp({ ...words, destination: SERVERS6[1], sport: 1, dport: 2 })),
  },
  'an IPv6 server without a connection': {
    expect: ['no-connection', 'port-unreachable'],
    dests: [NAT6],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(reply6()),
    by: 'srv',
  },
  'an IPv6 server without a connection that speaks to the director': {
    expect: ['no-connection', 'port-unreachable'],
    dests: [NAT6],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(tcp({ source: SERVERS6[0], destination: 'fd00:1::1', sport: 8080, dport: 9, flags: ACK })),
    by: 'srv',
  },
  'a client at the end of an IPv6 server': {
    expect: ['no-connection', 'port-unreachable'],
    dests: [NAT6],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(tcp({ source: SERVERS6[0], destination: VIP6, sport: 8080, dport: 80, flags: SYN })),
    by: 'srv',
  },
  'a reset of an IPv6 server without a connection': {
    expect: ['routed'],
    dests: [NAT6],
    options: { sysctl: { nat_icmp_send: 1 } },
    frame: fromServer(reply6(RST)),
    by: 'srv',
  },
  'one IPv6 connection too many': {
    expect: ['table-full'],
    dests: [NAT6],
    options: { plan: { connections6: 1, arenaBytes: 65_536 } },
    before: open6,
    frame: fromClient(request6('tcp', { sport: 40_001 })),
  },
  'a segment that opens nothing, of IPv6': {
    expect: ['not-opening'],
    dests: [NAT6],
    frame: fromClient(request6('tcp', { flags: ACK })),
  },

  'half an IPv6 header': { expect: ['ipv6-truncated'], frame: fromClient(request6('tcp')).slice(0, 14 + 39) },
  'half an extension header': {
    expect: ['ipv6-truncated'],
    dests: [NAT6],
    frame: fromClient(ipv6({ ...words, protocol: OPTIONS }, hex('06010100'))),
  },
  'IPv6, version 5': { expect: ['ipv6-version'], frame: changed((packet) => packet.fill(0x50, 0, 1)) },
  'IPv6, longer than it is': { expect: ['ipv6-payload-length'], frame: changed((packet) => packet.fill(200, 5, 6)) },
  'a routing header, which only the host itself obeys': {
    expect: ['nat-in'],
    dests: [NAT6],
    frame: behind([[ROUTING, join(hex('02 00 01 00000000'), new Uint8Array(16))]]),
  },
  'a hop-by-hop option that the sender wants to be told of': {
    expect: ['ipv6-extension', 'parameter-problem'],
    dests: [NAT6],
    frame: behind([[OPTIONS, hex('00 be 04 00000000')]]),
  },
  'a hop-by-hop option that means silence': {
    expect: ['ipv6-extension'],
    dests: [NAT6],
    frame: behind([[OPTIONS, hex('00 7e 04 00000000')]]),
  },
  'a hop-by-hop option that may be skipped': {
    expect: ['nat-in'],
    dests: [NAT6],
    frame: behind([[OPTIONS, hex('00 3e 04 00000000')]]),
  },
  'destination options before TCP': {
    expect: ['nat-in'],
    dests: [NAT6],
    frame: behind([[60, hex('00 01 04 00000000')]]),
  },
  'from an IPv6 group': { expect: ['martian-source'], frame: fromClient(request6('tcp', { source: 'ff02::1' })) },
  'from ::1': { expect: ['martian-source'], frame: fromClient(request6('tcp', { source: '::1' })) },
  'to ::1': { expect: ['martian-destination'], frame: fromClient(request6('tcp', { destination: '::1' })) },
  'half a TCP header in IPv6': {
    expect: ['transport-truncated'],
    dests: [NAT6],
    frame: fromClient(ipv6({ ...words, protocol: 6 }, request6('tcp').subarray(40, 59))),
  },
  'half an SCTP header': {
    expect: ['transport-truncated'],
    services: [SCTP_KEY],
    frame: fromClient(ipv4({ source: CLIENT, destination: VIP, protocol: 132 }, sctpRequest().subarray(20, 31))),
  },
  'SCTP that opens nothing': {
    expect: ['not-opening'],
    services: [SCTP_KEY],
    frame: fromClient(sctpRequest({ chunks: [DATA] })),
  },
  'SCTP data with sloppy_sctp': {
    expect: ['nat-in'],
    services: [SCTP_KEY],
    options: { sysctl: { sloppy_sctp: 1 } },
    frame: fromClient(sctpRequest({ chunks: [DATA] })),
  },
  'an SCTP abort with sloppy_sctp': {
    expect: ['not-opening'],
    services: [SCTP_KEY],
    options: { sysctl: { sloppy_sctp: 1 } },
    frame: fromClient(sctpRequest({ chunks: [ABORT] })),
  },
  'an SCTP client to a service by DR': {
    expect: ['direct-route'],
    services: [SCTP_KEY],
    dests: [{ address: SERVERS[0] }],
    frame: fromClient(sctpRequest({ chunks: [INIT] })),
  },

  'a mark that a service has': {
    expect: ['nat-in'],
    dests: [{ ...NAT6, port: 0 }],
    services: [marked],
    frame: fromClient(request6('tcp', { dport: 4242 })),
    notes: { mark: 7 },
  },
  'a mark that a service of the other family has': {
    expect: ['local-delivery'],
    dests: [{ ...NAT6, port: 0 }],
    services: [marked],
    frame: fromClient(tcp({ source: CLIENT, destination: VIP, sport: 1, dport: 4242 })),
    notes: { mark: 7 },
  },
  'a mark that a service has, to somebody else': {
    expect: ['nat-in'],
    dests: [{ ...NAT6, port: 0 }],
    services: [marked],
    frame: fromClient(request6('tcp', { destination: SERVERS6[1] })),
    notes: { mark: 7 },
  },
  'a mark without a server': {
    expect: ['no-dest', 'port-unreachable'],
    dests: [],
    services: [marked],
    frame: fromClient(request6('tcp', { destination: SERVERS6[1] })),
    notes: { mark: 7 },
  },
  'a mark without a server, with cache_bypass': {
    expect: ['bypass'],
    dests: [],
    services: [marked],
    options: { sysctl: { cache_bypass: 1 } },
    frame: fromClient(request6('tcp', { destination: SERVERS6[1] })),
    notes: { mark: 7 },
  },
};
