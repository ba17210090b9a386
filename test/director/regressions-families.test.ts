/**
 * What comparing core and reference over both families has brought to light, each as the shortest life that shows it.
 */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { reasonName } from '../../src/reasons.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig, FrameNotes, NetworkConfig, ServiceKey, SysctlConfig } from '../../src/types.js';
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
  request6,
  SCTP_KEY,
  SERVERS,
  SERVERS6,
  sctpRequest,
  TUNNELS,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, counting, fixIpv4, hex, icmp, ipv4, ipv6, join, tcp, toHex, udp } from '../support/packets.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';

interface Around {
  network?: NetworkConfig;
  sysctl?: SysctlConfig;
  services?: readonly ServiceKey[];
  dests?: readonly DestConfig[];
}

const NAT: DestConfig = { address: SERVERS[0], method: 'nat' };
const NAT6: DestConfig = { address: SERVERS6[0], method: 'nat' };
const MARK = { fwmark: 7 } as const;
const piece6 = (protocol: number, offset: number, more: boolean, body: Uint8Array, hopLimit = 64, to: string = VIP6) =>
  ipv6({ source: CLIENT6, destination: to, protocol, hopLimit, extensions: [[44, fragmentWords(offset, more)]] }, body);
const fragmentWords = (offset: number, more: boolean) =>
  Uint8Array.of(0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0), 1, 2, 3, 4);

