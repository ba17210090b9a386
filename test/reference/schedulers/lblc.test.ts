import { describe, expect, it } from 'vitest';
import { LocalityLeastConnections } from '../../../src/reference/index.js';
import { dest, keyOf, type Named } from './support.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** lblc over a list, and the name of what it picks for an address. */
function over(list: Named[]) {
  const lblc = new LocalityLeastConnections<Named>(() => DAY);
  lblc.advance(0);
  const pick = (destinationAddress: number, now = 0) => lblc.pick(list, keyOf({ destinationAddress, now }))?.name;
  return { lblc, pick };
}

describe('lblc', () => {
  it('stays with the dest of an address, however many connections others have less', () => {
    const [a, b] = [dest('A'), dest('B', 1, 1)];
    const { pick } = over([a, b]);
    expect(pick(1)).toBe('A');
    Object.assign(a, { inactiveConnections: 9999, activeConnections: 1 });
    b.activeConnections = 0;
    expect(pick(1)).toBe('A');
    expect(pick(2)).toBe('B');
  });

  it('leaves one that has more active connections than its weight while another has less than half of its own', () => {
    const [a, b] = [dest('A', 4), dest('B', 4, 2)];
    const { pick } = over([a, b]);
    expect(pick(1)).toBe('A');
    a.activeConnections = 5;
    expect(pick(1)).toBe('A');
    b.activeConnections = 1;
    a.activeConnections = 4;
    expect(pick(1)).toBe('A');
    a.activeConnections = 5;
    expect(pick(1)).toBe('B');
    // That is remembered.
    Object.assign(a, { activeConnections: 0 });
    expect(pick(1)).toBe('B');
  });

  it('the other one may be any, the overloaded one, too; the choice may then fall on the same', () => {
    const [a, b] = [dest('A', 1), { ...dest('B', 1), overloaded: true }];
    const { pick } = over([a, b]);
    expect(pick(1)).toBe('A');
    a.activeConnections = 2;
    expect(pick(1)).toBe('A');
  });

  it('leaves one of weight 0, but not one at its threshold', () => {
    const [a, b] = [dest('A'), dest('B')];
    const { pick } = over([a, b]);
    expect(pick(1)).toBe('A');
    a.overloaded = true;
    expect(pick(1)).toBe('A');
    expect(pick(2)).toBe('B');
    a.weight = 0;
    expect(pick(1)).toBe('B');
  });

  it('remembers one that was deleted, and goes on with it when it is there again', () => {
    const [a, b] = [dest('A'), dest('B', 1, 1)];
    const list = [a, b];
    const { lblc, pick } = over(list);
    expect(pick(1)).toBe('A');
    a.available = false;
    list.shift();
    expect(lblc.refersTo(a)).toBe(true);
    Object.assign(a, { available: true, inactiveConnections: 9999 });
    list.unshift(a);
    expect(pick(1)).toBe('A');
  });

  it('forgets one that was deleted when it picks another, and not when there is none', () => {
    const [a, b] = [dest('A'), dest('B', 0)];
    const list = [a, b];
    const { lblc, pick } = over(list);
    expect(pick(1)).toBe('A');
    a.available = false;
    list.shift();
    expect(pick(1)).toBeUndefined();
    expect(lblc.refersTo(a)).toBe(true);
    b.weight = 1;
    expect(pick(1)).toBe('B');
    expect(lblc.refersTo(a)).toBe(false);
  });

  it('has none when none is usable', () => {
    expect(over([dest('A', 0), { ...dest('B'), overloaded: true }]).pick(1)).toBeUndefined();
    expect(over([]).pick(1)).toBeUndefined();
  });
});

