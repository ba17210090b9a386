/**
 * Frames and their reasons: tunnels to servers, and tunnels to the director.
 *
 * @module
 */
import type { DestConfig } from '../../src/types.js';
import {
  CLIENT,
  CLIENT6,
  FOU_PORT,
  fromClient,
  NAT,
  NAT6,
  networkWith,
  onV6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  TUN,
  TUN6,
  TUNNELS,
} from '../support/lab.js';
import { icmp, udp } from '../support/packets.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';
import type { Case } from './cases.js';

const toUs = { source: CLIENT, destination: '10.0.0.1' };
const toUs6 = { source: CLIENT6, destination: 'fd00::1' };
const options = { network: TUNNELS };
const GRE: DestConfig = { ...TUN, tunnel: { type: 'gre' } };
const GUE: DestConfig = { ...TUN, tunnel: { type: 'gue', port: FOU_PORT } };
const gueToUs = { sport: 1, dport: FOU_PORT };
const ping = icmp({ source: CLIENT, destination: '10.0.0.100' }, 8);

/** IPv4 or IPv6 inside, IPv4 or IPv6 outside. */
export const CASES_TUNNELS: Record<string, Case> = {
  'to a server by GRE': { expect: ['tunnel-gre'], dests: [GRE], frame: fromClient(request('tcp')) },
  'to a server by GRE with a checksum': {
    expect: ['tunnel-gre'],
    dests: [{ ...TUN, tunnel: { type: 'gre', checksum: 'csum' } }],
    frame: fromClient(request('tcp')),
  },
  'to a server by GUE': { expect: ['tunnel-gue'], dests: [GUE], frame: fromClient(request('tcp')) },
  'to an IPv6 server by IPIP': {
    expect: ['tunnel-ipip'],
    dests: [TUN6],
    services: [TCP_KEY],
    frame: fromClient(request('tcp')),
  },
  'to an IPv4 server of an IPv6 service by GRE': {
    expect: ['tunnel-gre'],
    dests: [GRE],
    services: [onV6(TCP_KEY)],
    frame: fromClient(request6('tcp')),
  },
  'to an IPv6 server by GUE': {
    expect: ['tunnel-gue'],
    dests: [{ ...GUE, address: SERVERS6[0] }],
    frame: fromClient(request6('tcp')),
  },
  'too big for GUE': {
    expect: ['too-big', 'fragmentation-needed'],
    dests: [GUE],
    frame: fromClient(request('udp', { df: true, payload: new Uint8Array(1441) })),
  },

  'IPv4 in IPv4, to a service': {
    expect: ['nat-in'],
    dests: [NAT],
    options,
    frame: fromClient(ipInIp(toUs, request('tcp'))),
  },
  'IPv6 in IPv4': { expect: ['nat-in'], dests: [NAT6], options, frame: fromClient(ipInIp(toUs, request6('tcp'))) },
  'IPv4 in IPv6': { expect: ['nat-in'], options, frame: fromClient(ipInIp(toUs6, request('tcp'))) },
  'IPv6 in IPv6': { expect: ['nat-in'], dests: [NAT6], options, frame: fromClient(ipInIp(toUs6, request6('tcp'))) },
  'IPv4 in GRE': { expect: ['nat-in'], options, frame: fromClient(gre(toUs, request('tcp'))) },
  'IPv6 in GRE with a checksum, over IPv6': {
    expect: ['nat-in'],
    dests: [NAT6],
    options,
    frame: fromClient(gre({ ...toUs6, sum: 'right' }, request6('tcp'))),
  },
  'IPv4 in GUE': { expect: ['nat-in'], options, frame: fromClient(gue({ ...toUs, ...gueToUs }, request('tcp'))) },
  'IPv6 in GUE over IPv6': {
    expect: ['nat-in'],
    dests: [NAT6],
    options,
    frame: fromClient(gue({ ...toUs6, ...gueToUs }, request6('tcp'))),
  },
  'out of GRE, for the host': { expect: ['decapsulated'], options, frame: fromClient(gre(toUs, ping)) },
  'out of a tunnel, with ignore_tunneled, of which a tunnel’s device leaves nothing': {
    expect: ['nat-in'],
    options: { ...options, sysctl: { ignore_tunneled: 1 } },
    frame: fromClient(ipInIp(toUs, request('tcp'))),
  },
  'GRE to a host without a GRE device': { expect: ['local-delivery'], frame: fromClient(gre(toUs, request('tcp'))) },
  'a datagram to another port than GUE’s': {
    expect: ['local-delivery'],
    options,
    frame: fromClient(udp({ ...toUs, sport: 1, dport: FOU_PORT + 1, payload: request('tcp') })),
  },
  'a wrong GRE checksum': {
    expect: ['tunnel-checksum'],
    options,
    frame: fromClient(gre({ ...toUs, sum: 'wrong' }, request('tcp'))),
  },
  'a wrong UDP checksum of GUE': {
    expect: ['tunnel-checksum'],
    options,
    frame: fromClient(gue({ ...toUs, ...gueToUs, checksum: 1 }, request('tcp'))),
  },
  'GRE with nothing in it': {
    expect: ['tunnel-malformed'],
    options,
    frame: fromClient(gre(toUs, new Uint8Array(0))),
  },
  'CE outside of GRE, nothing inside': {
    expect: ['tunnel-ecn'],
    options,
    frame: fromClient(gre({ ...toUs, tos: 3 }, request('tcp'))),
  },
  'a tunnel to an IPv6 server too narrow': {
    expect: ['tunnel-mtu'],
    dests: [{ ...GUE, address: SERVERS6[0] }],
    services: [TCP_KEY],
    options: { network: networkWith({ srv: { mtu: 1300 } }) },
    frame: fromClient(request('tcp')),
  },
  'a server whose MAC nobody knows, by GUE': {
    expect: ['no-neighbour'],
    dests: [{ ...GUE, address: '10.1.0.99' }],
    frame: fromClient(request('tcp')),
  },
  'a server that is the director, by GRE': {
    expect: ['local-dest'],
    dests: [{ ...GRE, address: '10.1.0.1' }],
    frame: fromClient(request('tcp', { destination: '10.0.0.100' })),
  },
  'a routed tunnel packet of others': {
    expect: ['routed'],
    options,
    frame: fromClient(gre({ source: CLIENT, destination: SERVERS[1] }, request('tcp'))),
  },
};
