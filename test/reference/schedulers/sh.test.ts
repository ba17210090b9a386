import { describe, expect, it } from 'vitest';
import {
  parseAddress,
  parseAnyAddress,
  sourceHash,
  sourceHashBucket,
  sourceHashTable,
} from '../../../src/reference/index.js';
import { dest, keyOf } from './support.js';

describe('sh', () => {
  const clients = ['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'].map(parseAddress);
  const key = (bucket: number) => {
    let sourceAddress = 1;
    while (sourceHashBucket(sourceAddress, 0) !== bucket) sourceAddress += 1;
    return keyOf({ sourceAddress });
  };

  it('hashes as the kernel does', () => {
    expect(clients.map((client) => sourceHashBucket(client, 0))).toEqual([137, 235, 50, 57]);
    expect(clients.map((client) => sourceHashBucket(client, 40000))).toEqual([45, 143, 214, 221]);
  });

  it('folds the four words of an IPv6 address', () => {
    expect(['2001:db8::1', 'fd00::a00:2'].map((each) => sourceHashBucket(parseAnyAddress(each), 0))).toEqual([63, 68]);
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
    const client = keyOf({ sourceAddress: clients[0]!, sourcePort: 40001 });
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
