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

/** Frames of IPVS, all of which are matched; how many need which mask; and frames of the host's own stack. */
const COUNTS: Readonly<Record<string, { frames: number; masked: Record<string, number>; host: number }>> = {
  'ah-esp': { frames: 3, masked: {}, host: 2 },
  bypass: { frames: 3, masked: {}, host: 0 },
  'dr-icmp': { frames: 11, masked: {}, host: 1 },
  'dr-tcp': { frames: 46, masked: {}, host: 0 },
  'dr-udp': { frames: 27, masked: { 'icmp-id': 2 }, host: 0 },
  dr6: { frames: 95, masked: { 'flow-label': 4, 'fragment-id': 6 }, host: 1 },
  editmode: { frames: 7, masked: {}, host: 2 },
  'ftp-nat': { frames: 46, masked: {}, host: 0 },
  'ftp-persist-21': { frames: 9, masked: {}, host: 0 },
  'load-lc': { frames: 200, masked: {}, host: 0 },
  'nat-edge': { frames: 22, masked: { 'icmp-id': 7 }, host: 13 },
  'nat-frag': { frames: 56, masked: { 'icmp-id': 1 }, host: 0 },
  'nat-icmp': { frames: 42, masked: {}, host: 3 },
  'nat-ipopt': { frames: 21, masked: {}, host: 0 },
  'nat-malformed': { frames: 21, masked: { 'icmp-id': 2 }, host: 1 },
  'nat-mtu': { frames: 21, masked: { 'icmp-id': 5 }, host: 0 },
  'nat-tcp': { frames: 98, masked: {}, host: 0 },
  'nat-ttl': { frames: 24, masked: { 'icmp-id': 8 }, host: 0 },
  'nat-udp': { frames: 36, masked: {}, host: 0 },
  nat6: { frames: 95, masked: { 'fragment-id': 5 }, host: 0 },
  'nat6-raw': { frames: 76, masked: { 'flow-label': 6, 'fragment-id': 8 }, host: 2 },
  ops: { frames: 36, masked: {}, host: 0 },
  'partial-gue-csum': { frames: 27, masked: { 'icmp-id': 3, 'gue-port': 24 }, host: 0 },
  'partial-gue-remcsum': { frames: 28, masked: { 'icmp-id': 3, 'gue-port': 25 }, host: 0 },
  'partial-nat': { frames: 40, masked: {}, host: 0 },
  persist: { frames: 66, masked: {}, host: 0 },
  'persist-expire': { frames: 8, masked: {}, host: 0 },
  'persist-mask': { frames: 66, masked: {}, host: 0 },
  'persist-fwmark': { frames: 66, masked: {}, host: 0 },
  persist6: { frames: 18, masked: {}, host: 0 },
  'sched-dh': { frames: 166, masked: {}, host: 0 },
  'sched-fo': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-fwmark': { frames: 32, masked: {}, host: 8 },
  'sched-lblc': { frames: 192, masked: {}, host: 0 },
  'sched-lc': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-mh': { frames: 142, masked: { 'icmp-id': 18 }, host: 0 },
  'sched-mh-port': { frames: 142, masked: { 'icmp-id': 17 }, host: 0 },
  'sched-mh-port-fallback': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-nq': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-ovf': { frames: 142, masked: { 'icmp-id': 124 }, host: 0 },
  'sched-rr': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-sh': { frames: 142, masked: { 'icmp-id': 10 }, host: 0 },
  'sched-sh-fallback': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-sh-port': { frames: 142, masked: { 'icmp-id': 9 }, host: 0 },
  'sched-wlc': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched-wrr': { frames: 142, masked: { 'icmp-id': 4 }, host: 0 },
  'sched6-dh': { frames: 48, masked: {}, host: 0 },
  'sched6-lblc': { frames: 48, masked: {}, host: 0 },
  'sched6-mh': { frames: 84, masked: { 'flow-label': 12 }, host: 0 },
  'sctp-dr': { frames: 13, masked: {}, host: 2 },
  'sctp-nat': { frames: 22, masked: {}, host: 2 },
  'sip-pe': { frames: 6, masked: {}, host: 0 },
  'state-secure-nat': { frames: 111, masked: {}, host: 0 },
  'tun-4in6': { frames: 72, masked: { 'icmp-id': 5, 'fragment-id': 14 }, host: 0 },
  'tun-gre-csum-icmp': { frames: 10, masked: { 'icmp-id': 9 }, host: 0 },
  'tun-gre-nocsum': { frames: 61, masked: { 'icmp-id': 3, 'outer-id': 18 }, host: 0 },
  'tun-gue-csum': { frames: 76, masked: { 'icmp-id': 5, 'gue-port': 67, 'outer-id': 23 }, host: 0 },
  'tun-icmp-client': { frames: 32, masked: { 'outer-id': 16, 'gue-port': 16 }, host: 0 },
  'tun-ipip': { frames: 32, masked: { 'icmp-id': 3, 'outer-id': 3 }, host: 0 },
  'tun-ipip-fields': { frames: 46, masked: { 'icmp-id': 1, 'outer-id': 20 }, host: 0 },
  'tun-ipip-icmp': { frames: 16, masked: { 'icmp-id': 14 }, host: 0 },
  'tun-ipip-mtu': { frames: 53, masked: { 'icmp-id': 9, 'outer-id': 38 }, host: 0 },
  'tun6-gre-csum': { frames: 84, masked: { 'flow-label': 6, 'icmp-id': 1, 'fragment-id': 2, 'outer-id': 9 }, host: 1 },
  'tun6-gue-remcsum': {
    frames: 84,
    masked: { 'flow-label': 6, 'icmp-id': 1, 'gue-port': 73, 'fragment-id': 2, 'outer-id': 9 },
    host: 1,
  },
  'tun6-ip6ip6': { frames: 59, masked: { 'flow-label': 5, 'fragment-id': 8 }, host: 1 },
  'tunnel-input': { frames: 2, masked: {}, host: 0 },
};

/** What the scenarios do not use is not there. */
const missing = (): never => {
  throw new Error('not used by any scenario');
};

const reference: MakeTarget = (network): ReplayTarget =>
  Object.assign(new ReferenceDirector({ network, ipId: 0x1234 }), {
    clear: missing,
    addLocalAddress: missing,
    deleteLocalAddress: missing,
  });

const core: MakeTarget = (network) => Director.create({ network, seed: 1n });

const directors: Record<string, MakeTarget> = { core, reference };

it('every scenario has its counts', () => {
  expect(names.sort()).toEqual(Object.keys(COUNTS).sort());
});

describe.each(Object.entries(directors))('the %s on what the kernel did', (_, makeTarget) => {
  it.each(names)('%s', async (name) => {
    const result = await verifyScenario(FIXTURES + name, makeTarget);
    expect(result.passed, reportText(result)).toBe(true);
    const { frames, masked, host } = COUNTS[name]!;
    expect(result).toMatchObject({ matched: frames, expected: frames, differenceCount: 0 });
    expect(result.host).toHaveLength(host);
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
