/** NAT64: what is too long for its way, what is cut, and what came in fragments. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { fragmentsOf } from '../support/fragments.js';
import { NOW } from '../support/fullnat.js';
import { reasonsOf } from '../support/lab.js';
import {
  atClient,
  atServer,
  fromClient,
  fromServer,
  idOf,
  nat64,
  network64,
  opened,
  send64,
  sendAll,
} from '../support/nat64.js';
import { ACK, counting, toHex, u32 } from '../support/packets.js';

const hexOf = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ frame }) => toHex(frame));
/** The MTU that an ICMPv6 error tells, or one of ICMP. */
const toldBy = ({ frame }: Outcome): number =>
  new DataView(frame.buffer, frame.byteOffset).getUint32(frame[0]! >> 4 === 6 ? 44 : 24);

/** Fragments of IPv4 as `fragmentsOf` makes them, of a datagram with DF or without. */
function all(director: Director, fragments: readonly Uint8Array[], wire: 'cli' | 'srv'): Outcome[] {
  const outcomes = fragments.map((fragment) => director.send(fragment, wire, NOW));
  for (const each of outcomes.slice(0, -1)) expect(reasonsOf(each)).toEqual(['fragment-held']);
  return outcomes.at(-1)!;
}

describe('a client', () => {
  it('whose packet is up to 1,260 bytes long as IPv4 may have it cut, with a number of its own', () => {
    const director = nat64();
    const delta = opened(director);
    const id = idOf(send64(director, fromClient(), 'cli').frame);
    const seq = u32(1000 + delta);
    for (const [length, df] of [
      [1260, false],
      [1261, true],
      [1500, true],
    ] as const) {
      const words = { payload: counting(length - 40), flags: ACK };
      const { frame } = send64(director, fromClient(words), 'cli');
      expect(toHex(frame)).toBe(toHex(atServer({ ...words, ttl: 63, seq, df, id: df ? 0 : id + 1 })));
    }
  });

  it('is told what fits, in bytes of IPv6, and no less than these must carry', () => {
    for (const [mtu, length, told] of [
      [1400, 1401, 1420],
      [1280, 1281, 1300],
      [1261, 1262, 1281],
      [1200, 1261, 1280],
      [600, 1500, 1280],
    ] as const) {
      const director = nat64({}, { network: network64(9000, mtu) });
      opened(director);
      const packet = fromClient({ payload: counting(length - 40), flags: ACK });
      const [dropped, error] = sendAll(director, packet, 'cli');
      expect([dropped?.reason, error?.reason, error?.outInterface]).toEqual(['too-big', 'fragmentation-needed', 'cli']);
      expect(toldBy(error!)).toBe(told);
      packet[7]!--;
      expect(toHex(error!.frame.subarray(48))).toBe(toHex(packet.subarray(0, 1232)));
      expect(
        sendAll(director, fromClient({ payload: counting(Math.min(mtu, 1260) - 40), flags: ACK }), 'cli'),
      ).toHaveLength(1);
    }
  });

  it.each(['alibaba', 'dpvs'] as const)('of the profile %s is told of whatever does not fit', (profile) => {
    const director = nat64({ profile }, { network: network64(1500, 600) });
    opened(director);
    const outcomes = sendAll(director, fromClient({ payload: counting(561), flags: ACK }), 'cli');
    expect(reasonsOf(outcomes)).toEqual(['too-big', 'fragmentation-needed']);
    expect(toldBy(outcomes[1]!)).toBe(1280);
  });

  it('whose short packet does not fit gets through in pieces', () => {
    const director = nat64({}, { network: network64(1500, 600) });
    const delta = opened(director);
    const words = { payload: counting(1200), flags: ACK };
    const outcomes = sendAll(director, fromClient(words), 'cli');
    expect(reasonsOf(outcomes)).toEqual(['nat64-in', 'fragment', 'fragment']);
    const whole = atServer({ ...words, ttl: 63, seq: u32(1000 + delta), id: idOf(outcomes[0]!.frame) });
    expect(hexOf(outcomes)).toEqual(fragmentsOf(whole, [576, 1152]).map(toHex));
  });

  it('whose datagram comes in fragments sends such fragments, with the same number', () => {
    const director = nat64({}, { network: network64(1500, 1400) });
    opened(director, { protocol: 'udp' });
    const words = { protocol: 'udp', payload: counting(3000) } as const;
    const whole = atServer({ ...words, ttl: 63, id: 0x0304 });
    for (const [cuts, pieces] of [
      [
        [1240, 2480],
        [1240, 2480],
      ],
      [
        [8, 1384, 2760],
        [8, 1384, 2760],
      ],
      [[2000], [1376, 2752]],
      [
        [1448, 2896],
        [1376, 2752],
      ],
    ] as const) {
      const fragments = fragmentsOf(fromClient(words), cuts);
      const outcomes = all(director, fragments.toReversed(), 'cli');
      const expected = fragmentsOf(whole, pieces);
      expect(hexOf(outcomes)).toEqual(expected.map(toHex));
      expect(reasonsOf(outcomes)).toEqual(['nat64-in', ...expected.slice(1).map(() => 'fragment')]);
    }
  });

  it('whose fragment is the only one sends no fragment', () => {
    const director = nat64();
    opened(director, { protocol: 'udp' });
    const words = { protocol: 'udp', payload: counting(1400) } as const;
    const outcomes = all(director, fragmentsOf(fromClient(words), []), 'cli');
    expect(hexOf(outcomes)).toEqual([toHex(atServer({ ...words, ttl: 63, id: 0x0304 }))]);
  });

  it('whose fragment is the only one sends none either if it becomes longer', () => {
    const director = nat64({ carry: 'proxy-v2' }, {}, ['udp']);
    for (const length of [8, 1000]) {
      const words = { protocol: 'udp', payload: counting(length) } as const;
      const outcomes = all(director, fragmentsOf(fromClient(words), []), 'cli');
      expect([reasonsOf(outcomes), outcomes[0]!.frame.length]).toEqual([['nat64-in'], 20 + 8 + 52 + length]);
    }
  });

  it('whose datagram in fragments is longer than any of IPv4 is not told', () => {
    const director = nat64({}, { plan: { fragmentBytes: 1 << 18, arenaBytes: 1 << 19 } });
    opened(director, { protocol: 'udp' });
    for (const [length, expected] of [
      [65_535, 'too-big'],
      [65_516, 'too-big'],
      [65_515, 'nat64-in'],
    ] as const) {
      const cuts = Array.from({ length: 46 }, (_, i) => (i + 1) * 1400);
      const outcomes = all(
        director,
        fragmentsOf(fromClient({ protocol: 'udp', payload: counting(length - 8) }), cuts),
        'cli',
      );
      expect([outcomes[0]?.reason, outcomes.length > 1]).toEqual([expected, expected === 'nat64-in']);
    }
  });
});

