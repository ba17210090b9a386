/** The modes that only the library and the reference know, and CRC32c: everybody does what is measured. */
import { describe, expect, it } from 'vitest';
import { BUFFERS, crcLoops, layPackets } from '../../bench/contenders/crc32c.js';
import { establishedDirector } from '../../bench/contenders/director.js';
import { ours, reference } from '../../bench/contenders/path.js';
import { type AnyMode, frameOf, makeFrames } from '../../bench/scenario.js';
import { layOut, writePlan } from '../../src/plan.js';
import { innerCore, memoryFor, SMALL_PLAN } from '../support/core.js';
import { crc32c } from '../support/sctp.js';

const MODES: AnyMode[] = [
  'nat6-in',
  'nat6-out',
  'fullnat-in',
  'fullnat-out',
  'fullnat-toa',
  'nat64-in',
  'nat64-out',
  'snat-in',
  'snat-out',
  'gre-encap',
  'gre-csum-encap',
  'gue-encap',
  'gue-csum-encap',
  'icmp-in',
  'icmp-out',
];

describe.each(MODES)('%s', (mode) => {
  it.each([
    ['the library', ours],
    ['the reference', (...args: Parameters<typeof reference>) => ({ core: reference(...args) })],
  ] as const)('%s does it with every packet', (_, make) => {
    const scenario = { mode, connections: 50 };
    // A packet that gets anything else makes the measurement throw.
    const contender = make(scenario, makeFrames(scenario)).core(32);
    expect(() => contender.measure(0.02)).not.toThrow();
  });
});

it('fullnat-toa has TOA in each packet', () => {
  const { director } = establishedDirector({ mode: 'fullnat-toa', connections: 50 }, 1 << 16);
  director.burst.reset();
  const frames = Array.from({ length: 50 }, (_, n) => frameOf('fullnat-toa', n, { payload: 10 }).frame);
  const grown = frames.map((frame) => (director.send(frame, 'cli', 0)[0]?.frame.length ?? 0) - frame.length);
  expect(grown).toEqual(frames.map(() => 8));
});

describe('CRC32c', () => {
  it.each([0, 1, 7, 8, 64, 1501])('of %i bytes is the same for all', (length) => {
    const memory = memoryFor('release');
    const plan = layOut(SMALL_PLAN);
    writePlan(new DataView(memory.buffer), plan);
    const packets = layPackets(memory.buffer, plan.arena.base, length);
    const expected = packets.bytes.reduce((all, bytes) => all ^ crc32c(bytes), 0);
    expect(packets.bytes).toHaveLength(BUFFERS);
    for (const { name, run } of crcLoops(innerCore(memory).call, packets)) expect(run(), name).toBe(expected);
  });
});
