import { describe, expect, it } from 'vitest';
import { destinationHash, destinationHashBucket, parseAddress, parseAnyAddress } from '../../../src/reference/index.js';
import { dest, keyOf } from './support.js';

describe('dh', () => {
  it('hashes as the kernel does', () => {
    const addresses = ['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'].map(parseAddress);
    expect(addresses.map(destinationHashBucket)).toEqual([137, 235, 50, 57]);
    expect(['2001:db8::1', 'fd00::a00:2'].map(parseAnyAddress).map(destinationHashBucket)).toEqual([63, 68]);
  });

  it('fills the buckets in list order, whatever the weights', () => {
    const list = [dest('A', 9), dest('B'), dest('C')];
    const pick = (text: string) => destinationHash(list, keyOf({ destinationAddress: parseAddress(text) }))?.name;
    // Buckets 137, 235, 50 and 57 modulo 3.
    expect(['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'].map(pick).join('')).toBe('CBCA');
  });

  it('does not look at the source', () => {
    const list = [dest('A'), dest('B'), dest('C')];
    const sources = [1, 2, 3, 4, 5].map((sourceAddress) => destinationHash(list, keyOf({ sourceAddress })));
    expect(new Set(sources).size).toBe(1);
  });

  it('has none for an unusable dest', () => {
    const key = keyOf({ destinationAddress: parseAddress('10.0.0.2') });
    expect(destinationHash([dest('A'), dest('B'), dest('C', 0)], key)).toBeUndefined();
    expect(destinationHash([dest('A'), dest('B'), { ...dest('C'), overloaded: true }], key)).toBeUndefined();
    expect(destinationHash([], key)).toBeUndefined();
  });
});
