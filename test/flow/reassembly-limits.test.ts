/** What reassembly may hold, whatever fragments come in whatever order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counting, toHex } from '../support/packets.js';
import { PieceLab } from '../support/pieces.js';
import { properties } from '../support/property.js';
import { FragmentModel } from './fragment-model.js';

import { dropped, HELD, type Piece, piece, piece4, piece6 } from './pieces.js';

const property = properties(import.meta.url);

describe('limits', () => {
  it('datagrams: the newcomer is refused', () => {
    const small = new PieceLab({ datagrams: 3 });
    for (const id of [1, 2, 3]) expect(small.receive(piece4(piece(0, true, 16), { id }))).toEqual(HELD);
    expect(small.receive(piece4(piece(0, true, 16), { id: 4 }))).toEqual(dropped('fragment-limit'));
    expect(small.receive(piece6(piece(0, true, 16)))).toEqual(dropped('fragment-limit'));
    expect(small.receive(piece4(piece(16, false, 1), { id: 2 }))).toHaveProperty('whole');
    expect(small.receive(piece6(piece(0, true, 16)))).toEqual(HELD);
  });

  it('memory: the newcomer is refused, what is held stays', () => {
    const small = new PieceLab({ fragmentBytes: 4 * 512 });
    expect(small.receive(piece4(piece(0, true, 1400)))).toEqual(HELD);
    expect(small.held).toEqual({ datagrams: 1, blocks: 3 });
    expect(small.receive(piece4(piece(1400, false, 600)))).toEqual(dropped('fragment-limit'));
    expect(small.receive(piece4(piece(0, true, 600), { id: 2 }))).toEqual(dropped('fragment-limit'));
    expect(small.held).toEqual({ datagrams: 1, blocks: 3 });
    expect(small.receive(piece4(piece(1400, false, 400)))).toHaveProperty('whole');
    expect(small.held).toEqual({ datagrams: 0, blocks: 0 });
  });

  it('the arena: the datagram is dropped', () => {
    const small = new PieceLab({ arenaBytes: 1 << 16, fragmentBytes: 1 << 17 });
    const parts = Array.from({ length: 44 }, (_, i) => piece(i * 1480, i < 43, 1480)).map((part) => piece4(part));
    expect(parts.map((part) => small.receive(part)).at(-1)).toEqual(dropped('no-room'));
    expect(small.held).toEqual({ datagrams: 0, blocks: 0 });
  });
});

describe('an attacker’s order of fragments', () => {
  const count = 1500;
  const up = Array.from({ length: count }, (_, i) => i);
  it.each([
    ['up', up],
    ['down', up.toReversed()],
    ['from both ends', up.map((i) => (i % 2 ? count - i : i))],
    ['from the middle', up.map((i) => (count >> 1) + (i % 2 ? -(i >> 1) - 1 : i >> 1))],
  ])('%s: the tree stays flat', (_, order) => {
    const room = new PieceLab({ fragmentBytes: count * 512, arenaBytes: 1 << 16 });
    // With holes, so that each is a run.
    for (const i of order) expect(room.receive(piece4(piece(i * 24, true, 8)))).toEqual(HELD);
    // A random search tree of as many has some 24 levels.
    expect(room.depth).toBeLessThan(48);
    expect(room.held).toEqual({ datagrams: 1, blocks: count });
    room.now = 30_000;
    expect(room.held).toEqual({ datagrams: 0, blocks: 0 });
  });
});

// --- properties

interface Given extends Piece {
  v6: boolean;
  id: number;
}

const give = ({ v6, id, ...part }: Given): Uint8Array => (v6 ? piece6(part, { id }) : piece4(part, { id }));

const soup = fc.array(
  fc.record({
    v6: fc.boolean(),
    id: fc.integer({ min: 1, max: 3 }),
    at: fc.nat(12).map((units) => units * 8),
    more: fc.boolean(),
    // Mostly eights, so that something gets complete.
    length: fc.oneof(
      { arbitrary: fc.integer({ min: 1, max: 4 }).map((n) => n * 8), weight: 4 },
      { arbitrary: fc.nat(40), weight: 1 },
    ),
    fill: fc.nat(255),
    wait: fc.oneof({ arbitrary: fc.constant(0), weight: 9 }, { arbitrary: fc.nat(40_000), weight: 1 }),
  }),
  { maxLength: 60 },
);

property(
  'a soup of fragments is judged as the model has it, and nothing stays for ever',
  fc.property(soup, (given) => {
    const broth = new PieceLab();
    const model = new FragmentModel();
    let now = 0;
    for (const { length, fill, wait, ...rest } of given) {
      now += wait;
      broth.now = now;
      // Whose byte is where is seen: the fragments have different content.
      const fragment = { ...rest, payload: new Uint8Array(length).fill(fill) };
      const taken = broth.receive(give(fragment));
      const header = rest.v6 ? 40 : 20;
      const seen = 'whole' in taken ? toHex(taken.whole.slice(header)) : taken.reason;
      expect(seen).toBe(model.receive(fragment, now));
      expect(broth.held.datagrams).toBe(model.count);
    }
    broth.now = now + 60_000;
    expect(broth.held).toEqual({ datagrams: 0, blocks: 0 });
  }),
);

property(
  'memory is bounded, and comes back',
  fc.property(soup, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 }), (given, datagrams, blocks) => {
    const small = new PieceLab({ datagrams, fragmentBytes: blocks * 512 });
    let held = 0;
    for (const { length, wait: _, ...rest } of given) {
      const before = small.held;
      const taken = small.receive(give({ ...rest, payload: new Uint8Array(length) }));
      const after = small.held;
      expect(after.datagrams).toBeLessThanOrEqual(datagrams);
      expect(after.blocks).toBeLessThanOrEqual(blocks);
      if ('reason' in taken && taken.reason === 'fragment-limit') {
        expect(before.datagrams === datagrams || before.blocks === blocks).toBe(true);
        expect(after.blocks).toBe(before.blocks);
        // Only its own datagram may go with it: one of which no more than an empty end was seen.
        expect(before.datagrams - after.datagrams).toBeOneOf([0, 1]);
      }
      held = after.blocks;
    }
    small.now = 60_000;
    expect(small.held).toEqual({ datagrams: 0, blocks: 0 });
    // No payload here is longer than a block.
    expect(small.counter('fragment-timeout')).toBe(held);
  }),
);

const damage = fc.array(fc.tuple(fc.nat(79), fc.nat(255)), { maxLength: 4 });

property(
  'damaged fragments do no harm',
  fc.property(fc.array(fc.tuple(soup, damage), { maxLength: 4 }), (rounds) => {
    const broth = new PieceLab({ datagrams: 3, fragmentBytes: 5 * 512 });
    for (const [given, changes] of rounds) {
      for (const { length, wait: _, ...rest } of given) {
        const packet = give({ ...rest, payload: counting(length) });
        for (const [at, value] of changes) if (at < packet.length) packet[at] = value;
        // The lab looks at what is around the frame, and in tables of others.
        broth.receive(packet);
      }
    }
    broth.now = 60_000;
    expect(broth.held).toEqual({ datagrams: 0, blocks: 0 });
  }),
);
