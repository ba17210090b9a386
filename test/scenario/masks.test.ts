import { describe, expect, it } from 'vitest';
import { Choices, MASKS, type MaskContext, matchFrames, unmaskedDifference } from '../../src/scenario/masks.js';
import { MS } from './folder.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  ether,
  fragment6,
  gre,
  gue,
  icmp,
  icmp6,
  ip,
  ipv4,
  ipv6,
  RS1_MAC,
  SRV_MAC,
  sealed6,
  tcp6Frame,
  tcpFrame,
  u16,
  u32,
  udp,
} from './packets.js';

/** Noon of some day, ns. */
const NOON = 20_000n * 86_400_000n * MS + 43_200_000n * MS;

function context(expected: Uint8Array, got: Uint8Array, rest: Partial<MaskContext> = {}): MaskContext {
  const arrival = NOON;
  return {
    expected,
    got,
    offered: got,
    reason: 'routed',
    made: false,
    packet: 1,
    arrival,
    departure: NOON + 5n * MS,
    ...rest,
  };
}

/** The names of the masks with which the frames match. */
const masksOf = (of: MaskContext) => matchFrames(of)?.masks;

const error = (id: number, ttl = 64) =>
  ether(
    CLI_MAC,
    C0_MAC,
    ipv4({
      src: '10.0.0.100',
      dst: '10.0.0.2',
      protocol: 1,
      id,
      ttl,
      fragment: 0,
      payload: icmp(11, 0, [0, 0, 0, 0], new Uint8Array(28)),
    }),
  );
const inner = tcpFrame({ sport: 1, dport: 80, id: 5 }).slice(14);
const outer = (id: number, fragment = 0, payload = inner) =>
  ether(SRV_MAC, RS1_MAC, ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 4, id, fragment, payload }));

