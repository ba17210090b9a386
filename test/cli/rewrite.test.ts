import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import { WINDOW } from '../../src/cli/inputs.js';
import { reasonText } from '../../src/reasons.js';
import { pcap } from '../capture/bytes.js';
import { counting, ethernet, ipv4, udp } from '../support/packets.js';
import { framesOf, kernel, run, scenarioWords } from './support.js';

const tsharkThere = spawnSync('tshark', ['--version']).status === 0;
/** epb_flags as tshark prints them. */
const DIRECTIONS = { inbound: '0x00000001', outbound: '0x00000002' } as const;

describe('rewrite', () => {
  test.each(['nat-tcp', 'dr-tcp'])('of %s gives what the kernel sent, by interface', async (scenario) => {
    const { folder, words } = scenarioWords(scenario);
    const [cli, srv] = [join(folder, 'cli.pcap'), join(folder, 'srv.pcap')];
    const { code, err } = await run('rewrite', ...words, '-o', `srv=${srv}`, '-o', `cli=${cli}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const sent = await framesOf(srv);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent).toEqual(await framesOf(kernel(scenario, 'srv-out')));
    expect(await framesOf(cli)).toEqual(await framesOf(kernel(scenario, 'cli-out')));
  });

  test('keeps the times of what went in', async () => {
    const { folder, words } = scenarioWords('dr-tcp');
    const file = join(folder, 'out.pcap');
    await run('rewrite', ...words, '-o', file);
    const times = async (name: string) => {
      const found: bigint[] = [];
      for await (const { timestamp } of readCapture(name)) found.push(timestamp);
      return found;
    };
    expect(await times(file)).toEqual(await times(kernel('dr-tcp', 'cli-in')));
  });

  test('prints a summary', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const { out } = await run('rewrite', ...words, '-o', join(folder, 'out.pcap'));
    expect(out).toBe(`98 packets in, 98 out, 11 connections

     54  forward  nat-in                client to server: destination address
                                        and port translated (NAT)
     44  forward  nat-out               server to client: source address and
                                        port translated back (NAT)

wrote ${join(folder, 'out.pcap')}: 98 packets
`);
  });

  test('prints it as JSON', async () => {
    const { folder, words } = scenarioWords('nat-ttl');
    const file = join(folder, 'out.pcapng');
    const { out } = await run('rewrite', ...words, '-o', file, '--json');
    const summary = JSON.parse(out) as Record<string, unknown>;
    expect(summary).toMatchObject({
      packets: { cut: 0 },
      inputs: [{ file: kernel('nat-ttl', 'cli-in') }, { file: kernel('nat-ttl', 'srv-in') }],
      outputs: [{ file }],
      damage: null,
      interrupted: false,
    });
    expect(Object.keys(summary).sort()).toEqual(
      ['connections', 'damage', 'fates', 'inputs', 'interrupted', 'made', 'outputs', 'packets'].sort(),
    );
    const { packets, fates, made } = summary as {
      packets: { in: number; out: number };
      fates: { verdict: string; reason: string; packets: number }[];
      made: { verdict: string; reason: string; packets: number }[];
    };
    expect(fates.reduce((sum, fate) => sum + fate.packets, 0)).toBe(packets.in);
    const forwarded = [...fates, ...made].filter(({ verdict }) => verdict === 'forward');
    expect(forwarded.reduce((sum, fate) => sum + fate.packets, 0)).toBe(packets.out);
    expect(made.map(({ reason }) => reason)).toContain('time-exceeded');
  });

  test('is quiet when asked', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    expect(await run('rewrite', ...words, '-q', '-o', join(folder, 'o.pcap'))).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('what comes out does not depend on', () => {
  const scenarios = [
    'nat-tcp',
    'nat-ttl',
    'nat-ipopt',
    'nat-udp',
    'nat-frag',
    'nat6',
    'sctp-nat',
    'dr-udp',
    'tun-ipip',
    'tun-ipip-fields',
    'tun-ipip-mtu',
    'tun6-gre-csum',
    'sched-sh',
  ];

  test.each(scenarios)('the length of bursts (%s)', async (scenario) => {
    const { folder, words } = scenarioWords(scenario);
    for (const ending of ['pcap', 'pcapng']) {
      const files = ['1', '7', '256'].map((burst) => [burst, join(folder, `${burst}.${ending}`)] as const);
      for (const [burst, file] of files) await run('rewrite', ...words, '--burst', burst, '-o', file);
      const [one, ...others] = files.map(([, file]) => readFileSync(file));
      for (const other of others) expect(other.equals(one!)).toBe(true);
    }
  });

  test.each(scenarios)('whether frames are judged where they were read (%s)', async (scenario) => {
    const { folder, words } = scenarioWords(scenario);
    const packed = words.map((word) => {
      const match = /^(cli|srv)=(.*)$/.exec(word);
      if (match === null) return word;
      const file = join(folder, `${match[1]}.gz`);
      writeFileSync(file, gzipSync(readFileSync(match[2]!)));
      return `${match[1]}=${file}`;
    });
    const [resident, copied] = [join(folder, 'resident.pcap'), join(folder, 'copied.pcap')];
    await run('rewrite', ...words, '-o', resident);
    await run('rewrite', ...packed, '-o', copied);
    expect(readFileSync(resident).equals(readFileSync(copied))).toBe(true);
  });

  test('whether large datagrams become whole in one burst', async () => {
    const { folder, words } = scenarioWords('nat-udp');
    const link = (payload: Uint8Array) => ethernet('02:00:00:00:00:01', '02:00:00:00:00:02', payload);
    /** The fragments of a datagram; the last one, which makes it whole, by itself. */
    const datagrams = Array.from({ length: 12 }, (_, id) => {
      const datagram = udp({
        source: '10.0.0.2',
        destination: '10.0.0.100',
        sport: 40000 + id,
        dport: 53,
        payload: counting(60_000, id),
      }).subarray(20);
      const fragments: Uint8Array[] = [];
      for (let at = 0; at < datagram.length; at += 1480) {
        const mf = at + 1480 < datagram.length;
        const fields = { source: '10.0.0.2', destination: '10.0.0.100', protocol: 17, id, mf, offset: at / 8 };
        fragments.push(link(ipv4(fields, datagram.subarray(at, at + 1480))));
      }
      return fragments;
    });
    const frames = [...datagrams.flatMap((all) => all.slice(0, -1)), ...datagrams.map((all) => all.at(-1)!)];
    const file = join(folder, 'fragments.pcap');
    writeFileSync(
      file,
      pcap(
        true,
        0xa1b2c3d4,
        frames.map((data) => ({ seconds: 1, ticks: 0, data })),
      ).bytes,
    );
    const outputs = ['1', '256'].map((burst) => [burst, join(folder, `whole-${burst}.pcap`)] as const);
    for (const [burst, out] of outputs) {
      const options = [...words.slice(4), '--burst', burst, '-o', out, '--json'];
      const { out: json } = await run('rewrite', '-i', `cli=${file}`, ...options);
      expect(JSON.parse(json)).toMatchObject({
        packets: { in: frames.length, out: frames.length },
        fates: [
          { verdict: 'forward', reason: 'nat-in', packets: 12 },
          { verdict: 'held', reason: 'fragment-held', packets: frames.length - 12 },
        ],
        made: [{ verdict: 'forward', reason: 'fragment', packets: frames.length - 12 }],
      });
    }
    const [one, many] = outputs.map(([, out]) => readFileSync(out));
    expect(many!.equals(one!)).toBe(true);
  });

  test('where a window of a long capture ends, nor on how many outputs are written', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const [plain, packed] = [join(folder, 'long.pcap'), join(folder, 'long.gz')];
    const recorded = readFileSync(kernel('nat-tcp', 'cli-in'));
    const records = Array<Buffer>(250).fill(recorded.subarray(24));
    writeFileSync(plain, Buffer.concat([recorded.subarray(0, 24), ...records]));
    writeFileSync(packed, gzipSync(readFileSync(plain)));
    expect(readFileSync(plain).length).toBeGreaterThan(4 * WINDOW);
    const out = (name: string) => join(folder, name);
    const rest = words.slice(4);
    await run('rewrite', '-i', `cli=${packed}`, ...rest, '-o', out('copied.pcap'), '--burst', '1');
    await run('rewrite', '-i', `cli=${plain}`, ...rest, '-o', out('alone.pcap'));
    const several = ['-o', out('one.pcap'), '-o', out('x.pcapng'), '-o', `srv=${out('two.pcap')}`];
    await run('rewrite', '-i', `cli=${plain}`, ...rest, ...several);
    const expected = readFileSync(out('copied.pcap'));
    expect(expected.length).toBe(readFileSync(plain).length);
    for (const name of ['alone.pcap', 'one.pcap', 'two.pcap']) {
      expect(readFileSync(out(name)).equals(expected), name).toBe(true);
    }
  });

  test('anything but the seed', async () => {
    const { folder, words } = scenarioWords('tun-ipip-fields');
    const bytes = async (...more: string[]) => {
      const file = join(folder, 'seed.pcap');
      await run('rewrite', ...words, ...more, '-o', file);
      return readFileSync(file).toString('hex');
    };
    const first = await bytes('--seed', '1');
    expect(await bytes('--seed', '1')).toBe(first);
    expect(await bytes()).toBe(await bytes());
  });
});

describe('a pcapng', () => {
  /** The id, direction, interface and comments of each packet, as our own reader finds them. */
  async function rowsOf(file: string): Promise<string[][]> {
    const rows: string[][] = [];
    for await (const { packetId, direction, interfaceName, comments } of readCapture(file)) {
      rows.push([`${packetId}`, DIRECTIONS[direction!], interfaceName!, comments.join(',')]);
    }
    return rows;
  }

  test('tells verdict, reason and what belongs together', async () => {
    const { folder, words } = scenarioWords('nat-ttl');
    const file = join(folder, 'out.pcapng');
    const { out } = await run('rewrite', ...words, '-o', file, '--json');
    const { packets } = JSON.parse(out) as { packets: { in: number; out: number } };
    const rows = await rowsOf(file);
    expect(rows).toHaveLength(packets.in + packets.out);

    const inbound = rows.filter(([, direction]) => direction === '0x00000001');
    const outbound = rows.filter(([, direction]) => direction === '0x00000002');
    expect(inbound).toHaveLength(packets.in);
    expect(outbound).toHaveLength(packets.out);
    // Every frame that was offered has an id of its own, in order; what left has that of its cause, right behind it.
    expect(inbound.map(([id]) => Number(id))).toEqual(inbound.map((_, i) => i + 1));
    rows.forEach(([id, direction], i) => {
      if (direction === '0x00000002') expect(rows[i - 1]![0]).toBe(id);
    });

    const [first, sent] = rows;
    const comment = 'verdict forward, reason nat-in: client to server: destination address and port translated (NAT)';
    expect(first).toEqual(['1', '0x00000001', 'cli', `${comment},out srv`]);
    expect(sent).toEqual(['1', '0x00000002', 'srv', `${comment},out srv`]);
    const dropped = rows.find(([, , , text]) => text?.includes('ttl-exceeded'))!;
    expect(dropped[3]).toBe(`verdict drop, reason ttl-exceeded: ${reasonText('ttl-exceeded')}`);
    const answer = rows[rows.indexOf(dropped) + 1]!;
    expect(answer).toEqual([
      dropped[0],
      '0x00000002',
      'cli',
      `verdict forward, reason time-exceeded: ${reasonText('time-exceeded')},out cli,made by the director`,
    ]);
  });

  if (!tsharkThere) {
    test('NOT CHECKED: tshark is not installed, so nothing but our own reader has read the output', () => {
      console.warn('tshark is not installed: what Wireshark makes of our output was not checked');
      expect(process.env.CI, 'tshark must be installed where CI is set').toBeUndefined();
    });
  } else {
    test('says the same to tshark', async () => {
      const { folder, words } = scenarioWords('nat-ttl');
      const file = join(folder, 'out.pcapng');
      await run('rewrite', ...words, '-o', file);
      const fields = ['frame.packet_id', 'frame.packet_flags_direction', 'frame.interface_name', 'frame.comment'];
      const options = ['-r', file, '-T', 'fields', '-E', 'separator=|', ...fields.flatMap((field) => ['-e', field])];
      const text = execFileSync('tshark', options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const lines = text.trimEnd().split('\n');
      expect(lines.map((line) => line.split('|'))).toEqual(await rowsOf(file));
    });
  }

  test('holds only what left when asked, the same as a pcap', async () => {
    const { folder, words } = scenarioWords('nat-ttl');
    const [pcap, pcapng] = [join(folder, 'out.pcap'), join(folder, 'out.pcapng')];
    await run('rewrite', ...words, '-o', pcap, '-o', pcapng, '--only-out');
    expect(await framesOf(pcapng)).toEqual(await framesOf(pcap));
  });

  test('holds one interface when one is named', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const file = join(folder, 'srv.pcapng');
    await run('rewrite', ...words, '-o', `srv=${file}`);
    const rows = await rowsOf(file);
    expect(rows).toHaveLength(98);
    expect(new Set(rows.map(([, , name]) => name))).toEqual(new Set(['srv']));
  });

  test('can be rewritten again: what the host sent is left out', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const [both, once, twice] = [join(folder, 'both.pcapng'), join(folder, 'once.pcap'), join(folder, 'twice.pcap')];
    await run('rewrite', ...words, '-o', both, '-o', once);
    const { code, out } = await run('rewrite', ...words.slice(4), '-i', both, '-o', twice, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ packets: { in: 98, out: 98 } });
    expect(readFileSync(twice).equals(readFileSync(once))).toBe(true);
  });

  test('is what an unknown ending means, unless the format is given', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const [plain, forced] = [join(folder, 'x.txt'), join(folder, 'y.pcapng')];
    const note = `ipvs-wasm: ${plain}: written as pcapng, as its name does not tell the format (-F does)\n`;
    expect(await run('rewrite', ...words, '-o', plain)).toMatchObject({ code: 0, err: note });
    expect((await run('rewrite', ...words, '-o', forced, '-F', 'pcap')).err).toBe('');
    expect((await run('rewrite', ...words, '-o', plain, '-q')).err).toBe('');
    expect((await run('rewrite', ...words, '-o', `srv=${plain}`, '-F', 'pcapng')).err).toBe('');
    for (const known of ['z.PCAP', 'z.ntar', 'z.dmp']) {
      expect((await run('rewrite', ...words, '-o', join(folder, known))).err, known).toBe('');
    }
    expect(readFileSync(plain).readUInt32LE()).toBe(0x0a0d0d0a);
    expect(readFileSync(forced).readUInt32LE()).toBe(0xa1b23c4d);
  });
});
