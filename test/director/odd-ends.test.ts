/** Odd addresses, ports and lengths, as a live kernel took them; core and reference alike. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig } from '../../src/types.js';
import { BINARIES, type Binary } from '../support/core.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  fromServer,
  lab,
  NAT,
  NAT6,
  NETWORK,
  onV6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, ipv4, ipv6, SYN, tcp, udp } from '../support/packets.js';

const NAT2: DestConfig = { address: SERVERS[1], port: 8080, method: 'nat' };
const KEYS = [TCP_KEY, UDP_KEY, onV6(TCP_KEY), onV6(UDP_KEY)];

/** Core and reference in the lab, with a default route and these dests, each at the services of its family. */
function both(binary: Binary, dests: readonly DestConfig[]): (Director | ReferenceDirector)[] {
  const network = { ...NETWORK, routes: [...(NETWORK.routes ?? []), { dst: 'default', dev: 'cli', gateway: CLIENT }] };
  const directors = [lab([], { binary, network }, {}, []), new ReferenceDirector({ network })];
  for (const director of directors) {
    for (const key of KEYS) {
      director.addService({ scheduler: 'rr', ...key });
      const isSix = key.address.includes(':');
      for (const dest of dests.filter(({ address }) => address.includes(':') === isSix)) director.addDest(key, dest);
    }
  }
  return directors;
}

const reasons = (director: Director | ReferenceDirector, frame: Uint8Array, by = 'cli'): string =>
  director
    .send(frame, by, 0)
    .map(({ verdict, reason }) => `${verdict} ${reason}`)
    .join(', ');