describe('a server', () => {
  it('is told what fits, in bytes of IPv4, if its packet must not be cut', () => {
    for (const mtu of [1500, 1280, 1300]) {
      const director = nat64({}, { network: network64(mtu, 1600) });
      const delta = opened(director);
      const words = { flags: ACK, ack: u32(delta), df: true };
      const fits = { ...words, payload: counting(mtu - 60) };
      expect(hexOf(sendAll(director, fromServer(fits), 'srv'))).toEqual([
        toHex(atClient({ ...fits, ttl: 63, ack: 0 })),
      ]);
      const packet = fromServer({ ...words, payload: counting(mtu - 59) });
      const [dropped, error] = sendAll(director, packet, 'srv');
      expect([dropped?.reason, error?.reason, error?.outInterface]).toEqual(['too-big', 'fragmentation-needed', 'srv']);
      expect(toldBy(error!)).toBe(mtu - 20);
      expect(toHex(error!.frame.subarray(28))).toBe(toHex(packet.subarray(0, 548)));
    }
  });

  it('has a packet cut that may be, with its own number', () => {
    const director = nat64({}, { network: network64(1280, 1500) });
    const delta = opened(director);
    const words = { flags: ACK, payload: counting(1400), id: 0xfffe };
    const outcomes = sendAll(director, fromServer({ ...words, ack: u32(delta) }), 'srv');
    expect(reasonsOf(outcomes)).toEqual(['nat64-out', 'fragment']);
    expect(hexOf(outcomes)).toEqual(fragmentsOf(atClient({ ...words, ttl: 63, ack: 0 }), [1232], 0xfffe).map(toHex));
  });

  it.each([false, true])('whose datagram comes in fragments sends such fragments; with DF: %s', (df) => {
    const director = nat64({}, { network: network64(1400, 1500) });
    opened(director, { protocol: 'udp' });
    const words = { protocol: 'udp', payload: counting(3000), id: 0xa1b2 } as const;
    for (const [cuts, pieces] of [
      [
        [1240, 2480],
        [1240, 2480],
      ],
      [
        [8, 1360],
        [1352, 2704],
      ],
      [
        [1480, 2960],
        [1352, 2704],
      ],
    ] as const) {
      const fragments = fragmentsOf(fromServer(words), cuts).map((fragment) => withDf(fragment, df));
      const outcomes = all(director, fragments, 'srv');
      const expected = fragmentsOf(atClient({ ...words, ttl: 63 }), pieces, 0xa1b2);
      expect(hexOf(outcomes)).toEqual(expected.map(toHex));
    }
  });
});

function withDf(packet: Uint8Array, df: boolean): Uint8Array {
  if (!df) return packet;
  packet[6]! |= 0x40;
  const view = new DataView(packet.buffer, packet.byteOffset);
  let sum = 0x4000 + (~view.getUint16(10) & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(10, ~sum);
  return packet;
}
