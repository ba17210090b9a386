import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PcapWriter } from '../../src/capture/index.js';
import { collect } from './collect.js';

const folder = fileURLToPath(new URL('../fixtures/kernel/', import.meta.url));
const captures = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.pcap'))
  .sort();

/** Walks the records by their lengths alone; all of these files are little-endian. */
function countRecords(bytes: Buffer): number {
  let count = 0;
  let at = 24;
  for (; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) count++;
  expect(at).toBe(bytes.length);
  return count;
}

describe('captures of the kernel', () => {
  it('are there', () => {
    expect(captures.length).toBeGreaterThan(50);
  });

  it.each(captures)('%s is read whole and written back to the same bytes', async (name) => {
    const bytes = readFileSync(join(folder, name));
    const { packets, error } = await collect(join(folder, name));
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(countRecords(bytes));
    const chunks: Uint8Array[] = [];
    const writer = new PcapWriter((chunk) => void chunks.push(chunk.slice()));
    for (const { timestamp, data, originalLength } of packets) {
      expect(data.length).toBeLessThanOrEqual(originalLength);
      const seconds = Number(timestamp / 1_000_000_000n);
      writer.write(seconds, Number(timestamp % 1_000_000_000n), data, 0, data.length, originalLength);
    }
    writer.flushSync();
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
  });
});
