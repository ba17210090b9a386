/** Keys chosen so that they meet in few buckets under a known hash cost no more than others: the hash has a key. */
import { expect, it } from 'vitest';
import {
  BUCKET_OVER,
  BUCKET_SIZE,
  SB_INDEX,
  SB_INDEX_BUCKETS,
  SB_KEY0,
  SB_KEY1,
  SUPERBLOCK,
} from '../../src/abi/memory.js';
import { Random } from '../kernel-lab/random.js';
import { createDirector, innerCore, SMALL_PLAN } from '../support/core.js';
import { fromClient, lab, request, SERVERS } from '../support/lab.js';

const SEED = 20_261_128;
const BUCKETS = 2048;
/** As many entries as a full table has, and one of so many buckets that they are to meet in. */
const [ENTRIES, SHARE] = [BUCKETS * 4, 64];
const INDEX = 0x8000;

const { call, bytes, view } = innerCore();

function setKey(key0: bigint, key1: bigint): void {
  view.setBigUint64(SUPERBLOCK + SB_KEY0, key0, true);
  view.setBigUint64(SUPERBLOCK + SB_KEY1, key1, true);
}

interface Key {
  readonly source: number;
  readonly ports: number;
}

const hashOf = ({ source, ports }: Key): bigint => BigInt.asUintN(64, call.hash(source, 0x6400_000a, ports, 6));

/** Keys for which `wants` holds, of the random ones. */
function keys(random: Random, wants: (key: Key) => boolean): Key[] {
  const found: Key[] = [];
  while (found.length < ENTRIES) {
    const key = { source: random.word(), ports: random.below(0x1_0000) | (0x5000 << 16) };
    if (wants(key)) found.push(key);
  }
  return found;
}

/** Buckets looked at when each is looked up once, the most for one, and the most that went past a bucket. */
function cost(all: readonly Key[]): { sum: number; most: number; past: number } {
  view.setUint32(SUPERBLOCK + SB_INDEX, INDEX, true);
  view.setUint32(SUPERBLOCK + SB_INDEX_BUCKETS, BUCKETS, true);
  bytes.fill(0, INDEX, INDEX + BUCKETS * BUCKET_SIZE);
  for (const [i, key] of all.entries()) call.insertEntry(hashOf(key), (i + 1) * 64);
  const probes = all.map((key, i) => call.findEntry(hashOf(key), (i + 1) * 64));
  const over = Array.from({ length: BUCKETS }, (_, i) => view.getUint32(INDEX + i * BUCKET_SIZE + BUCKET_OVER, true));
  return { sum: probes.reduce((sum, each) => sum + each, 0), most: Math.max(...probes), past: Math.max(...over) };
}

it(`seed ${SEED}: probes of chosen keys are those of random ones under a key, and many more without`, () => {
  const random = new Random(SEED);
  setKey(0n, 0n);
  const isFirst = (key: Key): boolean => ((hashOf(key) >> 32n) * BigInt(SHARE)) >> 32n === 0n;
  const chosen = keys(random, isFirst);
  const others = keys(random, () => true);
  expect(cost(chosen).sum).toBeGreaterThan(20 * cost(others).sum);

  for (const key of [1n, 0x0706_0504_0302_0100n, 0xffff_ffff_ffff_ffffn]) {
    setKey(key, key * 3n);
    const [attack, normal] = [cost(chosen), cost(others)];
    expect(attack.sum).toBeLessThanOrEqual(1.5 * normal.sum);
    expect(attack.most).toBeLessThanOrEqual(normal.most + 3);
    expect(attack.past).toBeLessThanOrEqual(normal.past + 8);
  }
});

it('directors have keys of their own unless a seed is given', () => {
  const keyOf = (seed?: bigint): bigint => {
    const memory = new WebAssembly.Memory({ initial: 24, maximum: 24 });
    const options = { plan: SMALL_PLAN, memory, ...(seed !== undefined && { seed }) };
    // A director for tests has a seed of its own.
    const made = createDirector('release', { ...options, seed: seed as bigint });
    made.close();
    return new DataView(memory.buffer).getBigUint64(SUPERBLOCK + SB_KEY0, true);
  };
  expect(keyOf(7n)).toBe(keyOf(7n));
  expect(keyOf()).not.toBe(keyOf());
  expect(keyOf()).not.toBe(0n);
});

it('the key is no part of what a packet meets: the same packets, other seeds, the same picks', () => {
  const picks = [1n, 2n].map((seed) => {
    const director = lab(
      SERVERS.map((address) => ({ address, method: 'nat' as const })),
      { seed },
    );
    return Array.from({ length: 9 }, (_, i) => {
      const [outcome] = director.send(fromClient(request('tcp', { sport: 1000 + i })), 'cli', 0);
      return outcome?.connection?.destAddress;
    });
  });
  expect(picks[0]).toEqual(picks[1]);
});
