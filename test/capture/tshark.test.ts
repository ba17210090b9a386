import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileSink, PcapngWriter, PcapWriter } from '../../src/capture/index.js';
import { hex } from './bytes.js';

/** Set where the tool must be there (CI); elsewhere its absence is told by the name of a test. */
const required = process.env.CI !== undefined;
const available = spawnSync('tshark', ['--version']).status === 0;

const FRAME = hex(`
  020000000001 020000000002 0800
  4500001c000100004011 66b1 0a000001 0a000002 0035 0035 0008 0000`);

function tshark(write: (path: string) => void, fields: string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'tshark-'));
  try {
    const path = join(folder, 'capture');
    write(path);
    const args = ['-n', '-r', path, '-T', 'fields', '-E', 'separator=|', '-E', 'aggregator=;'];
    const { status, stdout, stderr } = spawnSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])]);
    expect(status, stderr.toString()).toBe(0);
    const lines = stdout.toString().split('\n').slice(0, -1);
    return lines.map((line) => line.split('|'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (!available) {
  it(`NOT CHECKED: tshark is not installed, so nothing but our own reader has read what we write`, () => {
    console.warn('tshark is not installed: what Wireshark makes of our captures was not checked');
    expect(required, 'tshark must be installed where CI is set').toBe(false);
  });
} else {
  describe('tshark reads', () => {
    it('comments, packet ids, interface names, directions, queues and nanoseconds of pcapng', () => {
      const rows = tshark(
        (path) => {
          using sink = new FileSink(path);
          const writer = new PcapngWriter(sink.write);
          const input = writer.addInterface({ name: 'cli', linkType: 1 });
          const output = writer.addInterface({ name: 'srv-äß', linkType: 1 });
          const length = FRAME.length;
          writer.write(1_700_000_000, 123_456_789, FRAME, 0, length, length, input, {
            comments: ['forward: nat-in', 'zweite Zeile ü'],
            packetId: 1,
            direction: 'inbound',
            queue: 3,
          });
          writer.write(1_700_000_000, 123_456_790, FRAME, 0, length, length, output, {
            packetId: 2 ** 52 + 1,
            direction: 'outbound',
          });
          writer.write(4_294_967_296, 1, FRAME, 0, length - 3, length, output, {
            comments: ['drop: x'],
            packetId: 0xfedcba9876543210n,
          });
          writer.write(1, 999_999_999, FRAME, 0, length);
          writer.flushSync();
        },
        [
          'frame.comment',
          'frame.packet_id',
          'frame.interface_name',
          'frame.time_epoch',
          'frame.packet_flags_direction',
          'frame.interface_queue',
          'frame.len',
          'frame.cap_len',
        ],
      );
      expect(rows).toEqual([
        ['forward: nat-in;zweite Zeile ü', '1', 'cli', '1700000000.123456789', '0x00000001', '3', '42', '42'],
        ['', '4503599627370497', 'srv-äß', '1700000000.123456790', '0x00000002', '', '42', '42'],
        ['drop: x', '18364758544493064720', 'srv-äß', '4294967296.000000001', '', '', '42', '39'],
        ['', '', 'cli', '1.999999999', '', '', '42', '42'],
      ]);
    });

    it.each([
      ['pcap with nanoseconds', PcapWriter, 9, '123456789'],
      ['pcap with microseconds', PcapWriter, 6, '123456000'],
      ['pcapng with nanoseconds', PcapngWriter, 9, '123456789'],
      ['pcapng with microseconds', PcapngWriter, 6, '123456000'],
    ] as const)('%s', (_, Writer, precision, fraction) => {
      const rows = tshark(
        (path) => {
          using sink = new FileSink(path);
          const writer = new Writer(sink.write, { precision });
          writer.addInterface({ linkType: 101 });
          writer.write(1_700_000_000, 123_456_789, FRAME, 14, FRAME.length);
          writer.flushSync();
        },
        ['frame.time_epoch', 'ip.src', 'udp.srcport'],
      );
      expect(rows).toEqual([[`1700000000.${fraction}`, '10.0.0.1', '53']]);
    });
  });
}
