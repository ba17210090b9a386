import { describe, expect, it } from 'vitest';
import {
  parseAddress,
  RoundRobin,
  type SchedulerDest,
  sourceHash,
  sourceHashBucket,
  sourceHashTable,
  WeightedRoundRobin,
  weightedLeastConnections,
} from '../../src/reference/index.js';

interface Named extends SchedulerDest {
  name: string;
}

function dest(name: string, weight = 1, active = 0, inactive = 0): Named {
  return { name, weight, overloaded: false, activeConnections: active, inactiveConnections: inactive };
}

/** `count` picks in a row, `-` for none. */
function picks(count: number, pick: () => Named | undefined): string {
  return Array.from({ length: count }, () => pick()?.name ?? '-').join('');
}

describe('rr', () => {
  it('begins at the head and goes round', () => {
    const list = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(7, () => rr.pick(list))).toBe('CBACBAC');
  });

  it('skips what is unusable, and picks the last one again when only that is left', () => {
    const list = [dest('C', 0), { ...dest('B'), overloaded: true }, dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(3, () => rr.pick(list))).toBe('AAA');
    list[2]!.weight = 0;
    expect(picks(2, () => rr.pick(list))).toBe('--');
  });

  it('goes on in front of a deleted last pick', () => {
    const [c, b, a] = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(2, () => rr.pick([c, b, a]))).toBe('CB');
    rr.deleted([c, b, a], b);
    expect(picks(3, () => rr.pick([c, a]))).toBe('ACA');
  });

  it('begins anew when the last pick was the head and is deleted', () => {
    const [b, a] = [dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(1, () => rr.pick([b, a]))).toBe('B');
    rr.deleted([b, a], b);
    expect(picks(1, () => rr.pick([a]))).toBe('A');
  });

  it('does not mind a new head', () => {
    const [c, b, a] = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(1, () => rr.pick([b, a]))).toBe('B');
    expect(picks(3, () => rr.pick([c, b, a]))).toBe('ACB');
  });
});

describe('wrr', () => {
  const [a, b, c] = [dest('A', 4), dest('B', 3), dest('C', 2)];

  it('picks as documented when the level begins at the top', () => {
    const wrr = new WeightedRoundRobin([a, b, c]);
    expect(picks(18, () => wrr.pick([a, b, c]))).toBe('AABABCABCAABABCABC');
  });

  it('begins at the lowest level when the dests come one by one', () => {
    const wrr = new WeightedRoundRobin<Named>();
    const list: Named[] = [];
    for (const each of [a, b, c]) {
      list.unshift(each);
      wrr.changed(list);
    }
    expect(picks(21, () => wrr.pick(list))).toBe('CBA' + 'ABACBACBA' + 'ABACBACBA');
  });

  it('goes down in steps of the greatest common divisor', () => {
    const [x, y] = [dest('X', 6), dest('Y', 4)];
    const wrr = new WeightedRoundRobin([x, y]);
    expect(picks(10, () => wrr.pick([x, y]))).toBe('XXYXYXXYXY');
  });

  it('keeps the level on a change when it still fits, on the grid of the new step', () => {
    const [x, y] = [dest('X', 6), dest('Y', 2)];
    const wrr = new WeightedRoundRobin([x, y]);
    // Top 5, step 2. Two picks of X at levels 5 and 3.
    expect(picks(2, () => wrr.pick([x, y]))).toBe('XX');
    y.weight = 3;
    wrr.changed([x, y]);
    // Step 3, level 3 -> 4, from the head: X alone reaches it; then both at level 1.
    expect(picks(4, () => wrr.pick([x, y]))).toBe('XXYX');
  });

  it('begins at the top when the level no longer fits', () => {
    const [x, y] = [dest('X', 9), dest('Y', 1)];
    const wrr = new WeightedRoundRobin([x, y]);
    expect(picks(1, () => wrr.pick([x, y]))).toBe('X');
    x.weight = 2;
    wrr.changed([x, y]);
    expect(picks(4, () => wrr.pick([x, y]))).toBe('XXYX');
  });

  it('skips overloaded dests, and none is left when all are', () => {
    const list = [dest('X', 2), dest('Y', 1)];
    const wrr = new WeightedRoundRobin(list);
    list[0]!.overloaded = true;
    expect(picks(3, () => wrr.pick(list))).toBe('YYY');
    list[1]!.overloaded = true;
    expect(picks(2, () => wrr.pick(list))).toBe('--');
  });

  it('a vain walk that began above the lowest level ends at the head, at the top', () => {
    const list = [dest('X', 3), dest('Y', 3), dest('Z', 1)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(1, () => wrr.pick(list))).toBe('X');
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(2, () => wrr.pick(list))).toBe('XY');
  });

  it('a vain walk that began in the lowest level ends where it began', () => {
    const list = [dest('X', 2), dest('Y', 1), dest('Z', 1)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(2, () => wrr.pick(list))).toBe('XX');
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(2, () => wrr.pick(list))).toBe('YZ');
  });

  it('a vain walk that began at the head ends there, at the top', () => {
    const wrr = new WeightedRoundRobin<Named>();
    const list = [dest('X', 1)];
    wrr.changed(list);
    list.push(dest('Y', 3));
    wrr.changed(list);
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(4, () => wrr.pick(list))).toBe('YYXY');
  });

  it('has none when all weights are 0', () => {
    const list = [dest('X', 0)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(2, () => wrr.pick(list))).toBe('--');
    expect(picks(1, () => new WeightedRoundRobin<Named>().pick([]))).toBe('-');
  });

  it('a deletion sends it back to the head', () => {
    const [x, y, z] = [dest('X'), dest('Y'), dest('Z')];
    const wrr = new WeightedRoundRobin([x, y, z]);
    expect(picks(2, () => wrr.pick([x, y, z]))).toBe('XY');
    wrr.deleted([x, y, z], x);
    expect(picks(2, () => wrr.pick([y, z]))).toBe('YZ');
  });
});

