import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import { KERNEL, run, scratch } from './support.js';

const EXAMPLES = join(import.meta.dirname, '../../examples');
/** The scenario that each example was made from. */
const SCENARIOS: Readonly<Record<string, string>> = { nat: 'nat-tcp', nat6: 'nat6' };

/** The frames of a capture in hexadecimal, without the identification of IPv6 fragments, which is chosen at random. */
async function framesOf(file: string): Promise<string[]> {
  const frames: string[] = [];
  for await (const { data } of readCapture(file)) {
    const frame = Buffer.from(data);
    const isFragment6 = frame.readUInt16BE(12) === 0x86dd && frame[20] === 44;
    if (isFragment6) frame.fill(0, 58, 62);
    frames.push(frame.toString('hex'));
  }
  return frames;
}

test('every example is tested', () => {
  expect(readdirSync(EXAMPLES).sort()).toEqual(Object.keys(SCENARIOS).sort());
});

describe.each(Object.entries(SCENARIOS))('%s', (name, scenario) => {
  const folder = join(EXAMPLES, name);
  const out = scratch();
  /** The words of a command, its files where they are, and what it writes in a folder of its own. */
  const placed = (command: string) =>
    command
      .split(' ')
      .map((word) =>
        word.replace(/[\w.-]+\.(pcap|pcapng|txt|json)$/, (file) => join(file.startsWith('out') ? out : folder, file)),
      );

  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  const commands = [...readme.matchAll(/^ {4}npx ipvs-wasm (.*)$/gm)].map(([, words = '']) => words);

  test.each(commands)('its command runs: %s', async (command) => {
    expect(await run(...placed(command))).toMatchObject({ code: 0, err: '' });
  });

  test('gives what the kernel sent', async () => {
    expect(commands).toHaveLength(2);
    const [cli, srv] = [join(out, 'cli.pcap'), join(out, 'srv.pcap')];
    const [rewrite = ''] = commands;
    const words = placed(rewrite.replace(/ -o .*/, ''));
    expect(await run(...words, '-o', `cli=${cli}`, '-o', `srv=${srv}`)).toMatchObject({ code: 0, err: '' });
    for (const [file, side] of [
      [cli, 'cli-out'],
      [srv, 'srv-out'],
    ] as const) {
      const sent = await framesOf(file);
      expect(sent.length).toBeGreaterThan(0);
      expect(sent).toEqual(await framesOf(join(KERNEL, scenario, `${side}.pcap`)));
    }
  });
});
