import { describe, expect, it } from 'vitest';
import { PathMtus } from '../../src/reference/path-mtu.js';

const HALF = 300_000;
const ALL = 600_000;

function learnt(...said: [mtu: number, now: number][]): PathMtus {
  const paths = new PathMtus();
  for (const [mtu, now] of said) paths.learn(1, mtu, 1500, now);
  return paths;
}

describe('the MTU of a path', () => {
  it('is what was said last, for its address alone', () => {
    expect(learnt([1400, 0], [1300, 1]).get(1, 1)?.mtu).toBe(1300);
    expect(learnt([1400, 0]).get(2, 0)).toBeUndefined();
  });

  it('never grows', () => {
    expect(learnt([1300, 0], [1400, 1]).get(1, 1)?.mtu).toBe(1300);
    expect(learnt([1501, 0]).get(1, 0)).toBeUndefined();
    expect(learnt([1500, 0]).get(1, 0)?.mtu).toBe(1500);
  });

  it('is forgotten after ten minutes', () => {
    const paths = learnt([1300, 0]);
    expect(paths.get(1, ALL - 1)?.mtu).toBe(1300);
    expect(paths.get(1, ALL)).toBeUndefined();
  });

  it('said again lasts longer, but not within the first half of its time', () => {
    expect(learnt([1300, 0], [1300, HALF - 1]).get(1, ALL)).toBeUndefined();
    expect(learnt([1300, 0], [1300, HALF]).get(1, ALL)?.mtu).toBe(1300);
  });

  it('below 552 is 552, and fixed', () => {
    expect(learnt([552, 0], [600, 0]).get(1, 0)).toMatchObject({ mtu: 552, fixed: false });
    expect(learnt([0, 0], [560, 1], [400, 2]).get(1, ALL - 1)).toMatchObject({ mtu: 552, fixed: true, expiresAt: ALL });
    const small = new PathMtus();
    small.learn(1, 100, 500, 0);
    expect(small.get(1, 0)?.mtu).toBe(500);
  });

  it('changes for who holds it already', () => {
    const paths = learnt([1400, 0]);
    const held = paths.get(1, 0);
    paths.learn(1, 1300, 1500, 1);
    expect(held?.mtu).toBe(1300);
  });
});
