/** Whatever is cut, and put together, is the same datagram. */
import fc from 'fast-check';
import { beforeEach, expect } from 'vitest';
import { counting, fixIpv4, hex, ipv4, ipv6, toHex } from '../support/packets.js';
import { PieceLab } from '../support/pieces.js';
import { properties } from '../support/property.js';

import { ENDS4, ENDS6, fragments, lengths, packet4, UDP } from './cut-packets.js';

const property = properties(import.meta.url);

let lab: PieceLab;
beforeEach(() => {
  lab = new PieceLab();
});

const OPTIONS = fc.constantFrom('', '01010101', '8303040144080500000000 00', '0707040102030401');
const shuffled = fc.record({
  length: fc.integer({ min: 1, max: 4000 }),
  options: OPTIONS.map(hex),
  mtu: fc.integer({ min: 68, max: 1500 }),
  order: fc.infiniteStream(fc.nat()),
  again: fc.infiniteStream(fc.nat(3)),
});

/** The pieces in another order, some of them again before the last one. */
function stir(pieces: readonly Uint8Array[], order: Iterator<number>, again: Iterator<number>): Uint8Array[] {
  const left = [...pieces];
  const stirred: Uint8Array[] = [];
  while (left.length > 0) {
    const [next] = left.splice((order.next().value as number) % left.length, 1);
    stirred.push(next as Uint8Array);
    if (left.length > 0 && again.next().value === 0) stirred.push(next as Uint8Array);
  }
  return stirred;
}

property(
  'what is cut is put together again, in any order, with duplicates',
  fc.property(shuffled, fc.boolean(), ({ length, options, mtu, order, again }, v6) => {
    const packet = v6
      ? ipv6({ ...ENDS6, protocol: UDP, trafficClass: 0xb8 }, counting(length))
      : packet4(20 + options.length + length, { options, tos: 0xb8 });
    const limit = v6 ? Math.max(mtu, 64) : mtu;
    const { frames } = lab.send(packet, limit);
    for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(limit);
    if (packet.length <= limit) {
      expect(frames.map(toHex)).toEqual([toHex(packet)]);
      return;
    }
    const taken = stir(frames, order, again).map((frame) => lab.receive(frame));
    const last = taken.pop();
    expect(last && 'whole' in last ? toHex(last.whole) : last).toBe(toHex(packet));
    const reasons = new Set(taken.map((each) => ('reason' in each ? each.reason : 'whole')));
    for (const reason of reasons) expect(['fragment-held', 'fragment-duplicate']).toContain(reason);
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
  }),
);

property(
  'what came in fragments and is cut again is the same datagram, and nothing is longer than the way allows',
  fc.property(
    fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 1200 }),
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: 1280, max: 1500 }),
    fc.boolean(),
    (eights, last, extra, mtu, v6) => {
      const given = [...eights.map((n) => n * 8), last];
      const datagram = lab.gather(fragments(v6, given));
      const longest = Math.max(...given) + (v6 ? 48 : 20);
      // An outer header, and up to 24 bytes more before the datagram.
      const size = extra === 0 ? 0 : (v6 ? 40 : 20) + (extra - 1) * 12;
      const rest = new Uint8Array(Math.max(0, size - (v6 ? 40 : 20) + datagram.length));
      const outer = (v6 ? ipv6({ ...ENDS6, protocol: 47 }, rest) : ipv4({ ...ENDS4, protocol: 47 }, rest)).slice(
        0,
        size,
      );
      const { frames } = lab.forward(mtu, { outer });
      const limit = v6 ? Math.max(longest, 1280) : longest;
      for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(Math.min(mtu, limit));
      if (size === 0 && (!v6 || datagram.length > longest)) {
        expect(lengths(frames)).toEqual(given.map((length) => length + (v6 ? 48 : 20)));
      }
      const again = frames.length === 1 ? (frames[0] as Uint8Array) : lab.gather(frames);
      expect(toHex(again.slice(-datagram.length))).toBe(toHex(datagram));
      if (!v6) expect(toHex(again)).toBe(toHex(fixIpv4(again.slice())));
    },
  ),
);
