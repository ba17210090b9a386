import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import {
  ascending,
  blocks,
  describe as describeInterface,
  enhanced,
  option,
  pcap,
  section,
  text,
} from '../capture/bytes.js';
import { ethernet, tcp } from '../support/packets.js';
import { run, scenarioWords, scratch } from './support.js';

const { words } = scenarioWords('nat-tcp');
const SETUP = words.slice(4);
const folder = scratch();
const frame = ethernet(
  '02:00:00:00:00:01',
  '02:00:00:00:00:02',
  tcp({ source: '10.0.0.2', destination: '10.0.0.100', sport: 40001, dport: 80 }),
);
const OUTBOUND = option(true, 2, [2, 0, 0, 0]);
const SECOND = 1_000_000n;

/** A pcapng of blocks behind a section header and an interface `cli`. */
function pcapng(name: string, ...parts: Uint8Array[]): { file: string; offsets: number[] } {
  const file = join(folder, name);
  const { bytes, offsets } = blocks(section(true), describeInterface(true, [option(true, 2, text('cli'))]), ...parts);
  writeFileSync(file, bytes);
  return { file, offsets: offsets.slice(2) };
}

const packet = (seconds: number, id = 0, options: Uint8Array[] = []) =>
  enhanced(true, { id, ticks: BigInt(seconds) * SECOND, data: frame, options });

/** Seconds of the packets that a capture holds. */
async function secondsOf(file: string): Promise<number[]> {
  const seconds: number[] = [];
  for await (const { timestamp } of readCapture(file)) seconds.push(Number(timestamp / 1_000_000_000n));
  return seconds;
}

async function rewritten(...inputs: string[]): Promise<{ code: number; err: string; left: number[]; all: number[] }> {
  const [left, all] = [join(folder, 'left.pcap'), join(folder, 'all.pcapng')];
  const given = inputs.flatMap((word) => ['-i', word]);
  const { code, err } = await run('rewrite', ...given, ...SETUP, '-q', '-o', left, '-o', all);
  return { code, err, left: await secondsOf(left), all: await secondsOf(all) };
}

const OTHER = describeInterface(true, [option(true, 2, text('eth9'))]);

describe('a packet of an interface that the network does not have', () => {
  test('ends the run, is named, and what came before is written', async () => {
    const { file } = pcapng('unknown.pcapng', OTHER, packet(1), packet(2), packet(3), packet(4, 1), packet(5));
    const { code, err, left, all } = await rewritten(file);
    expect(code).toBe(2);
    expect(err).toBe(
      `ipvs-wasm: ${file}: packet 4, interface eth9: which interface received it? ` +
        `Say NAME=${file}, NAME being one of cli, srv\n`,
    );
    expect(left).toEqual([1, 2, 3]);
    expect(all).toEqual([1, 1, 2, 2, 3, 3]);
  });

  test('is left out when the host sent it', async () => {
    const { file } = pcapng('sent.pcapng', OTHER, packet(1), packet(4, 1, [OUTBOUND]), packet(5));
    expect(await rewritten(file)).toEqual({ code: 0, err: '', left: [1, 5], all: [1, 1, 5, 5] });
  });
});