describe.each(BINARIES)('%s', (binary) => {
  it('0.0.0.0/8 is an address like any, but for 0.0.0.0', () => {
    for (const director of both(binary, [NAT])) {
      const from = (source: string) => reasons(director, fromClient(request('tcp', { source })));
      const to = (destination: string) => reasons(director, fromClient(request('tcp', { destination })));
      expect(from('0.1.2.3')).toBe('forward nat-in');
      expect(from('0.0.0.0')).toBe('drop martian-source');
      expect(to('0.1.2.3')).toBe('forward routed');
      expect(to('0.0.0.0')).toBe('drop martian-destination');
      expect(
        reasons(director, fromClient(udp({ source: '0.1.2.3', destination: '0.0.0.0', sport: 1, dport: 2 }))),
      ).toBe('drop martian-destination');
      const answer = tcp({ source: SERVERS[0], destination: '0.1.2.3', sport: 8080, dport: 40_000, flags: SYN | ACK });
      expect(reasons(director, fromServer(answer), 'srv')).toBe('forward nat-out');
    }
  });

  it('a directed broadcast address is a source like any', () => {
    for (const director of both(binary, [NAT])) {
      expect(reasons(director, fromClient(request('tcp', { source: '10.0.0.255' })))).toBe('forward nat-in');
    }
  });

  it('NAT tells a client that the TTL has run out, even if the transport header is cut short', () => {
    for (const director of both(binary, [NAT, NAT6])) {
      for (const protocol of ['tcp', 'udp'] as const) {
        const number = protocol === 'tcp' ? 6 : 17;
        const cut = (ttl: number) =>
          fromClient(
            ipv4({ source: CLIENT, destination: VIP, protocol: number, ttl }, request(protocol).subarray(20, 27)),
          );
        const cut6 = (ttl: number) =>
          fromClient(
            ipv6(
              { source: CLIENT6, destination: VIP6, protocol: number, hopLimit: ttl },
              request6(protocol).subarray(40, 47),
            ),
          );
        reasons(director, fromClient(request(protocol)));
        reasons(director, fromClient(request6(protocol)));
        for (const make of [cut, cut6]) {
          expect(reasons(director, make(1))).toBe('drop ttl-exceeded, forward time-exceeded');
          expect(reasons(director, make(2))).toBe('drop transport-truncated');
        }
      }
    }
  });

  it('with schedule_icmp no error leaves about a packet that ends before its ports', () => {
    const dying = (protocol: number, length: number): Uint8Array[] => [
      ipv4({ source: CLIENT, destination: '10.1.0.99', protocol, ttl: 1 }, new Uint8Array(length)),
      ipv6({ source: CLIENT6, destination: 'fd00:1::99', protocol, hopLimit: 1 }, new Uint8Array(length)),
    ];
    /** A third of AH, behind which there would be `protocol`. */
    const cutAh = (protocol: number): Uint8Array =>
      ipv6({ source: CLIENT6, destination: '2001:db8::5', protocol: 51 }, Uint8Array.of(protocol, 4, 0, 0, 1, 2, 3, 4));
    const [exceeded, unreachable] = ['drop ttl-exceeded', 'drop no-route'];
    for (const schedule_icmp of [0, 1]) {
      for (const director of both(binary, [])) {
        director.setSysctl({ schedule_icmp });
        const judge = (packet: Uint8Array) => reasons(director, fromClient(packet));
        const answered = `${exceeded}, forward time-exceeded`;
        for (const protocol of [6, 17, 132]) {
          for (const packet of dying(protocol, 3)) expect(judge(packet)).toBe(schedule_icmp ? exceeded : answered);
          for (const packet of dying(protocol, 4)) expect(judge(packet)).toBe(answered);
        }
        for (const packet of dying(99, 3)) expect(judge(packet)).toBe(answered);
        const told = `${unreachable}, forward net-unreachable`;
        expect(judge(cutAh(6))).toBe(schedule_icmp ? unreachable : told);
        expect(judge(cutAh(59))).toBe(told);
        // Without a service of the family nobody looks.
        for (const key of KEYS) director.deleteService(key);
        for (const packet of dying(6, 3)) expect(judge(packet)).toBe(answered);
      }
    }
  });

  it('each packet from port 0 that may open a connection opens another', () => {
    for (const director of both(binary, [NAT, NAT2])) {
      const from0 = (words = {}) => fromClient(request('tcp', { sport: 0, ...words }));
      const answer = (source: string) =>
        reasons(director, fromServer(tcp({ source, destination: CLIENT, sport: 8080, dport: 0, flags: ACK })), 'srv');
      for (let n = 0; n < 3; n++) expect(reasons(director, from0())).toBe('forward nat-in');
      expect(reasons(director, from0({ flags: ACK }))).toBe('local not-opening');
      expect(director.connections(0)).toMatchObject([{ inPackets: 1 }, { inPackets: 1 }, { inPackets: 1 }]);
      // Replies find the newest of each server.
      for (const server of [SERVERS[0], SERVERS[1]]) expect(answer(server)).toBe('forward nat-out');
      const states = director.connections(0).map(({ state }) => state);
      expect(states.filter((state) => state === 'ESTABLISHED')).toHaveLength(2);
      const [web] = director.services();
      const counts = web?.dests.map((dest) => dest.activeConnections + dest.inactiveConnections);
      expect(counts?.toSorted()).toEqual([1, 2]);
      // All end in their own time.
      expect(director.connections(3_600_000)).toEqual([]);
    }
  });

  it('a datagram from port 0 opens another connection, too, and an error finds none', () => {
    for (const director of both(binary, [NAT])) {
      for (let n = 0; n < 2; n++) {
        expect(reasons(director, fromClient(request('udp', { sport: 0 })))).toBe('forward nat-in');
      }
      expect(director.connections(0)).toHaveLength(2);
      const answer = udp({ source: VIP, destination: CLIENT, sport: 53, dport: 0 });
      const error = ipv4(
        { source: CLIENT, destination: VIP, protocol: 1 },
        Uint8Array.of(3, 3, 0xfc, 0xfc, 0, 0, 0, 0, ...answer),
      );
      expect(reasons(director, fromClient(error))).toBe('local local-delivery');
    }
  });

  it('a connection of DR from port 0 hears of the server that answers by way of the director', () => {
    for (const director of both(binary, [{ address: SERVERS6[0], method: 'dr' }])) {
      for (let n = 0; n < 2; n++) {
        expect(reasons(director, fromClient(request6('tcp', { sport: 0 })))).toBe('forward direct-route');
      }
      const answer = tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 0, flags: ACK });
      expect(reasons(director, fromServer(answer), 'srv')).toBe('forward routed');
      const states = director.connections(0).map(({ state }) => state);
      expect(states.toSorted()).toEqual(['ESTABLISHED', 'SYN_RECV']);
    }
  });

  it('a connection of DR from port 0 hears of it also when one of NAT was opened after it', () => {
    const dests: DestConfig[] = [
      { address: SERVERS6[0], method: 'dr' },
      { address: SERVERS6[1], method: 'nat' },
    ];
    for (const count of [2, 3]) {
      for (const director of both(binary, dests)) {
        for (let n = 0; n < count; n++) reasons(director, fromClient(request6('tcp', { sport: 0 })));
        const answer = tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 0, flags: ACK });
        expect(reasons(director, fromServer(answer), 'srv')).toBe('forward routed');
        const heard = director.connections(0).filter(({ state }) => state === 'ESTABLISHED');
        expect(heard).toMatchObject([{ method: 'dr' }]);
      }
    }
  });
});
