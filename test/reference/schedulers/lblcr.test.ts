import { describe, expect, it } from 'vitest';
import { ReplicatedLeastConnections } from '../../../src/reference/index.js';
import { dest, keyOf, type Named } from './support.js';

const DAY = 86_400_000;

/** lblcr over a list, and the name of what it picks for an address. */
function over(list: Named[]) {
  const lblcr = new ReplicatedLeastConnections<Named>(() => DAY);
  lblcr.advance(0);
  const pick = (destinationAddress: number, now = 0) => lblcr.pick(list, keyOf({ destinationAddress, now }))?.name;
  return { lblcr, pick };
}

/** A and B serve address 1 since `now`. */
function served(list: Named[], a: Named, b: Named, now = 0) {
  const made = over(list);
  Object.assign(b, { activeConnections: 99 });
  expect(made.pick(1, now)).toBe('A');
  Object.assign(a, { activeConnections: 99 });
  Object.assign(b, { activeConnections: 0 });
  expect(made.pick(1, now)).toBe('B');
  return made;
}

describe('lblcr', () => {
  it('stays with the dest of an address while that is not too busy', () => {
    const [a, b] = [dest('A', 4), dest('B', 4, 1)];
    const { pick } = over([a, b]);
    expect(pick(1)).toBe('A');
    Object.assign(a, { activeConnections: 4, inactiveConnections: 999 });
    b.activeConnections = 0;
    expect(pick(1)).toBe('A');
    expect(pick(2)).toBe('B');
  });

  it('another one joins when it is, and from then on the less busy of both serves the address', () => {
    const [a, b, c] = [dest('A'), dest('B'), dest('C', 1, 50)];
    const { pick } = served([a, b, c], a, b);
    Object.assign(a, { activeConnections: 1 });
    Object.assign(b, { activeConnections: 1, inactiveConnections: 1 });
    expect(pick(1)).toBe('A');
    Object.assign(c, { activeConnections: 0 });
    expect(pick(1)).toBe('A');
  });

  it('of equal ones the newest', () => {
    const [a, b] = [dest('A'), dest('B')];
    const { pick } = served([a, b], a, b);
    Object.assign(a, { activeConnections: 0 });
    expect(pick(1)).toBe('B');
    expect(pick(2)).toBe('A');
  });

  it('does not see members of weight 0, overloaded or deleted ones', () => {
    for (const change of [{ weight: 0 }, { overloaded: true }, { available: false }]) {
      const [a, b] = [dest('A'), dest('B')];
      const { pick } = served([a, b], a, b);
      Object.assign(a, { activeConnections: 1 });
      Object.assign(b, change);
      expect(pick(1)).toBe('A');
    }
  });

  it('one member is not a choice: when it is gone another one joins', () => {
    const [a, b] = [dest('A'), dest('B')];
    const list = [a, b];
    const { lblcr, pick } = over(list);
    expect(pick(1)).toBe('A');
    a.available = false;
    list.shift();
    expect(pick(1)).toBe('B');
    // A comes back: it still is a member, the older one.
    Object.assign(a, { available: true });
    list.unshift(a);
    expect(lblcr.refersTo(a)).toBe(true);
    expect(pick(1)).toBe('B');
    b.activeConnections = 1;
    expect(pick(1)).toBe('A');
  });

  it('has none when none is usable', () => {
    expect(over([dest('A', 0), { ...dest('B'), overloaded: true }]).pick(1)).toBeUndefined();
    expect(over([]).pick(1)).toBeUndefined();
  });

  it('a day after the last change the busiest member for its weight leaves', () => {
    const [a, b] = [dest('A'), dest('B')];
    const { lblcr, pick } = served([a, b], a, b, 1000);
    Object.assign(a, { activeConnections: 1 });
    expect(pick(1, 1000 + DAY)).toBe('B');
    expect(lblcr.refersTo(a)).toBe(true);
    expect(pick(1, 1001 + DAY)).toBe('B');
    expect(lblcr.refersTo(a)).toBe(false);
    expect(lblcr.refersTo(b)).toBe(true);
  });

  it('the one that leaves may be the one that was just chosen', () => {
    const [a, b] = [dest('A'), dest('B')];
    const { lblcr, pick } = served([a, b], a, b);
    Object.assign(a, { activeConnections: 0 });
    // Both have nothing to do: the newest is both the least and the most busy.
    expect(pick(1, DAY + 1)).toBe('B');
    expect(lblcr.refersTo(b)).toBe(false);
    expect(pick(1, DAY + 1)).toBe('A');
  });

  it('a deleted member leaves like any other, one of weight 0 never, and the last stays', () => {
    const [a, b, c] = [dest('A'), dest('B'), dest('C', 1, 100)];
    const list = [a, b, c];
    const { lblcr, pick } = served(list, a, b);
    list.shift();
    Object.assign(a, { available: false, activeConnections: 0 });
    Object.assign(b, { weight: 0, activeConnections: 99 });
    const members = () => [a, b, c].filter((each) => lblcr.refersTo(each)).map((each) => each.name);
    expect(pick(1, DAY)).toBe('C');
    expect(members()).toEqual(['A', 'B', 'C']);
    // C changed them; it is the busiest of those with a weight.
    expect(pick(1, 2 * DAY + 1)).toBe('C');
    expect(members()).toEqual(['A', 'B']);
    expect(pick(1, 2 * DAY + 1)).toBe('C');
    list.pop();
    c.available = false;
    for (const days of [3, 4, 5]) expect(pick(1, days * DAY + 2)).toBeUndefined();
    expect(members()).toEqual(['B']);
  });

  it('what is not used for a day is forgotten', () => {
    const [a, b] = [dest('A'), dest('B')];
    const { lblcr } = served([a, b], a, b);
    lblcr.advance(DAY);
    expect([lblcr.refersTo(a), lblcr.refersTo(b)]).toEqual([false, false]);
  });
});
