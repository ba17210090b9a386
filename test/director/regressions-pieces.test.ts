/** What comparing core and reference has brought to light about fragments and what came in them, each as the shortest life that shows it. */
import { describe, expect, it } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import { BINARIES, createDirector } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  NETWORK,
  onV6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TUNNELS,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { counting, fixIpv4, hex, icmp, ipv4, ipv6, toHex, udp } from '../support/packets.js';
import { fragmentWords, NAT6, piece6, sideBySide } from '../support/side-by-side.js';
import { gre } from '../support/tunnels.js';

describe.each(BINARIES)('%s', (binary) => {
  const { both, expectLast } = sideBySide(binary);

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

  it('a later fragment of ICMP that nobody gathers is just routed', () => {
    const words = { source: CLIENT, destination: SERVERS[1] };
    const pieces = fragmentsOf(icmp(words, 3, 3, request('udp')), [32]).map(fromClient);
    expectLast({ services: [], dests: [] }, pieces, ['forward routed']);
  });

  it('a datagram that is whole again begins with its IP header, where it is not forwarded', () => {
    const packet = udp({ source: CLIENT, destination: '10.0.0.1', sport: 1, dport: 2, payload: counting(64) });
    for (const director of both({})) {
      const [, last] = fragmentsOf(packet, [32]).map((piece) => director.send(fromClient(piece), 'cli', 0)[0]);
      expect(last).toMatchObject({ verdict: 'local', frame: packet });
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
});