describe.each(BINARIES)('%s', (binary) => {
  /** Core and reference. */
  function both({ network = NETWORK, sysctl = {}, services = [UDP_KEY], dests = [NAT] }: Around) {
    const plan = { connections: 16, connections6: 16, arenaBytes: 1 << 17 };
    const directors = [createDirector(binary, { network, sysctl, plan }), new ReferenceDirector({ network, sysctl })];
    for (const director of directors) {
      for (const key of services) {
        director.addService({ scheduler: 'rr', ...key });
        for (const dest of dests) director.addDest(key, dest);
      }
    }
    return directors;
  }

  /** What becomes of the last of the frames in both. */
  function expectLast(around: Around, frames: readonly Uint8Array[], expected: string[], notes: FrameNotes = {}) {
    for (const director of both(around)) {
      const all = frames.map((frame) => director.send(frame, 'cli', 0, notes));
      expect((all.at(-1) as ReturnType<Director['send']>).map(({ verdict, reason }) => `${verdict} ${reason}`)).toEqual(
        expected,
      );
    }
  }

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

  it('fragments of IPv6 without a service of IPv6 are the host’s, tunnel or not', () => {
    const tunnel = gre({ source: CLIENT6, destination: 'fd00::1' }, request('udp', { payload: counting(64) }));
    for (const packet of [request6('udp', { payload: counting(64) }), tunnel]) {
      const [first] = fragmentsOf(packet, [48]) as [Uint8Array];
      expectLast({ network: TUNNELS }, [fromClient(first)], ['local local-delivery']);
    }
  });

  it('an atomic fragment belongs to those that wait', () => {
    const whole = request6('udp', { payload: counting(4) }).slice(40);
    const around = { services: [onV6(UDP_KEY)], dests: [NAT6] };
    expectLast(around, [fromClient(piece6(17, 0, false, whole))], ['forward nat-in']);
    const waiting = fromClient(piece6(17, 8, true, counting(24)));
    expectLast(around, [waiting, fromClient(piece6(17, 0, false, whole))], ['drop fragment-malformed']);
  });

  it('a fragment of IPv6 without payload is dropped, and tells where its datagram ends', () => {
    const around = { services: [onV6(UDP_KEY)], dests: [NAT6] };
    const whole = request6('udp', { payload: counting(24) }).subarray(40);
    const piece = (from: number, to: number, more: boolean) =>
      fromClient(piece6(17, from, more, whole.subarray(from, to)));
    const end = piece(32, 32, false);
    expectLast(around, [end], ['drop fragment-malformed']);
    expectLast(around, [end, piece(0, 32, true)], ['forward nat-in']);
    expectLast(around, [piece(0, 32, true), end], ['drop fragment-malformed']);
    expectLast(around, [end, piece(8, 32, true), piece(0, 8, true)], ['forward nat-in']);
    expectLast(around, [piece(16, 16, true), piece(0, 8, false)], ['drop fragment-malformed']);
    expectLast(around, [piece(0, 0, false), piece(0, 32, true)], ['held fragment-held']);
  });

  it('a fragment whose bytes are there already tells where its datagram ends, too', () => {
    const parts: readonly [from: number, to: number, more: boolean][] = [
      [0, 24, true],
      [16, 24, false],
      [24, 32, false],
    ];
    const six = request6('udp', { payload: counting(24) }).subarray(40);
    const pieces6 = parts.map(([from, to, more]) => fromClient(piece6(17, from, more, six.subarray(from, to))));
    expectLast({ services: [onV6(UDP_KEY)], dests: [NAT6] }, pieces6, ['drop fragment-malformed']);
    const four = request('udp', { payload: counting(24) }).subarray(20);
    const pieces4 = parts.map(([from, to, mf]) =>
      fromClient(
        ipv4({ source: CLIENT, destination: VIP, protocol: 17, offset: from / 8, mf }, four.subarray(from, to)),
      ),
    );
    expectLast({}, pieces4, ['drop fragment-malformed']);
  });

  it('an atomic fragment too short for its transport is cut short, not malformed', () => {
    const around = { services: [onV6(UDP_KEY)], dests: [NAT6] };
    expectLast(around, [fromClient(piece6(17, 0, false, counting(5)))], ['drop transport-truncated']);
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

  it('a first fragment that ends within its extension headers waits for the rest', () => {
    const around = { services: [onV6(UDP_KEY)], dests: [NAT6] };
    const first = fromClient(piece6(60, 0, true, hex('1101 0104 00000000')));
    expectLast(around, [first], ['held fragment-held']);
    const rest = fromClient(piece6(60, 8, false, hex('0104 0000 00000000 9c40 0035 0008 0000')));
    expectLast(around, [first, rest], ['forward nat-in']);
  });

  it('what came in pieces that its headers do not fit in is cut anew', () => {
    const to = 'fd00:1::12';
    const body = hex('1102 0200 00000000 fd00000000000000 0000000000000002 9c40 0051 04d8 0000');
    const pieces = [8, 8, 8, 8, 1208].map((length, i) => {
      const part = i < 4 ? body.slice(i * 8, i * 8 + 8) : counting(length);
      return fromClient(piece6(43, i * 8, i < 4, part, 64, to));
    });
    expectLast({ services: [onV6(UDP_KEY)], dests: [NAT6] }, pieces, ['forward routed', 'forward fragment']);
  });

  it.each([
    ['no room for another', '07070400000000', '0707080a010001'],
    ['room', '070b040000000000000000', '070b080a01000100000000'],
  ])(
    'what came in pieces that must not be cut is quoted as it would have left, its way recorded once: %s',
    (_, given, left) => {
      const options = hex(`${given}00`);
      const whole = udp({
        source: CLIENT,
        destination: '10.1.0.77',
        sport: 1,
        dport: 2,
        options,
        payload: counting(40),
      });
      whole[6]! |= 0x40;
      const pieces = fragmentsOf(fixIpv4(whole), [24]).map((piece) => {
        piece[6]! |= 0x40;
        return fromClient(fixIpv4(piece));
      });
      for (const director of both({})) {
        const [held, dropped, told] = pieces.flatMap((frame) => director.send(frame, 'cli', 0));
        expect([held?.reason, dropped?.reason, told?.reason]).toEqual([
          'fragment-held',
          'too-big',
          'fragmentation-needed',
        ]);
        const quoted = told!.frame.subarray(14 + 20 + options.length + 8);
        expect(toHex(quoted.subarray(20, 20 + options.length - 1))).toBe(left);
      }
    },
  );

  it('GUE that carries GRE is left to the host', () => {
    const outer = { source: CLIENT, destination: '10.0.0.1', sport: 40_000, dport: FOU_PORT };
    const inner = gre({ source: CLIENT, destination: '10.0.0.1' }, request('udp')).subarray(20);
    const packet = udp({ ...outer, payload: join(Uint8Array.of(0, 47, 0, 0), inner) });
    expectLast({ network: TUNNELS }, [fromClient(packet)], ['local local-delivery']);
  });

  it('nobody hears of a first fragment that ends within an extension header before ICMPv6, but of one before another', () => {
    const around = { services: [onV6(UDP_KEY)], dests: [NAT6] };
    const cut = (next: number) => fromClient(piece6(60, 0, true, Uint8Array.of(next, 0, 1, 4, 0, 0, 0)));
    expectLast(around, [cut(58)], ['drop fragment-malformed']);
    expectLast(around, [cut(6)], ['drop fragment-malformed', 'forward parameter-problem']);
  });

  it('a sender of IPv6 hears about its later fragments, too', () => {
    const later = piece6(17, 8, false, counting(24), 1, SERVERS6[1]);
    expectLast({}, [fromClient(later)], ['drop ttl-exceeded', 'forward time-exceeded']);
  });

  it('a sender of IPv6 hears about later fragments of an error, too, which nobody knows for one', () => {
    const later = (type: number) => piece6(58, 40, false, Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0), 1, SERVERS6[1]);
    expectLast({}, [fromClient(later(1))], ['drop ttl-exceeded', 'forward time-exceeded']);
    const first = piece6(58, 0, true, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 1, SERVERS6[1]);
    expectLast({}, [fromClient(first)], ['drop ttl-exceeded']);
  });

  it('nobody looks at ICMP of a family without a service', () => {
    const ends = { source: CLIENT, destination: SERVERS[1] };
    const short = ipv4({ ...ends, protocol: 1 }, Uint8Array.of(3, 3, 0, 0, 0, 0, 0));
    expectLast({ services: [onV6(UDP_KEY)], dests: [NAT6] }, [fromClient(short)], ['forward routed']);
    expectLast({}, [fromClient(short)], ['drop transport-truncated']);
  });

  it('a later fragment of ICMP that nobody gathers is just routed', () => {
    const words = { source: CLIENT, destination: SERVERS[1] };
    const pieces = fragmentsOf(icmp(words, 3, 3, request('udp')), [32]).map(fromClient);
    expectLast({ services: [], dests: [] }, pieces, ['forward routed']);
  });

  it('an interface that is down has its addresses of IPv4 only', () => {
    const network = networkWith({ srv: { up: false } });
    const to = (source: string, destination: string) => fromClient(udp({ source, destination, sport: 1, dport: 2 }));
    expectLast({ network }, [to(CLIENT, '10.1.0.1')], ['local local-delivery']);
    expectLast({ network }, [to(CLIENT6, 'fd00:1::1')], ['drop no-route', 'forward net-unreachable']);
  });

  it('a datagram that is whole again begins with its IP header, where it is not forwarded', () => {
    const packet = udp({ source: CLIENT, destination: '10.0.0.1', sport: 1, dport: 2, payload: counting(64) });
    for (const director of both({})) {
      const [, last] = fragmentsOf(packet, [32]).map((piece) => director.send(fromClient(piece), 'cli', 0)[0]);
      expect(last).toMatchObject({ verdict: 'local', frame: packet });
    }
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

  it('an odd fragment is not looked at, and nobody told, while no datagram may be added', () => {
    const plan = { connections: 16, connections6: 16, arenaBytes: 1 << 17, datagrams: 1 };
    const options = { network: NETWORK, sysctl: {} };
    for (const director of [
      createDirector(binary, { ...options, plan }),
      new ReferenceDirector({ ...options, datagrams: 1 }),
    ]) {
      director.addService({ scheduler: 'rr', ...onV6(UDP_KEY) });
      const fates = ['fd00::52', CLIENT6].map((source) => {
        const words = [44, fragmentWords(0, true)] as const;
        const length = source === CLIENT6 ? 17 : 16;
        const packet = ipv6({ source, destination: VIP6, protocol: 17, extensions: [words] }, counting(length));
        return director.send(fromClient(packet), 'cli', 0).map(({ verdict, reason }) => `${verdict} ${reason}`);
      });
      expect(fates).toEqual([['held fragment-held'], ['drop fragment-limit']]);
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
