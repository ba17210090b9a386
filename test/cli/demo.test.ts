import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { demoCommand } from '../../src/cli/demo.js';
import { KERNEL, run, runWith, scenarioWords, scratch } from './support.js';

test('demo shows everything and finds the kernel in agreement', async () => {
  const file = join(scratch(), 'deep', 'demo.pcapng');
  const { code, out, err } = await run('demo', '-o', file);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('98 packets in, 98 out, 11 connections');
  expect(out).toContain('TCP  10.0.0.100:80                      11       54       44     8090     9585');
  expect(out).toContain('  cli-out  44 of 44 frames equal, byte for byte, in order\n');
  expect(out).toContain('  srv-out  54 of 54 frames equal, byte for byte, in order\n');
  expect(out).toContain('reason nat-in');
  // Every connection that the kernel listed, with its state and server.
  const listed = readFileSync(join(KERNEL, 'nat-tcp/conns.txt'), 'utf8').trimEnd().split('\n').slice(2);
  expect(listed).toHaveLength(11);
  for (const row of listed) {
    const [, , ...rest] = row.split(/\s+/);
    expect(out.split('\n').map((line) => line.split(/\s+/).slice(2).join(' '))).toContain(rest.join(' '));
  }
  for (const line of out.split('\n')) {
    if (!line.includes(file)) expect(line.length, line).toBeLessThanOrEqual(80);
  }
});

test.each([
  [
    'nat',
    [
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 64',
      'CIP 10.0.0.2:40001 > RIP 10.1.0.13:8080*  TTL 63*',
      'RIP 10.1.0.13:8080 > CIP 10.0.0.2:40001  TTL 64',
      'VIP 10.0.0.100:80* > CIP 10.0.0.2:40001  TTL 63*',
    ],
    'cli-out  44 of 44 frames equal, byte for byte, in order\n',
  ],
  [
    'dr',
    [
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 64',
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 63*',
      'VIP 10.0.0.100:80 > CIP 10.0.0.2:40001',
    ],
    'cli-out  nothing, as from the kernel\n',
  ],
  [
    'tun',
    [
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 64',
      'DIP 10.1.0.1* > RIP 10.1.0.13*  TTL 63*',
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 63*',
      'VIP 10.0.0.100:80 > CIP 10.0.0.2:40001',
    ],
    'cli-out  3 of 3 frames equal, byte for byte, in order, but for 3 IDs that a host chooses\n',
  ],
  [
    'fullnat',
    [
      'CIP 10.0.0.2:40001 > VIP 10.0.0.100:80  TTL 64',
      'LIP 10.1.0.2:1024* > RIP 10.1.0.13:8080*  TTL 63*',
      'RIP 10.1.0.13:8080 > LIP 10.1.0.2:1024  TTL 64',
      'VIP 10.0.0.100:80* > CIP 10.0.0.2:40001*  TTL 63*',
    ],
    'cli-out  44 of 44 frames equal, byte for byte, in order\n',
  ],
])('demo --mode %s shows every hop, and the kernel agrees', async (mode, hops, equal) => {
  const { code, out, err } = await run('demo', '--mode', mode, '-o', join(scratch(), 'demo.pcapng'));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const section = out.slice(out.indexOf('Hop by hop'), out.indexOf('Held to'));
  expect(
    section
      .split('\n')
      .filter((line) => /^ {6}[CDLRV]IP/.test(line))
      .map((line) => line.trim()),
  ).toEqual(hops);
  expect(section).toContain('director 02:00:00:00:01:01* > server 02:00:00:00:01:13*');
  expect(out).toContain(equal);
});

test("FullNAT's demo shifts numbers there and back, and says what was not recorded", async () => {
  const folder = scratch();
  const { out } = await run('demo', '--mode', 'fullnat', '-o', join(folder, 'demo.pcapng'));
  expect(out).toContain("servers' answers are readdressed here");
  expect(out).toContain('  srv-out  54 of 54 frames equal, byte for byte, in order\n');
  expect(out).toContain('10.0.0.2:40001     10.0.0.100:80      10.1.0.2:1024      10.1.0.13:8080');
  const numbers = [...out.matchAll(/^ {6}sequence (\d+)(\*?) {2}acknowledges (\d+)(\*?)$/gm)].map((row) =>
    row.slice(1),
  );
  const [[sequence = '', ...first] = [], [local = '', ...second] = [], third = [], fourth = []] = numbers;
  expect([first, second]).toEqual([
    ['', '0', ''],
    ['*', '0', ''],
  ]);
  expect(local).not.toBe(sequence);
  expect(third.slice(1)).toEqual(['', String(Number(local) + 1), '']);
  expect(fourth).toEqual([third[0], '', String(Number(sequence) + 1), '*']);
  // The answers lie beside it, as a capture that `rewrite` takes.
  expect(existsSync(join(folder, 'fullnat-srv-in.pcap'))).toBe(true);
});

test('demo knows no other mode', async () => {
  const { code, err } = await run('demo', '--mode', 'constructor');
  expect({ code, err }).toEqual({ code: 2, err: "ipvs-wasm: --mode takes nat, dr, tun, fullnat, not 'constructor'\n" });
});

test('demo shows the hops of a reply with those of the request before it', async () => {
  const { out } = await run('demo', '--packet', '2', '-o', join(scratch(), 'demo.pcapng'));
  expect(out).toContain('VIP 10.0.0.100:80* > CIP 10.0.0.2:40001  TTL 63*');
  expect(out).toContain('CIP 10.0.0.2:40001 > RIP 10.1.0.13:8080*  TTL 63*');
});

test('demo writes what rewrite writes', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const [demo, rewritten] = [join(folder, 'demo.pcapng'), join(folder, 'rewritten.pcapng')];
  await run('demo', '-o', demo);
  await run('rewrite', ...words, '-o', rewritten);
  expect(readFileSync(demo).equals(readFileSync(rewritten))).toBe(true);
});

test('demo says nothing when there is no such packet', async () => {
  const file = join(scratch(), 'out.pcapng');
  const { code, out, err } = await run('demo', '-p', '999', '-o', file);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/there is no packet 999/);
  expect(existsSync(file)).toBe(false);
});

test('demo explains another packet, in colour', async () => {
  const { out } = await runWith({ color: true }, 'demo', '-o', join(scratch(), 'o.pcapng'), '--packet', '2');
  expect(out).toContain('\x1b[1mPacket 2 explained\x1b[22m');
  expect(out).toContain('reason nat-out');
});

test('demo fails, and says where, when the kernel sent something else', async () => {
  const folder = scratch();
  cpSync(join(KERNEL, 'nat-tcp'), join(folder, 'nat-tcp'), { recursive: true });
  const sent = join(folder, 'nat-tcp/cli-out.pcap');
  const capture = readFileSync(sent);
  // TTL of the first frame.
  capture[24 + 16 + 14 + 8]! ^= 1;
  writeFileSync(sent, capture);
  let out = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: () => {},
    color: false,
    interactive: false,
    stop: new AbortController().signal,
  };
  expect(await demoCommand(['-o', join(folder, 'o.pcapng')], io, folder)).toBe(1);
  expect(out).toContain('  cli-out  43 of 44 frames equal');
  expect(out).toMatch(/ {4}cli-out frame 1[^\n]*ip\.ttl/);
});
