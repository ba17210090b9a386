/**
 * Frames and their reasons: ICMP and ICMPv6 errors about connections, and about the director's own tunnel packets.
 *
 * @module
 */
import type { Director } from '../../src/director.js';
import type { DestConfig } from '../../src/types.js';
import {
  CLIENT,
  CLIENT6,
  DR,
  FOU_PORT,
  fromClient,
  fromServer,
  NAT,
  NAT6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TUN,
  TUN6,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, hex, icmp, ipv4, tcp } from '../support/packets.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';
import { type Case, open, open6, reply, reply6 } from './cases.js';

/** Somebody on the way to the servers. */
const ROUTER = '10.1.0.254';
const ROUTER6 = 'fd00:1::fe';

/** Unreachable, and too big, as each family has them. */
const HOST_UNREACHABLE = [3, 1] as const;
const ADDRESS_UNREACHABLE = [1, 3] as const;

/** What the client was sent by the service, and what a server was sent by NAT. */
const answered = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });
const answered6 = tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 40_000, flags: ACK });
const asked = tcp({ source: CLIENT, destination: SERVERS[0], sport: 40_000, dport: 8080, flags: ACK });
const asked6 = tcp({ source: CLIENT6, destination: SERVERS6[0], sport: 40_000, dport: 8080, flags: ACK });

const fromTheClient = fromClient(icmp({ source: CLIENT, destination: VIP }, ...HOST_UNREACHABLE, answered));
const fromTheClient6 = fromClient(icmp({ source: CLIENT6, destination: VIP6 }, ...ADDRESS_UNREACHABLE, answered6));

const openUdp = (director: Director): void => {
  director.send(fromClient(request('udp')), 'cli', 0);
};

/** An error about the tunnel packet that a request became, to the director. */
const aboutTunnel = (outer: Uint8Array): Uint8Array =>
  fromServer(icmp({ source: ROUTER, destination: '10.1.0.1' }, ...HOST_UNREACHABLE, outer));
const outer = { source: '10.1.0.1', destination: SERVERS[0] };
const GRE: DestConfig = { ...TUN, tunnel: { type: 'gre' } };
const GUE: DestConfig = { ...TUN, tunnel: { type: 'gue', port: FOU_PORT } };
const relayed = { before: openUdp, by: 'srv' };

function spoilt(frame: Uint8Array, at: number): Uint8Array {
  const changed = frame.slice();
  changed[at] = (changed[at] as number) ^ 0xff;
  return changed;
}

export const CASES_ICMP: Record<string, Case> = {
  'an error of the client about a reply': { expect: ['icmp-in'], before: open, frame: fromTheClient },
  'an error of the client about a reply, by DR': {
    expect: ['icmp-in'],
    dests: [DR],
    before: open,
    frame: fromTheClient,
  },
  'an error of the client about a reply, by TUN': {
    expect: ['icmp-in'],
    dests: [TUN],
    before: open,
    frame: fromTheClient,
  },
  'an error of the server about a request': {
    expect: ['icmp-out'],
    before: open,
    by: 'srv',
    frame: fromServer(icmp({ source: SERVERS[0], destination: CLIENT }, ...HOST_UNREACHABLE, asked)),
  },
  'an error of a router about a request': {
    expect: ['icmp-out'],
    before: open,
    by: 'srv',
    frame: fromServer(icmp({ source: ROUTER, destination: CLIENT }, ...HOST_UNREACHABLE, asked.subarray(0, 28))),
  },
  'an error of an IPv6 client about a reply': {
    expect: ['icmp-in'],
    dests: [NAT6],
    before: open6,
    frame: fromTheClient6,
  },
  'an error of an IPv6 server about a request': {
    expect: ['icmp-out'],
    dests: [NAT6],
    before: open6,
    by: 'srv',
    frame: fromServer(icmp({ source: SERVERS6[0], destination: CLIENT6 }, ...ADDRESS_UNREACHABLE, asked6)),
  },
  'an error of an IPv6 router about a request': {
    expect: ['icmp-out'],
    dests: [NAT6],
    before: open6,
    by: 'srv',
    frame: fromServer(icmp({ source: ROUTER6, destination: CLIENT6 }, 2, 0, asked6, 1280)),
  },
  'an error about no connection': { expect: ['local-delivery'], frame: fromTheClient },
  'an error about no connection, with schedule_icmp': {
    expect: ['icmp-in'],
    options: { sysctl: { schedule_icmp: 1 } },
    frame: fromTheClient,
  },
  'a parameter problem of the server': {
    expect: ['routed'],
    before: open,
    by: 'srv',
    frame: fromServer(icmp({ source: SERVERS[0], destination: CLIENT }, 12, 0, asked)),
  },
  'an error with a wrong checksum': {
    expect: ['icmp-checksum'],
    before: open,
    frame: spoilt(fromTheClient, 14 + 20 + 2),
  },
  'an ICMPv6 error with a wrong checksum, from a NAT client': {
    expect: ['icmp-in'],
    dests: [NAT6],
    before: open6,
    frame: spoilt(fromTheClient6, 14 + 40 + 2),
  },
  'half an ICMP header': {
    expect: ['transport-truncated'],
    frame: fromClient(ipv4({ source: CLIENT, destination: VIP, protocol: 1 }, hex('0301 0000'))),
  },

  'an error about a packet in IPIP': {
    ...relayed,
    expect: ['icmp-consumed', 'icmp-relayed'],
    dests: [TUN],
    frame: aboutTunnel(ipInIp(outer, request('udp'))),
  },
  'an error about a packet in GRE': {
    ...relayed,
    expect: ['icmp-consumed', 'icmp-relayed'],
    dests: [GRE],
    frame: aboutTunnel(gre(outer, request('udp'))),
  },
  'an error about a packet in GUE': {
    ...relayed,
    expect: ['icmp-consumed', 'icmp-relayed'],
    dests: [GUE],
    frame: aboutTunnel(gue({ ...outer, sport: 1, dport: FOU_PORT }, request('udp'))),
  },
  'a tunnel that is too narrow for a packet that may be cut': {
    ...relayed,
    expect: ['icmp-consumed'],
    dests: [TUN],
    frame: fromServer(icmp({ source: ROUTER, destination: '10.1.0.1' }, 3, 4, ipInIp(outer, request('udp')), 1300)),
  },
  'an error about a packet in a tunnel to another': {
    ...relayed,
    expect: ['local-delivery'],
    dests: [TUN],
    frame: aboutTunnel(ipInIp({ ...outer, destination: SERVERS[1] }, request('udp'))),
  },
  'an error about a packet in an IPv6 tunnel': {
    expect: ['local-delivery'],
    dests: [TUN6],
    before: (director) => void director.send(fromClient(request6('udp')), 'cli', 0),
    by: 'srv',
    frame: fromServer(
      icmp(
        { source: ROUTER6, destination: 'fd00:1::1' },
        ...ADDRESS_UNREACHABLE,
        ipInIp({ source: 'fd00:1::1', destination: SERVERS6[0] }, request6('udp')),
      ),
    ),
  },
  'a reply that dies on its way': {
    expect: ['ttl-exceeded', 'time-exceeded'],
    before: open,
    by: 'srv',
    dests: [NAT],
    frame: fromServer(reply(ACK, { ttl: 1 })),
  },
  'a reply of IPv6 that dies on its way': {
    expect: ['ttl-exceeded', 'time-exceeded'],
    before: open6,
    by: 'srv',
    dests: [NAT6],
    frame: fromServer(reply6(ACK, { ttl: 1 })),
  },
};