describe('what lblc remembers', () => {
  const one = dest('A');

  it('is looked through every half hour, and goes when it was not used for a day', () => {
    const { lblc, pick } = over([one]);
    pick(1, MINUTE);
    // Round 1440, the 48th of those that count, comes a minute too early.
    lblc.advance(DAY);
    lblc.advance(DAY + 29 * MINUTE);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(DAY + 30 * MINUTE - 1);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(DAY + 30 * MINUTE);
    expect(lblc.refersTo(one)).toBe(false);
  });

  it('a use begins the day anew, and exactly a day is enough', () => {
    const { lblc, pick } = over([one]);
    pick(1, 0);
    pick(1, 30 * MINUTE);
    lblc.advance(DAY + 30 * MINUTE - 1);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(DAY + 30 * MINUTE);
    expect(lblc.refersTo(one)).toBe(false);
  });

  it('rounds that nobody saw are made up for', () => {
    const { lblc, pick } = over([one]);
    lblc.advance(1000 * DAY + 29 * MINUTE);
    pick(1, 1000 * DAY + 29 * MINUTE);
    lblc.advance(1001 * DAY + 30 * MINUTE - 1);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(1009 * DAY);
    expect(lblc.refersTo(one)).toBe(false);
  });

  it('the day is what the switch says', () => {
    let expiration = DAY;
    const lblc = new LocalityLeastConnections<Named>(() => expiration);
    lblc.advance(0);
    lblc.pick([one], keyOf({ now: 0 }));
    expiration = 10 * MINUTE;
    lblc.advance(29 * MINUTE);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(30 * MINUTE);
    expect(lblc.refersTo(one)).toBe(false);
  });

  it('rounds begin at the first time that is heard of', () => {
    const lblc = new LocalityLeastConnections<Named>(() => 0);
    lblc.advance(77_777);
    lblc.pick([one], keyOf({ now: 77_777 }));
    lblc.advance(77_777 + 30 * MINUTE - 1);
    expect(lblc.refersTo(one)).toBe(true);
    lblc.advance(77_777 + 30 * MINUTE);
    expect(lblc.refersTo(one)).toBe(false);
  });

  describe('of more than 16,384 addresses', () => {
    /** 16 addresses in each bucket, all used at 0, and `more` in buckets from `bucket` on; A serves all, idle since 0. */
    function full(more: number) {
      const list = [dest('A'), dest('B', 1, 1)];
      const made = over(list);
      for (let address = 0; address < 16_384 + more; address++) made.pick(address, 0);
      /** How many are left: those that A still serves while wlc would take B. */
      const left = (now: number) => {
        Object.assign(list[0]!, { activeConnections: 1 });
        Object.assign(list[1]!, { activeConnections: 0 });
        let count = 0;
        for (let address = 0; address < 16_384 + more; address++) if (made.pick(address, now) === 'A') count += 1;
        return count;
      };
      return { ...made, left };
    }

    it('idle ones go after six minutes, by the bucket, a third more than too many', () => {
      const { lblc, left } = full(30);
      lblc.advance(6 * MINUTE - 1);
      lblc.advance(6 * MINUTE);
      // 30 * 4 / 3 = 40, that is two buckets of 16 or 17, and all of the third.
      const gone = 16_414 - left(6 * MINUTE);
      expect(gone).toBeGreaterThanOrEqual(40);
      expect(gone).toBeLessThanOrEqual(40 + 17);
    });

    it('none goes before', () => {
      const { lblc, left } = full(30);
      lblc.advance(6 * MINUTE - 1);
      expect(left(6 * MINUTE - 1)).toBe(16_414);
    });

    it('none goes while there are no more than that', () => {
      const { lblc, left } = full(0);
      lblc.advance(20 * MINUTE);
      expect(left(20 * MINUTE)).toBe(16_384);
    });

    it('never more than half at once, but for the last bucket', () => {
      const { lblc, left } = full(16_384);
      lblc.advance(6 * MINUTE);
      const gone = 32_768 - left(6 * MINUTE);
      expect(gone).toBeGreaterThanOrEqual(8192);
      expect(gone).toBeLessThanOrEqual(8192 + 40);
    });
  });
});
