/**
 * What Wireshark makes of frames. CI must have `tshark`; elsewhere its absence is told by the name of a test.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pcap } from '../scenario/packets.js';

const required = process.env.CI !== undefined;
const available = spawnSync('tshark', ['--version']).status === 0;

/** A test that needs tshark. */
export function itByTshark(name: string, run: () => void | Promise<void>): void {
  if (available) {
    it(name, { timeout: 60_000 }, run);
    return;
  }
  it(`NOT CHECKED, as tshark is not installed: ${name}`, () => {
    expect(required, 'tshark must be installed where CI is set').toBe(false);
  });
}

/** What tshark reads, a row a frame of Ethernet: the values of each field from the outside in, `;` between them. */
export function tsharkRows(
  frames: readonly Uint8Array[],
  fields: readonly string[],
  preferences: readonly string[] = [],
): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'tshark-'));
  try {
    const path = join(folder, 'frames.pcap');
    writeFileSync(path, pcap(frames.map((data, i) => ({ time: BigInt(i) * 1_000_000n, data }))));
    const args = ['-n', '-r', path, '-T', 'fields', '-E', 'separator=|', '-E', 'aggregator=;'];
    for (const preference of preferences) args.push('-o', preference);
    for (const field of fields) args.push('-e', field);
    const { status, stdout, stderr } = spawnSync('tshark', args, { maxBuffer: 1 << 28 });
    expect(status, stderr.toString()).toBe(0);
    const rows = stdout.toString().split('\n').slice(0, -1);
    return rows.map((line) => line.split('|'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
