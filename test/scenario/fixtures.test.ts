import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reportText } from '../../src/cli/verify.js';
import { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { ReplayTarget } from '../../src/scenario/replay.js';
import { type MakeTarget, verifyScenario } from '../../src/scenario/verify.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/kernel/', import.meta.url));
const names = readdirSync(FIXTURES).filter((name) => !name.includes('.'));

/** Frames that the kernel sent, all of which are matched, and how many need which mask. */
const COUNTS: Readonly<Record<string, { frames: number; masked: Record<string, number> }>> = {
  'dr-tcp': { frames: 46, masked: {} },
  'dr-udp': { frames: 18, masked: { 'icmp-id': 2 } },
  'nat-ipopt': { frames: 21, masked: {} },
  'nat-tcp': { frames: 98, masked: {} },
  'nat-ttl': { frames: 24, masked: { 'icmp-id': 8 } },
  'nat-udp': { frames: 36, masked: {} },
  'sched-rr': { frames: 142, masked: { 'icmp-id': 4 } },
  'sched-sh': { frames: 142, masked: { 'icmp-id': 10 } },
  'sched-sh-fallback': { frames: 142, masked: { 'icmp-id': 4 } },
  'sched-sh-port': { frames: 142, masked: { 'icmp-id': 9 } },
  'sched-wlc': { frames: 142, masked: { 'icmp-id': 4 } },
  'sched-wrr': { frames: 142, masked: { 'icmp-id': 4 } },
  'tun-ipip': { frames: 29, masked: { 'icmp-id': 3 } },
  'tun-ipip-fields': { frames: 39, masked: { 'icmp-id': 1, 'outer-id': 13 } },
};

/** What the scenarios do not use is not there. */
const missing = (): never => {
  throw new Error('not used by any scenario');
};

const reference: MakeTarget = (network): ReplayTarget =>
  Object.assign(new ReferenceDirector({ network, ipId: 0x1234 }), { clear: missing });

const core: MakeTarget = (network) => Director.create({ network, seed: 1n });

const directors: Record<string, MakeTarget> = { core, reference };

it('every scenario has its counts', () => {
  expect(names.sort()).toEqual(Object.keys(COUNTS));
});

describe.each(Object.entries(directors))('the %s on what the kernel did', (_, makeTarget) => {
  it.each(names)('%s', async (name) => {
    const result = await verifyScenario(FIXTURES + name, makeTarget);
    expect(result.passed, reportText(result)).toBe(true);
    const { frames, masked } = COUNTS[name]!;
    // The host had no part in any of them: all of it is IPVS.
    expect(result).toMatchObject({ matched: frames, expected: frames, host: [], differenceCount: 0 });
    expect(result.masked).toEqual(masked);
  });
});

describe('a damaged copy of what the kernel sent', () => {
  /** Where the captured bytes of a pcap are. */
  const framesOf = (file: Buffer): { start: number; length: number }[] => {
    const frames: { start: number; length: number }[] = [];
    for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) {
      frames.push({ start: at + 16, length: file.readUInt32LE(at + 8) });
    }
    return frames;
  };

  it('fails for any one bit, and names the frame', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipvs-damaged-'));
    const outputs = ['nat-ttl', 'nat-ipopt', 'tun-ipip-fields', 'dr-udp'].flatMap((name) =>
      ['cli-out', 'srv-out'].map((capture) => ({ name, capture })),
    );
    for (const { name } of outputs) cpSync(FIXTURES + name, join(folder, name), { recursive: true });
    const leftOut: Record<string, number[]> = {};
    for (const { name, capture } of outputs) {
      const { leftOut: rules } = await verifyScenario(FIXTURES + name, reference);
      leftOut[`${name}/${capture}`] = rules.filter((rule) => rule.capture === capture).flatMap(({ frames }) => frames);
    }
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...outputs),
          fc.nat(),
          fc.nat(),
          fc.nat(7),
          async (output, pick, where, bit) => {
            const { name, capture } = output;
            const path = join(folder, name, `${capture}.pcap`);
            const file = readFileSync(path);
            const frames = framesOf(file).map((frame, i) => ({ ...frame, number: i + 1 }));
            const compared = frames.filter(({ number }) => !leftOut[`${name}/${capture}`]!.includes(number));
            const { start, length, number } = compared[pick % compared.length]!;
            const damaged = Buffer.from(file);
            damaged[start + (where % length)]! ^= 1 << bit;
            writeFileSync(path, damaged);
            try {
              const result = await verifyScenario(join(folder, name), reference);
              expect(result.passed).toBe(false);
              expect(result.differences).toMatchObject([{ kind: 'field', capture, frame: number }]);
            } finally {
              writeFileSync(path, file);
            }
          },
        ),
        { numRuns: 200 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});
