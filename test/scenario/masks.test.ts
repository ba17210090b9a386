import { describe, expect, it } from 'vitest';
import { MASKS, type MaskContext, matchFrames, unmaskedDifference } from '../../src/scenario/masks.js';
import { MS } from './folder.js';
import { C0_MAC, CLI_MAC, ether, icmp, ip, ipv4, RS1_MAC, SRV_MAC, tcpFrame, u16, u32 } from './packets.js';

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
    expect(MASKS).toEqual(['icmp-id', 'outer-id', 'gue-port', 'fragment-id', 'flow-label', 'clock']);
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
    expect(masksOf(context(outer(7, 0x4000), outer(8, 0), tunnel))).toBeUndefined();
    const other = tcpFrame({ sport: 1, dport: 80, id: 6 }).slice(14);
    expect(masksOf(context(outer(7), outer(7, 0, other), tunnel))).toBeUndefined();
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
