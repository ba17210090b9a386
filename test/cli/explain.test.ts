import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { styleOf } from '../../src/cli/style.js';
import { KERNEL, run, runWith, scenarioWords, scratch } from './support.js';

const { words } = scenarioWords('nat-tcp');

describe('explain', () => {
  test('tells the way of the first packet', async () => {
    const { code, out, err } = await run('explain', ...words, '--packet', '1');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(`packet 1, received on cli at 2026-11-22 06:58:07.535 UTC

offered      10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1000453197 ttl=64 len=0
way          cli > PREROUTING > INPUT > OUTPUT > POSTROUTING > srv
link         destination MAC 02:00:00:00:00:01: the MAC of cli
             EtherType 0x0800: IPv4
PREROUTING   IPv4 header: 20 bytes, total length 60, checksum right
routing      destination 10.0.0.100: an address of cli: for this host
INPUT        connection TCP 10.0.0.2:40001 > 10.0.0.100:80: none
             service TCP 10.0.0.100:80: scheduler rr, 3 servers
             TCP flags [S]: may open a connection
             scheduler rr: 10.1.0.13:8080: the next usable one of the list
               (newest first): 10.1.0.13:8080, 10.1.0.12:8080, 10.1.0.11:8080
             new connection: SYN_RECV, nat, expires in 60 s
OUTPUT       route to 10.1.0.13: 10.1.0.0/24 dev srv, MTU 1500
             TTL 64: becomes 63
             length 60, DF, MTU 1500: fits
             method nat: destination 10.0.0.100:80 becomes 10.1.0.13:8080,
               checksums updated
POSTROUTING  next hop 10.1.0.13: MAC 02:00:00:00:01:13
             out interface: srv, from MAC 02:00:00:00:01:01
verdict      forward by srv, reason nat-in: client to server: destination
               address and port translated (NAT)
             rule: IPVS NAT, request: daddr and dport; TTL - 1; checksums by RFC
               1624 eqn. 3
connection   TCP 10.0.0.2:40001 > 10.0.0.100:80 > 10.1.0.13:8080
             nat, SYN_RECV, expires in 60 s, opened by this packet
changed      eth.dst       02:00:00:00:00:01 -> 02:00:00:00:01:13
             eth.src       02:00:00:00:00:02 -> 02:00:00:00:01:01
             ip.ttl        64 -> 63
             ip.checksum   0x818c -> 0x82e2
             ip.dst        10.0.0.100 -> 10.1.0.13
             tcp.dstport   80 -> 8080
             tcp.checksum  0xa64c -> 0x8762
`);
  });

  test('replays what came before, over all captures by time', async () => {
    const { out } = await run('explain', ...words, '--packet', '2', '--json');
    expect(JSON.parse(out)).toMatchObject({
      packet: 2,
      inInterface: 'srv',
      fate: { reason: 'nat-out', outInterface: 'cli' },
      connection: { opened: false, state: 'SYN_RECV' },
    });
    const alone = await run('explain', ...words.slice(0, 2), ...words.slice(4), '--packet', '2', '--json');
    expect(JSON.parse(alone.out)).toMatchObject({ inInterface: 'cli', connection: { state: 'ESTABLISHED' } });
  });

  test('gives the frame in hexadecimal and every change', async () => {
    const { out } = await run('explain', ...words, '-p', '1', '--json');
    const walk = JSON.parse(out) as { fate: { frame: string }; changes: unknown[]; steps: { hook: string }[] };
    expect(walk.fate.frame).toMatch(/^0200000001130200000001010800450000/);
    expect(walk.changes).toHaveLength(7);
    expect(walk.changes[4]).toEqual({ name: 'ip.dst', start: 30, before: '10.0.0.100', after: '10.1.0.13' });
    expect(Object.keys(walk).sort()).toEqual(
      ['changes', 'connection', 'fate', 'inInterface', 'made', 'now', 'offered', 'packet', 'steps'].sort(),
    );
  });

  test('shows frames that the director made', async () => {
    const ttl = scenarioWords('nat-ttl');
    const { out: json } = await run('rewrite', ...ttl.words, '-o', join(ttl.folder, 'o.pcap'), '--json');
    const { packets } = JSON.parse(json) as { packets: { in: number } };
    const texts: string[] = [];
    for (let n = 1; n <= packets.in; n++) texts.push((await run('explain', ...ttl.words, '-p', String(n))).out);
    const dropped = texts.filter((text) => text.includes('reason ttl-exceeded'));
    expect(dropped.length).toBeGreaterThan(0);
    const answered = dropped.filter((text) => /^made {9}10\.0\.0\.100 > .* ICMP 11\/0/m.test(text));
    expect(answered.length).toBeGreaterThan(0);
    for (const text of texts) for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test('has colour where it is wanted, the same text below', async () => {
    const plain = await run('explain', ...words, '-p', '1');
    const painted = await runWith({ color: true }, 'explain', ...words, '-p', '1');
    expect(plain.out).not.toContain('\x1b');
    expect(painted.out).toContain('\x1b[1mINPUT');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: SGR sequences begin with ESC
    expect(painted.out.replace(/\x1b\[\d+m/g, '')).toBe(plain.out);
  });

  test('refuses a packet that is not there', async () => {
    expect(await run('explain', ...words, '--packet', '99')).toEqual({
      code: 1,
      out: '',
      err: 'ipvs-wasm: there is no packet 99: there are 98\n',
    });
    expect((await run('explain', ...words, '--packet', '0')).code).toBe(2);
    expect((await run('explain', ...words)).err).toBe('ipvs-wasm: --packet is needed\n');
  });

  test('does not count what the host sent, and says so', async () => {
    const file = join(scratch(), 'out.pcapng');
    await run('rewrite', ...words, '-o', file);
    const given = ['-i', file, ...words.slice(4)];
    expect(await run('explain', ...given, '-p', '98')).toMatchObject({ code: 0, err: '' });
    expect(await run('explain', ...given, '-p', '99')).toEqual({
      code: 1,
      out: '',
      err: 'ipvs-wasm: there is no packet 99: there are 98, without 98 outbound packets, which the host sent\n',
    });
  });

  test('refuses a damaged capture before the packet', async () => {
    const file = join(KERNEL, 'nat-tcp/rules.txt');
    const { code, err } = await run('explain', '-i', `cli=${file}`, ...words.slice(4), '-p', '1');
    expect(code).toBe(1);
    expect(err).toContain(`${file}: at byte 0`);
  });
});

test('styles leave text alone without colour', () => {
  const { bold, dim, good, bad } = styleOf(false);
  expect([bold, dim, good, bad].map((paint) => paint('x'))).toEqual(['x', 'x', 'x', 'x']);
  expect(styleOf(true).bad('x')).toBe('\x1b[31mx\x1b[39m');
});
