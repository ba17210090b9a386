/** What comparing core and reference over both families has brought to light, each as the shortest life that shows it. */
import { describe, expect, it } from 'vitest';
import { reasonName } from '../../src/reasons.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import { BINARIES, createDirector } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { segment } from '../support/ftp.js';
import {
  CLIENT,
  CLIENT6,
  FOU_PORT,
  fromClient,
  fromServer,
  NETWORK,
  networkWith,
  onV6,
  request,
  SCTP_KEY,
  SERVERS,
  SERVERS6,
  sctpRequest,
  TUNNELS,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, counting, fixIpv4, hex, ipv4, ipv6, join, tcp, toHex, udp } from '../support/packets.js';
import { MARK, NAT, NAT6, sideBySide } from '../support/side-by-side.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';

describe.each(BINARIES)('%s', (binary) => {
  const { both, expectLast } = sideBySide(binary);

  it('a GUE datagram of a connection goes its way also in the burst that made the connection', () => {
    const dest = { address: SERVERS[0], method: 'dr' } as const;
    const director = createDirector(binary, { network: TUNNELS, plan: { connections: 16, arenaBytes: 1 << 17 } });
    director.addService({ ...MARK, scheduler: 'rr' });
    director.addDest(MARK, dest);
    const inner = udp({ source: CLIENT, destination: '10.0.0.1', sport: 1, dport: 2 });
    const frame = fromClient(gue({ source: CLIENT, destination: '10.0.0.1', sport: 40_000, dport: 6080 }, inner));
    const { burst } = director;
    for (const mark of [7, 0]) {
      burst.reserve(frame.length, director.interfaceIndex('cli')).set(frame);
      burst.commit(frame.length, 0, mark);
    }
    director.process(0);
    expect([0, 1].map((at) => reasonName(burst.reason(at)))).toEqual(['direct-route', 'direct-route']);
  });

  it.each([12, 14, 15])('SCTP of %i bytes, without a whole chunk, is dropped', (length) => {
    const cut = sctpRequest().slice(0, 20 + length);
    new DataView(cut.buffer).setUint16(2, cut.length);
    for (const services of [[SCTP_KEY], [UDP_KEY]]) {
      expectLast({ services }, [fromClient(fixIpv4(cut))], ['drop transport-truncated']);
    }
  });

  it('SCTP of a server without a whole chunk does not count as its answer', () => {
    const [client, server] = [
      { source: CLIENT6, destination: VIP6 },
      { source: VIP6, destination: CLIENT6 },
    ];
    const sctp = (ends: { source: string; destination: string }, sport: number, dport: number, chunk: string) =>
      ipv6(
        { ...ends, protocol: 132 },
        join(Uint8Array.of(sport >> 8, sport, dport >> 8, dport), hex(`0000000000000000${chunk}`)),
      );
    const { port } = SCTP_KEY;
    for (const [answer, state] of [
      ['05', 'ESTABLISHED'],
      ['05000004', 'INIT'],
    ] as const) {
      for (const director of both({ services: [onV6(SCTP_KEY)], dests: [{ address: SERVERS6[0], method: 'dr' }] })) {
        const send = (frame: Uint8Array, by: string) => director.send(frame, by, 0).at(0);
        send(fromClient(sctp(client, 4000, port, '01000004')), 'cli');
        send(fromServer(sctp(server, port, 4000, answer)), 'srv');
        send(fromClient(sctp(client, 4000, port, '0a000004')), 'cli');
        expect(director.connections(0)[0]?.state).toBe(state);
      }
    }
  });

  it('a marked tunnel packet to somebody else is opened, also one that came in pieces', () => {
    const inner = request('udp', { payload: counting(64) });
    const outer = ipInIp({ source: CLIENT, destination: SERVERS[1] }, inner);
    const pieces = fragmentsOf(outer, [24, 48]).map(fromClient);
    for (const frames of [pieces, [fromClient(outer)]]) {
      expectLast({ network: TUNNELS, services: [MARK] }, frames, ['forward nat-in'], { mark: 7 });
    }
  });

  it('a GRE checksum that would be 0 is its complement, as Linux lets it be filled in like UDP’s', () => {
    const dests = [{ address: SERVERS[0], method: 'tun', tunnel: { type: 'gre', checksum: 'csum' } }] as const;
    const [at, word] = [14 + 20 + 4, 14 + 28];
    for (const director of both({ dests })) {
      const frame = fromClient(request('udp', { payload: new Uint8Array(2) }));
      frame.set([0, 0], 40);
      const sent = () => director.send(frame, 'cli', 0)[0]?.frame as Uint8Array;
      frame.set(sent().subarray(at, at + 2), word);
      expect(toHex(sent().subarray(at, at + 2))).toBe('ffff');
    }
  });

  it('a service is asked before the port of GUE', () => {
    const outer = gue({ source: CLIENT, destination: '10.0.0.1', sport: 1, dport: FOU_PORT }, request('udp'));
    const around = { network: TUNNELS, services: [UDP_KEY, MARK] };
    expectLast(around, [fromClient(outer)], ['forward nat-in'], { mark: 7 });
    expectLast(around, [fromClient(outer)], ['forward nat-in']);
    const own = { protocol: 'udp', address: '10.0.0.1', port: FOU_PORT } as const;
    for (const director of both({ network: TUNNELS, services: [own] })) {
      const [outcome] = director.send(fromClient(outer), 'cli', 0);
      expect(outcome).toMatchObject({ reason: 'nat-in', outInterface: 'srv' });
      expect(outcome?.frame.length).toBe(fromClient(outer).length);
    }
  });

  it('GUE of what there is no interface for is the host’s, whatever its checksum', () => {
    const network = { ...TUNNELS, interfaces: TUNNELS.interfaces.filter(({ kind }) => kind !== 'ipip') };
    const words = { source: CLIENT, destination: '10.0.0.1', sport: 1, dport: FOU_PORT, checksum: 1 };
    expectLast({ network }, [fromClient(gue(words, request('udp')))], ['local local-delivery']);
  });

  it('no error is sent about what may be one: its headers reach beyond it, and name ICMPv6', () => {
    const expectAnswers = (named: number, expected: string[]) => {
      const options = Uint8Array.of(60, 0, 0x9e, 0, 1, 2, 0, 0, named, 59, 1, 4, 0, 0, 0, 0);
      const packet = ipv6({ source: CLIENT6, destination: VIP6, protocol: 0 }, options);
      expectLast({ services: [onV6(UDP_KEY)], dests: [NAT6] }, [fromClient(packet)], expected);
    };
    expectAnswers(17, ['drop ipv6-extension', 'forward parameter-problem']);
    expectAnswers(58, ['drop ipv6-extension']);
  });

  it('GUE that carries GRE is left to the host', () => {
    const outer = { source: CLIENT, destination: '10.0.0.1', sport: 40_000, dport: FOU_PORT };
    const inner = gre({ source: CLIENT, destination: '10.0.0.1' }, request('udp')).subarray(20);
    const packet = udp({ ...outer, payload: join(Uint8Array.of(0, 47, 0, 0), inner) });
    expectLast({ network: TUNNELS }, [fromClient(packet)], ['local local-delivery']);
  });

  it('nobody looks at ICMP of a family without a service', () => {
    const ends = { source: CLIENT, destination: SERVERS[1] };
    const short = ipv4({ ...ends, protocol: 1 }, Uint8Array.of(3, 3, 0, 0, 0, 0, 0));
    expectLast({ services: [onV6(UDP_KEY)], dests: [NAT6] }, [fromClient(short)], ['forward routed']);
    expectLast({}, [fromClient(short)], ['drop transport-truncated']);
  });

  it('an interface that is down has its addresses of IPv4 only', () => {
    const network = networkWith({ srv: { up: false } });
    const to = (source: string, destination: string) => fromClient(udp({ source, destination, sport: 1, dport: 2 }));
    expectLast({ network }, [to(CLIENT, '10.1.0.1')], ['local local-delivery']);
    expectLast({ network }, [to(CLIENT6, 'fd00:1::1')], ['drop no-route', 'forward net-unreachable']);
  });

  it('what a server sends without a connection is quoted as it came, its checksum only begun', () => {
    const words = { source: SERVERS6[0], destination: CLIENT6, sport: 53, dport: 1, partial: true };
    const around = { sysctl: { nat_icmp_send: 1 }, services: [onV6(UDP_KEY)], dests: [NAT6] };
    for (const director of both(around)) {
      const packet = udp(words);
      const [, made] = director.send(fromServer(packet), 'srv', 0, { partialChecksum: true });
      expect(made?.frame.slice(14 + 48 + 40)).toEqual(packet.slice(40));
    }
  });

  it('numbers of connections whose time is over at once become free in the order in which it was', () => {
    const limits = { connections: 8, connections6: 8 };
    const options = { network: NETWORK, seed: 1n };
    const [core, reference] = [
      createDirector(binary, { ...options, plan: { ...limits, arenaBytes: 1 << 17 } }),
      new ReferenceDirector({ ...options, ...limits }),
    ].map((director) => {
      director.addService({ scheduler: 'rr', ...UDP_KEY });
      director.addDest(UDP_KEY, NAT);
      const call = (sport: number, now: number) => director.send(fromClient(request('udp', { sport })), 'cli', now);
      for (const n of [0, 1, 2, 3]) call(1000 + n, n * 2000);
      for (const n of [0, 1]) call(2000 + n, 600_000);
      director.setSysctl({ drop_entry: 3 });
      return Array.from({ length: 120 }, (_, second) => {
        const now = 600_000 + second * 1000;
        director.advance(now);
        return director
          .connections(now)
          .map(({ clientPort }) => clientPort)
          .sort();
      });
    });
    expect(core).toEqual(reference);
    // One goes before the other, and by its number.
    expect(new Set(core!.map(({ length }) => length))).toEqual(new Set([2, 1, 0]));
  });

  it("FTP's helper reads what its server has no MAC for, as a kernel that still asks for it", () => {
    const key = { protocol: 'tcp', address: VIP, port: 21 } as const;
    const network = { ...NETWORK, ip_vs_ftp: {} };
    const ends = { source: CLIENT, destination: VIP, sport: 1000, dport: 21, flags: ACK };
    const around = { network, sysctl: { sloppy_tcp: 1 }, services: [key], dests: [{ ...NAT, address: '10.1.0.99' }] };
    for (const director of both(around)) {
      const said = [
        tcp(ends),
        tcp({ ...ends, checksum: 0x1234 }),
        segment({ ...ends, text: `PORT ${CLIENT.replaceAll('.', ',')},3,232\r\n`, seq: 1, ack: 1 }),
      ];
      const fates = said.map((packet) => director.send(fromClient(packet), 'cli', 0)[0]!.reason);
      expect([fates, director.connections(0).length]).toEqual([['no-neighbour', 'tcp-checksum', 'no-neighbour'], 2]);
    }
  });
});