describe('wlc', () => {
  it('takes the fewest connections for the weight', () => {
    expect(weightedLeastConnections([dest('A', 1, 2), dest('B', 3, 5)])?.name).toBe('B');
    expect(weightedLeastConnections([dest('A', 1, 2), dest('B', 3, 7)])?.name).toBe('A');
  });

  it('counts an active connection as 256 inactive ones', () => {
    expect(weightedLeastConnections([dest('A', 1, 1), dest('B', 1, 0, 255)])?.name).toBe('B');
    expect(weightedLeastConnections([dest('A', 1, 1), dest('B', 1, 0, 257)])?.name).toBe('A');
  });

  it('lets the first win ties', () => {
    expect(weightedLeastConnections([dest('A', 2, 2), dest('B', 1, 1)])?.name).toBe('A');
    expect(weightedLeastConnections([dest('A', 1, 0, 256), dest('B', 1, 1)])?.name).toBe('A');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B'), overloaded: true };
    expect(weightedLeastConnections([dest('A', 0), overloaded, dest('C', 1, 9)])?.name).toBe('C');
    expect(weightedLeastConnections([dest('C', 1, 9), overloaded, dest('A', 0)])?.name).toBe('C');
    expect(weightedLeastConnections([dest('A', 0), overloaded])).toBeUndefined();
  });

  it('compares exactly', () => {
    const many = 2 ** 31;
    expect(weightedLeastConnections([dest('A', 65535, many), dest('B', 65535, many, -1)])?.name).toBe('B');
  });
});

describe('sh', () => {
  const clients = ['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'].map(parseAddress);
  const key = (bucket: number) => {
    let sourceAddress = 1;
    while (sourceHashBucket(sourceAddress, 0) !== bucket) sourceAddress += 1;
    return { sourceAddress, sourcePort: 40000 };
  };

  it('hashes as the kernel does', () => {
    expect(clients.map((client) => sourceHashBucket(client, 0))).toEqual([137, 235, 50, 57]);
    expect(clients.map((client) => sourceHashBucket(client, 40000))).toEqual([45, 143, 214, 221]);
  });

  it('fills the buckets in list order, each dest as often as its weight', () => {
    const table = sourceHashTable([dest('A', 2), dest('B', 0), dest('C', 1)]);
    expect(table.length).toBe(256);
    expect(table.map((each) => each.name).join('')).toBe('AABC'.repeat(64));
    expect(sourceHashTable([])).toEqual([]);
    expect(new Set(sourceHashTable([dest('A', 65535), dest('B', 1)]).map((each) => each.name))).toEqual(new Set(['A']));
  });

  it('goes by the address, with sh-port by the port, too', () => {
    const list = [dest('A'), dest('B')];
    const client = { sourceAddress: clients[0]!, sourcePort: 40001 };
    expect(sourceHash(list, client, false, false)?.name).toBe('B');
    expect(sourceHash(list, client, true, false)?.name).toBe(
      sourceHashBucket(clients[0]!, 40001) % 2 === 0 ? 'A' : 'B',
    );
    const other = { ...client, sourcePort: 40000 };
    expect(sourceHash(list, other, true, false)?.name).toBe('B');
  });

  it('has none for an unusable dest, unless it falls back', () => {
    const list = [dest('A'), dest('B', 0), dest('C')];
    expect(sourceHash(list, key(1), false, false)).toBeUndefined();
    // First bucket 1 (B); then 1 + 1 (C).
    expect(sourceHash(list, key(1), false, true)?.name).toBe('C');
    const four = [dest('D'), dest('E'), dest('B', 0), dest('C')];
    // First bucket 2 (B); then 2 + 2 (D), not 2 + 1 (C).
    expect(sourceHash(four, key(2), false, true)?.name).toBe('D');
    expect(sourceHash([dest('A', 0)], key(4), false, true)).toBeUndefined();
    expect(sourceHash([], key(4), false, true)).toBeUndefined();
  });

  it('the offset goes round the table before it is added', () => {
    const list = [dest('A'), dest('B', 0)];
    // First bucket 255 (B); offset 255: bucket 254 (A).
    expect(sourceHash(list, key(255), false, true)?.name).toBe('A');
    const weighted = [dest('A', 255), dest('B', 1)];
    weighted[1]!.overloaded = true;
    expect(sourceHash(weighted, key(255), false, true)?.name).toBe('A');
  });
});