describe('matchFrames', () => {
  it('has these masks', () => {
    expect(MASKS).toEqual(['icmp-id', 'nat64-id', 'outer-id', 'gue-port', 'fragment-id', 'flow-label', 'clock']);
  });

  it('needs no mask for equal frames, and allows nothing by itself', () => {
    const frame = tcpFrame({ sport: 1, dport: 2 });
    expect(masksOf(context(frame, frame.slice()))).toEqual([]);
    expect(masksOf(context(frame, tcpFrame({ sport: 1, dport: 2, id: 2 })))).toBeUndefined();
    expect(masksOf(context(frame, frame.slice(0, -1)))).toBeUndefined();
  });

  it('masks the ID of ICMP that the director made', () => {
    expect(masksOf(context(error(7), error(8), { made: true }))).toEqual(['icmp-id']);
    expect(masksOf(context(error(7), error(7), { made: true }))).toEqual([]);
    expect(masksOf(context(error(7), error(8), { made: false }))).toBeUndefined();
    expect(masksOf(context(error(7, 63), error(8, 64), { made: true }))).toBeUndefined();
  });

  it('does not mask the ID of anything else that was made', () => {
    const [a, b] = [tcpFrame({ sport: 1, dport: 2, id: 1 }), tcpFrame({ sport: 1, dport: 2, id: 2 })];
    expect(masksOf(context(a, b, { made: true }))).toBeUndefined();
  });

  it('wants right checksums behind a masked ID, in both frames', () => {
    for (const side of ['expected', 'got'] as const) {
      const frames = { expected: error(7), got: error(8) };
      frames[side][24]! ^= 1;
      expect(masksOf(context(frames.expected, frames.got, { made: true }))).toBeUndefined();
      expect(unmaskedDifference(context(frames.expected, frames.got, { made: true }))?.name).toBe('ip.checksum');
    }
    // Ours has the ID of its own and the kernel's checksum.
    const got = error(8);
    got.set(error(7).subarray(24, 26), 24);
    expect(masksOf(context(error(7), got, { made: true }))).toBeUndefined();
    expect(unmaskedDifference(context(error(7), got, { made: true }))?.name).toBe('ip.checksum');
  });

  it('masks the outer ID of a tunnel without DF only', () => {
    const tunnel = { reason: 'tunnel-ipip' } as const;
    expect(masksOf(context(outer(7), outer(8), tunnel))).toEqual(['outer-id']);
    expect(masksOf(context(outer(7), outer(8)))).toBeUndefined();
    expect(masksOf(context(outer(0, 0x4000), outer(8, 0x4000), tunnel))).toBeUndefined();
    // All fragments have one, also those with DF.
    expect(masksOf(context(outer(7, 0x6000), outer(8, 0x6000), tunnel))).toEqual(['outer-id']);
    expect(masksOf(context(outer(7, 0x4000), outer(8, 0), tunnel))).toBeUndefined();
    const other = tcpFrame({ sport: 1, dport: 80, id: 6 }).slice(14);
    expect(masksOf(context(outer(7), outer(7, 0, other), tunnel))).toBeUndefined();
  });

  it('masks the outer ID of GRE and of errors that follow a flow into its tunnel', () => {
    const wrap = (id: number) => {
      const payload = gre(0x0800, inner, true);
      return ether(
        SRV_MAC,
        RS1_MAC,
        ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 47, id, fragment: 0, payload }),
      );
    };
    expect(masksOf(context(wrap(7), wrap(8), { reason: 'tunnel-gre' }))).toEqual(['outer-id']);
    expect(masksOf(context(wrap(7), wrap(8)))).toBeUndefined();
    expect(masksOf(context(outer(7), outer(8), { reason: 'icmp-in' }))).toEqual(['outer-id']);
    expect(masksOf(context(error(7), error(8), { reason: 'icmp-in' }))).toBeUndefined();
  });

  describe('the source port of GUE', () => {
    const tunnel = { reason: 'tunnel-gue' } as const;
    const over4 = (port: number, withChecksum = true, packet = inner) => {
      const payload = udp('10.1.0.1', '10.1.0.21', port, 6080, [...gue(4, packet)]);
      if (!withChecksum) payload.set([0, 0], 6);
      return ether(SRV_MAC, RS1_MAC, ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 17, id: 0, payload }));
    };
    const over6 = (port: number) => {
      const [src, dst] = ['fd00:1::1', 'fd00:1::21'];
      const datagram = bytes(u16(port), u16(6080), u16(8 + 4 + inner.length), 0, 0, gue(4, inner));
      return ether(
        SRV_MAC,
        RS1_MAC,
        ipv6({ src, dst, protocol: 17, payload: sealed6(src, dst, 17, 6, datagram) }),
        0x86dd,
      );
    };

    it('may be any local port, with the checksum that follows', () => {
      expect(masksOf(context(over4(40000), over4(50000), tunnel))).toEqual(['gue-port']);
      expect(masksOf(context(over4(40000, false), over4(50000, false), tunnel))).toEqual(['gue-port']);
      expect(masksOf(context(over6(32768), over6(60999), tunnel))).toEqual(['gue-port']);
      expect(masksOf(context(over4(40000), over4(40000), tunnel))).toEqual([]);
    });

    it('may not lie outside their range, nor be of another tunnel', () => {
      expect(masksOf(context(over4(40000), over4(32767), tunnel))).toBeUndefined();
      expect(masksOf(context(over4(61000), over4(40000), tunnel))).toBeUndefined();
      expect(masksOf(context(over4(40000), over4(50000)))).toBeUndefined();
    });

    it('does not cover a wrong checksum, nor a missing one', () => {
      const wrong = over4(50000);
      wrong[40]! ^= 1;
      expect(masksOf(context(over4(40000), wrong, tunnel))).toBeUndefined();
      expect(unmaskedDifference(context(over4(40000), wrong, tunnel))?.name).toBe('udp.checksum');
      expect(masksOf(context(over4(40000), over4(50000, false), tunnel))).toBeUndefined();
      expect(masksOf(context(over4(40000, false), over4(50000), tunnel))).toBeUndefined();
    });

    it('is one and the same for a flow', () => {
      const match = (theirs: number, ours: number, packet = inner) =>
        matchFrames(context(over4(theirs, true, packet), over4(ours, true, packet), tunnel))!.choices;
      const choices = new Choices();
      choices.keep(match(40000, 50000));
      expect(choices.conflict(match(40000, 50000))).toBeUndefined();
      expect(choices.conflict(match(40000, 50001))?.got).toBe('0xc351');
      expect(choices.conflict(match(40001, 50000))?.expected).toBe('0x9c41');
      const other = tcpFrame({ sport: 2, dport: 80 }).slice(14);
      expect(choices.conflict(match(40001, 50001, other))).toBeUndefined();
    });
  });

  describe('the identification of IPv6 fragments', () => {
    const piece = (id: number, offset: number, data = 1) => {
      const payload = fragment6(
        17,
        offset,
        offset === 0,
        id,
        bytes(u16(5000), u16(53), u16(24), u16(9), Array(8).fill(data)),
      );
      return ether(SRV_MAC, RS1_MAC, ipv6({ src: 'fd00::2', dst: 'fd00:1::21', protocol: 44, payload }), 0x86dd);
    };

    it('may be another one where the director cut the packet', () => {
      expect(masksOf(context(piece(7, 0), piece(8, 0), { offered: piece(1, 8) }))).toEqual(['fragment-id']);
      expect(masksOf(context(piece(7, 0), piece(8, 0, 2), { offered: piece(1, 8) }))).toBeUndefined();
    });

    it('may not where it came with the packet', () => {
      expect(masksOf(context(piece(7, 0), piece(8, 0), { offered: piece(8, 0) }))).toBeUndefined();
    });

    it('is one and the same for a packet', () => {
      const match = (theirs: number, ours: number, packet = 1) =>
        matchFrames(context(piece(theirs, 8), piece(ours, 8), { offered: piece(1, 8), packet }))!.choices;
      const choices = new Choices();
      choices.keep(match(7, 8));
      expect(choices.conflict(match(7, 8))).toBeUndefined();
      expect(choices.conflict(match(7, 9))).toBeDefined();
      expect(choices.conflict(match(6, 8))).toBeDefined();
      expect(choices.conflict(match(6, 9, 2))).toBeUndefined();
    });
  });

  it('masks the flow label of ICMPv6 that the director made, and of nothing else', () => {
    const exceeded = (flow: number, tclass = 0) => {
      const payload = icmp6('fd00::100', 'fd00::2', 3, 0, [0, 0, 0, 0], tcp6Frame({ sport: 1, dport: 80 }).slice(14));
      return ether(
        CLI_MAC,
        C0_MAC,
        ipv6({ src: 'fd00::100', dst: 'fd00::2', protocol: 58, flow, tclass, payload }),
        0x86dd,
      );
    };
    const made = { made: true } as const;
    expect(masksOf(context(exceeded(0xabcde), exceeded(0x12345), made))).toEqual(['flow-label']);
    expect(masksOf(context(exceeded(0xabcde), exceeded(0x12345)))).toBeUndefined();
    // The low bits of the traffic class share a byte with the label.
    expect(masksOf(context(exceeded(1, 1), exceeded(2, 0), made))).toBeUndefined();
    const [a, b] = [1, 2].map((flow) => tcp6Frame({ sport: 1, dport: 2, flow })) as [Uint8Array, Uint8Array];
    expect(masksOf(context(a, b, made))).toBeUndefined();
  });

  describe('the clock of timestamp options', () => {
    const at = Number((NOON / MS) % 86_400_000n);
    const stamped = (time: number, pointer = 9, flags = 0) =>
      tcpFrame({ sport: 1, dport: 2, ipOptions: [68, 12, pointer, flags, ...u32(time), ...u32(0)] });
    const addressed = (time: number, slot = '10.0.0.100') =>
      tcpFrame({ sport: 1, dport: 2, ipOptions: [68, 12, 13, 1, ...ip(slot), ...u32(time)] });

    it('may lie anywhere between arrival and departure', () => {
      expect(masksOf(context(stamped(at + 3), stamped(at)))).toEqual(['clock']);
      expect(masksOf(context(stamped(at + 5), stamped(at)))).toEqual(['clock']);
      expect(masksOf(context(stamped(at), stamped(at)))).toEqual([]);
      expect(masksOf(context(addressed(at + 1), addressed(at)))).toEqual(['clock']);
    });

    it('may stand at an odd place', () => {
      const odd = (time: number) =>
        tcpFrame({ sport: 1, dport: 2, ipOptions: [1, 68, 8, 9, 0, ...u32(time), 1, 1, 1] });
      expect(masksOf(context(odd(at + 3), odd(at)))).toEqual(['clock']);
    });

    it('may not lie outside, in either frame', () => {
      expect(masksOf(context(stamped(at + 6), stamped(at)))).toBeUndefined();
      expect(masksOf(context(stamped(at - 1), stamped(at)))).toBeUndefined();
      expect(masksOf(context(stamped(at), stamped(at + 6)))).toBeUndefined();
      expect(masksOf(context(stamped(at), stamped(at - 1)))).toBeUndefined();
    });

    it('covers written times alone: no address, no empty slot, no pointer', () => {
      expect(masksOf(context(addressed(at), addressed(at, '10.0.0.1')))).toBeUndefined();
      const like = (time: number) => u32(time).join('.');
      expect(masksOf(context(addressed(at, like(at + 1)), addressed(at, like(at))))).toBeUndefined();
      expect(masksOf(context(stamped(at + 1, 5), stamped(at, 5)))).toBeUndefined();
      expect(masksOf(context(stamped(at, 13), stamped(at, 9)))).toBeUndefined();
    });

    it('wants right checksums', () => {
      const wrong = stamped(at);
      wrong[24]! ^= 1;
      expect(masksOf(context(stamped(at + 1), wrong))).toBeUndefined();
    });

    it('goes over midnight', () => {
      const midnight = 20_000n * 86_400_000n * MS;
      const around = { arrival: midnight - 2n * MS, departure: midnight + 2n * MS };
      expect(masksOf(context(stamped(1), stamped(86_399_998), around))).toEqual(['clock']);
      expect(masksOf(context(stamped(3), stamped(86_399_998), around))).toBeUndefined();
    });

    it('counts in the packet within a tunnel, too', () => {
      const wrap = (time: number) => outer(0, 0x4000, stamped(time).slice(14));
      expect(masksOf(context(wrap(at + 1), wrap(at)))).toEqual(['clock']);
    });

    const about = (quoted: Uint8Array) => {
      const payload = icmp(11, 0, [0, 0, 0, 0], quoted);
      return ether(CLI_MAC, C0_MAC, ipv4({ src: '10.0.0.100', dst: '10.0.0.2', protocol: 1, payload }));
    };

    it('counts in what an answer quotes, which keeps its checksum', () => {
      const quoting = (time: number, length?: number) => {
        const quoted = stamped(at).slice(14);
        quoted.set(u32(time), 24);
        return about(quoted.subarray(0, length));
      };
      expect(masksOf(context(quoting(at + 1), quoting(at), { made: true }))).toEqual(['clock']);
      expect(masksOf(context(quoting(at + 9), quoting(at), { made: true }))).toBeUndefined();
      expect(masksOf(context(quoting(at + 1), quoting(at), { made: false }))).toBeUndefined();
      // Of the option there may be no more than that.
      expect(masksOf(context(quoting(at + 1, 28), quoting(at, 28), { made: true }))).toEqual(['clock']);
      expect(masksOf(context(quoting(at, 27), quoting(at, 27), { made: true }))).toEqual([]);
    });

    it('counts in a quoted datagram, whose checksum was set right when it was put together', () => {
      const quoting = (time: number) => about(stamped(time).slice(14));
      expect(masksOf(context(quoting(at + 1), quoting(at), { made: true }))).toEqual(['clock']);
      expect(masksOf(context(quoting(at + 9), quoting(at), { made: true }))).toBeUndefined();
    });
  });

  it('sees through a VLAN tag', () => {
    const tag = (frame: Uint8Array) => Uint8Array.from([...frame.slice(0, 12), 0x81, 0, ...u16(5), ...frame.slice(12)]);
    expect(masksOf(context(tag(error(7)), tag(error(8)), { made: true }))).toEqual(['icmp-id']);
  });
});

describe('unmaskedDifference', () => {
  it('leaves masked values aside', () => {
    const difference = unmaskedDifference(context(error(7, 63), error(8, 64), { made: true }));
    expect(difference).toMatchObject({ name: 'ip.ttl', expected: '63', got: '64' });
  });
});