describe('a time that cannot be held', () => {
  const offset = (seconds: bigint) => option(true, 14, ascending(BigInt.asUintN(64, seconds), 8));
  const cli = option(true, 2, text('cli'));
  test.each([
    ['before 1970', [offset(-5_000_000_000n)], 1n],
    ['in whole seconds, far away', [option(true, 9, [0])], 0xffff_ffff_ffff_ffffn],
    ['2^62 seconds away', [offset(1n << 62n)], 1n],
    ['in the year 2600', [offset(19_800_000_000n)], 1n],
    ['in the year 3000', [offset(32_503_680_000n)], 1n],
  ])('is damage: %s', async (_, options, ticks) => {
    const interface1 = describeInterface(true, [cli, ...options]);
    const bad = enhanced(true, { id: 1, ticks, data: frame });
    const { file, offsets } = pcapng('time.pcapng', interface1, packet(1), packet(2), bad, packet(3));
    const { code, err, left, all } = await rewritten(file);
    expect({ code, left, all }).toEqual({ code: 1, left: [1, 2], all: [1, 1, 2, 2] });
    expect(err).toContain(`ipvs-wasm: ${file}: at byte ${offsets[3]}, after packet 2: the time is `);

    const second = await run('explain', '-i', file, ...SETUP, '-p', '2');
    expect(second).toMatchObject({ code: 0, err: '' });
    expect(await run('explain', '-i', file, ...SETUP, '-p', '3')).toEqual({ code: 1, out: '', err });
  });

  test('does not end a run when a pcapng holds it and a pcap does not, before all before it is written', async () => {
    const interface1 = describeInterface(true, [cli, offset(5_000_000_000n)]);
    const late = enhanced(true, { id: 1, ticks: 0n, data: frame });
    const { file } = pcapng('late.pcapng', interface1, packet(1), late, packet(3));
    const { code, err, left } = await rewritten(file);
    expect({ code, left }).toEqual({ code: 1, left: [1] });
    expect(err).toMatch(/left\.pcap: the time of packet 2 does not fit in a pcap, write pcapng\n$/);
    const only = join(folder, 'late-out.pcapng');
    expect(await run('rewrite', '-i', file, ...SETUP, '-q', '-o', only)).toMatchObject({ code: 0, err: '' });
    expect(await secondsOf(only)).toEqual([1, 1, 5_000_000_000, 5_000_000_000, 3, 3]);
  });
});

describe('of several captures', () => {
  const at = (...seconds: number[]) =>
    pcap(
      true,
      0xa1b2c3d4,
      seconds.map((one) => ({ seconds: one, ticks: 0, data: frame })),
    );
  const [whole, cut, corrupt] = ['whole.pcap', 'cut.pcap', 'corrupt.pcap'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(whole, at(2, 4, 6, 8).bytes);
  writeFileSync(cut, at(1, 3).bytes.slice(0, -5));
  const { bytes, offsets } = at(1, 5, 7);
  new DataView(bytes.buffer).setUint32(offsets[2]! + 8, 0x7fffffff, true);
  writeFileSync(corrupt, bytes);

  test('a damaged one ends alone, and its damage is told at the end', async () => {
    const { code, err, left } = await rewritten(`cli=${cut}`, `cli=${whole}`, `cli=${corrupt}`);
    expect({ code, left }).toEqual({ code: 1, left: [1, 1, 2, 4, 5, 6, 8] });
    const messages = err.trimEnd().split('\n').sort();
    expect(messages).toEqual([
      `ipvs-wasm: ${corrupt}: at byte ${offsets[2]}, after packet 2: captured length 2147483647 is beyond 262144`,
      `ipvs-wasm: ${cut}: at byte 94, after packet 1: the file ends 65 bytes into a record`,
    ]);
  });

  test('explain goes on with the others, and tells the damage', async () => {
    const inputs = ['-i', `cli=${cut}`, '-i', `cli=${whole}`];
    const explained = await run('explain', ...inputs, ...SETUP, '-p', '5');
    expect(explained.code).toBe(1);
    expect(explained.out).toContain('packet 5, received on cli at 1970-01-01 00:00:08');
    expect(explained.err).toContain(`${cut}: at byte 94, after packet 1`);
    expect((await run('explain', ...inputs, ...SETUP, '-p', '6')).err).toBe(explained.err);
  });

  test('what a pcapng packet says beside its bytes may be damaged, too', async () => {
    const { file } = pcapng('flags.pcapng', packet(1), packet(3, 0, [option(true, 2, [1, 0])]), packet(5));
    const { code, err, left } = await rewritten(file, `cli=${whole}`);
    expect({ code, left }).toEqual({ code: 1, left: [1, 2, 4, 6, 8] });
    expect(err).toContain('after packet 1: epb_flags has 2 bytes, not 4');
    expect(readFileSync(join(folder, 'left.pcap')).length).toBe(24 + 5 * (16 + frame.length));
  });
});
