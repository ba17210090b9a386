import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { framesOf, KERNEL, kernel, run, runWith, scenarioWords, scratch } from './support.js';

describe('a damaged capture', () => {
  const whole = readFileSync(kernel('dr-tcp', 'cli-in'));
  const cutOff = whole.subarray(0, whole.length - 10);
  /** The record of the last packet says that it is longer than any. */
  const corrupt = Buffer.from(whole);
  let last = 24;
  for (let at = 24; at < whole.length; at += 16 + whole.readUInt32LE(at + 8)) last = at;
  corrupt.writeUInt32LE(0x7fffffff, last + 8);

  test.each([
    ['pcap', 'cut off', cutOff, 'the file ends 72 bytes into a record'],
    ['pcapng', 'cut off', cutOff, 'the file ends 72 bytes into a record'],
    ['pcap', 'corrupt', corrupt, 'captured length 2147483647 is beyond 262144'],
    ['pcapng', 'corrupt', corrupt, 'captured length 2147483647 is beyond 262144'],
  ])('is processed up to the damage (%s, %s)', async (ending, _, bytes, detail) => {
    const { folder, words } = scenarioWords('dr-tcp');
    const damaged = join(folder, 'damaged');
    writeFileSync(damaged, bytes);
    const [good, bad] = [join(folder, `good.${ending}`), join(folder, `bad.${ending}`)];
    const options = [...words.slice(4), '-F', ending, '--json'];
    await run('rewrite', '-i', `cli=${kernel('dr-tcp', 'cli-in')}`, ...options, '-o', good);
    const { code, out, err } = await run('rewrite', '-i', `cli=${damaged}`, ...options, '-o', bad);
    const before = (await framesOf(kernel('dr-tcp', 'cli-in'))).length - 1;
    const message = `${damaged}: at byte ${last}, after packet ${before}: ${detail}`;
    expect({ code, err }).toEqual({ code: 1, err: `ipvs-wasm: ${message}\n` });
    expect(JSON.parse(out)).toMatchObject({ packets: { in: before, out: before }, damage: message });
    const expected = await framesOf(good);
    const got = await framesOf(bad);
    expect(got).toHaveLength(ending === 'pcap' ? before : 2 * before);
    expect(got).toEqual(expected.slice(0, got.length));
  });

  test('that is no capture at all writes nothing', async () => {
    const { folder, words } = scenarioWords('dr-tcp');
    const file = join(folder, 'cli.pcap');
    writeFileSync(file, 'no capture at all');
    const { code, err } = await run('rewrite', '-i', file, ...words.slice(4), '-o', join(folder, 'o.pcap'));
    expect(code).toBe(1);
    expect(err).toBe(
      `ipvs-wasm: ${file}: at byte 0, before the first packet: magic number 0x6e6f2063 is not that of a capture\n`,
    );
  });
});

describe('captures of which no packet can be read', () => {
  const { folder, words } = scenarioWords('dr-tcp');
  const whole = readFileSync(kernel('dr-tcp', 'cli-in'));
  const [sll, raw, good] = ['sll.pcap', 'raw.pcap', 'good.pcap'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const ofLinkType = (linkType: number) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt32LE(linkType, 20);
    return bytes;
  };
  writeFileSync(sll, ofLinkType(113));
  writeFileSync(raw, ofLinkType(101));
  writeFileSync(good, whole);
  const out = join(folder, 'out.pcap');
  const message = `ipvs-wasm: ${sll}: at byte 20, before the first packet: link type 113 (LINUX_SLL) is not read here, only Ethernet and raw IP are\n`;

  test('name their link type and leave no output', async () => {
    expect(await run('rewrite', '-i', `cli=${sll}`, ...words.slice(4), '-o', out)).toEqual({
      code: 1,
      out: '',
      err: message,
    });
    expect(existsSync(out)).toBe(false);
  });

  test('leave an output of before as it is', async () => {
    writeFileSync(out, 'of before');
    await run('rewrite', '-i', `cli=${sll}`, ...words.slice(4), '-o', out);
    const { code } = await run('rewrite', '-i', `cli=${raw}`, ...words.slice(4), '-o', out);
    expect(code).toBe(2);
    expect(readFileSync(out, 'utf8')).toBe('of before');
  });

  test('do not keep others from being rewritten', async () => {
    const inputs = ['-i', `cli=${sll}`, '-i', `cli=${good}`];
    const { code, err } = await run('rewrite', ...inputs, ...words.slice(4), '-o', out, '-q');
    expect({ code, err }).toEqual({ code: 1, err: message });
    const alone = join(folder, 'alone.pcap');
    await run('rewrite', '-i', `cli=${good}`, ...words.slice(4), '-o', alone);
    expect(readFileSync(out).equals(readFileSync(alone))).toBe(true);
  });

  test('are not those that are merely empty', async () => {
    writeFileSync(good, whole.subarray(0, 24));
    const { code } = await run('rewrite', '-i', `cli=${good}`, ...words.slice(4), '-o', out);
    expect(code).toBe(0);
    expect(readFileSync(out)).toHaveLength(24);
  });
});

test.each([
  ['an empty file', ''],
  ['comments', '# nothing yet\n\n'],
  ['rules that leave nothing', '-A -t 10.0.0.100:80\n-C\n'],
])('rules without a service are warned of: %s', async (_, text) => {
  const { folder, words } = scenarioWords('nat-tcp');
  const rules = join(folder, 'rules.txt');
  writeFileSync(rules, text);
  const given = words.with(words.indexOf('--rules') + 1, rules);
  const warning = `ipvs-wasm: ${rules}: warning: there is no service in it, so that nothing is balanced\n`;
  const file = join(folder, 'o.pcap');
  expect(await run('rewrite', ...given, '-o', file)).toMatchObject({ code: 0, err: warning });
  expect(await run('explain', ...given, '-p', '1')).toMatchObject({ code: 0, err: warning });
  expect(await run('rewrite', ...given, '-o', file, '-q')).toEqual({ code: 0, out: '', err: '' });
});

describe('errors', () => {
  const words = scenarioWords('nat-tcp');
  const folder = scratch();
  const out = join(folder, 'o.pcap');
  const cli = kernel('nat-tcp', 'cli-in');
  const rules = join(KERNEL, 'nat-tcp/rules.txt');
  const network = join(words.folder, 'net.json');

  async function refused(...argv: string[]): Promise<string> {
    const { code, out: data, err } = await run('rewrite', ...argv);
    expect({ code, data }).toEqual({ code: 2, data: '' });
    expect(err).toMatch(/^ipvs-wasm: [^\n]+\n$/);
    return err.slice('ipvs-wasm: '.length, -1);
  }

  test('of rules and the network name file and line', async () => {
    const badRules = join(folder, 'rules.txt');
    writeFileSync(badRules, '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r nowhere -m\n');
    const start = ['-i', `cli=${cli}`, '-o', out];
    expect(await refused(...start, '--rules', badRules, '--network', network)).toMatch(`${badRules}:2:`);
    const twice = join(folder, 'twice.txt');
    writeFileSync(twice, '\n-A -t 10.0.0.100:80\n-A -t 10.0.0.100:80\n');
    expect(await refused(...start, '--rules', network, '--network', network)).toMatch('this is JSON, and no rules');
    expect(await refused(...start, '--rules', twice, '--network', network)).toMatch(`${twice}:3:`);
    const badNetwork = join(folder, 'net.json');
    writeFileSync(badNetwork, '{\n  "addr": [\n');
    expect(await refused(...start, '--rules', rules, '--network', badNetwork)).toMatch(`${badNetwork}:3:`);
  });

  test.each<[string, string[], string]>([
    ['no input', ['-o', out], '-i NAME=FILE is needed'],
    ['no output', ['-i', `cli=${cli}`], '-o FILE is needed'],
    ['an unknown interface', ['-i', `eth9=${cli}`, '-o', out], 'the network has no interface eth9'],
    ['an unknown out interface', ['-i', `cli=${cli}`, '-o', `eth9=${out}`], 'the network has no interface eth9'],
    ['an interface that is not said', ['-i', cli, '-o', out], ': packet 1: which interface received it?'],
    ['an input that is not there', ['-i', 'cli=/nowhere.pcap', '-o', out], '/nowhere.pcap: no such file or directory'],
    ['an output as input', ['-i', `cli=${cli}`, '-o', cli], 'is an input'],
    ['one output twice', ['-i', `cli=${cli}`, '-o', out, '-o', `srv=${out}`], 'is named twice'],
    ['a packed output', ['-i', `cli=${cli}`, '-o', `${out}.gz`], 'captures are not packed here, leave out .gz'],
    ['nothing that can leave', ['-i', `cli=${cli}`, '-o', `lo=${out}`], 'nothing leaves by lo'],
    ['an unknown switch', ['-i', `cli=${cli}`, '-o', out, '--sysctl', 'ip_forwrd=1'], "'ip_forwrd' is none of"],
    ['a bad switch', ['-i', `cli=${cli}`, '-o', out, '--sysctl', 'ip_forward=yes'], 'takes a number'],
    ['a switch out of range', ['-i', `cli=${cli}`, '-o', out, '--sysctl', 'drop_entry=4'], 'from 0 to 3'],
    ['a bad mark', ['-i', `cli=${cli}`, '-o', out, '--mark', 'cli=4294967296'], "--mark takes '[INTERFACE]"],
    ['a mark of no interface', ['-i', `cli=${cli}`, '-o', out, '--mark', '5'], "--mark takes '[INTERFACE]"],
    ['a mark of an unknown one', ['-i', `cli=${cli}`, '-o', out, '--mark', 'x=5'], 'the network has no interface x'],
    ['a bad ECN mode', ['-i', `cli=${cli}`, '-o', out, '--ecn', 'rfc3168'], '--ecn takes kernel, rfc6040, copy'],
    ['a bad seed', ['-i', `cli=${cli}`, '-o', out, '--seed', 'x'], '--seed takes'],
    ['a bad burst', ['-i', `cli=${cli}`, '-o', out, '--burst', '257'], 'from 1 to 256'],
    ['a bad format', ['-i', `cli=${cli}`, '-o', out, '--format', 'erf'], 'pcap or pcapng'],
    ['two users of standard output', ['-i', `cli=${cli}`, '-o', '-', '--json'], 'both want standard output'],
    ['two users of standard input', ['-i', 'cli=-', '-i', 'srv=-', '-o', out], 'can be given once'],
    ['an unknown option', ['--nothing'], "'--nothing': ipvs-wasm rewrite --help lists them"],
    ['an option given twice', ['--rules', rules], '--rules is given twice'],
    [
      'a mark given twice',
      ['-i', `cli=${cli}`, '-o', out, '--mark', 'cli=7', '--mark', 'cli=8'],
      "--mark cli=8: 'cli=7' takes these packets already",
    ],
    [
      'a switch given twice',
      ['-i', `cli=${cli}`, '-o', out, '--sysctl', 'ip_forward=1,net.ipv4.ip_forward=0'],
      'net.ipv4.ip_forward is given twice',
    ],
    ['an input that is a folder', ['-i', `cli=${folder}`, '-o', out], `${folder}: is a directory`],
    ['a full device', ['-i', `cli=${cli}`, '-o', '/dev/full'], '/dev/full: no space left on device'],
  ])('name %s', async (_, argv, expected) => {
    expect(await refused('--rules', rules, '--network', network, ...argv)).toContain(expected);
  });

  test('name what is missing', async () => {
    expect(await refused('-i', cli)).toBe('--rules is needed');
    expect(await refused('-i', cli, '--rules', '/nowhere', '--network', network)).toBe(
      '/nowhere: no such file or directory',
    );
    expect(await refused('-i', cli, '--rules', folder, '--network', network)).toBe(`${folder}: is a directory`);
    expect(await refused('-i', cli, '--rules', rules, '--network', folder)).toBe(`${folder}: is a directory`);
  });

  test('of a link type that does not fit name both', async () => {
    const raw = join(folder, 'cli.pcap');
    const bytes = Buffer.from(readFileSync(cli));
    bytes.writeUInt32LE(101, 20);
    writeFileSync(raw, bytes);
    expect(await refused('--rules', rules, '--network', network, '-i', raw, '-o', out)).toBe(
      `${raw}: packet 1: link type 101 (RAW), but frames of interface cli start with an Ethernet header`,
    );
  });
});

test('an interrupt leaves whole files', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const file = join(folder, 'out.pcap');
  const { code, out } = await runWith({ stop: AbortSignal.abort() }, 'rewrite', ...words, '-o', file, '--json');
  expect(code).toBe(130);
  const summary = JSON.parse(out) as { interrupted: boolean; packets: { out: number } };
  expect(summary.interrupted).toBe(true);
  expect(await framesOf(file)).toHaveLength(summary.packets.out);
});

test('sysctls are set', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const options = ['--sysctl', 'net.ipv4.ip_forward=0,pmtu_disc=1', '--json', '-o', join(folder, 'o.pcap')];
  const { out } = await run('rewrite', ...words, ...options);
  expect(JSON.parse(out)).toMatchObject({
    fates: [
      { verdict: 'forward', reason: 'nat-in', packets: 54 },
      { verdict: 'pass', reason: 'not-forwarding', packets: 44 },
    ],
  });
});

test('the switch of IPv6 has another name in full', async () => {
  const { folder, words } = scenarioWords('nat6');
  const options = ['--sysctl', 'net.ipv6.conf.all.forwarding=0', '--json', '-o', join(folder, 'o.pcap')];
  const { out } = await run('rewrite', ...words, ...options);
  expect((JSON.parse(out) as { fates: unknown[] }).fates).toContainEqual({
    verdict: 'pass',
    reason: 'not-forwarding',
    packets: expect.any(Number),
  });
});

test('frames have the mark of their interface, for the services of marks', async () => {
  const { folder, words } = scenarioWords('dr-tcp');
  const rules = join(folder, 'marks.txt');
  writeFileSync(rules, '-A -f 5 -s rr\n-a -f 5 -r 10.1.0.11 -g\n');
  const given = words.with(words.indexOf('--rules') + 1, rules);
  const reasons = async (...options: string[]) => {
    const { out, err } = await run('rewrite', ...given, ...options, '--json', '-o', join(folder, 'o.pcap'));
    expect(err.includes('no --mark gives the firewall mark 5')).toBe(!options[1]?.match(/5$/));
    return (JSON.parse(out) as { fates: { reason: string }[] }).fates.map(({ reason }) => reason);
  };
  expect(await reasons('--mark', 'cli=0x5')).toEqual(['direct-route']);
  // A packed capture is not judged where it was read.
  const packed = join(folder, 'cli.gz');
  writeFileSync(packed, gzipSync(readFileSync(kernel('dr-tcp', 'cli-in'))));
  given[1] = `cli=${packed}`;
  expect(await reasons('--mark', 'cli=5')).toEqual(['direct-route']);
  for (const options of [[], ['--mark', 'srv=5'], ['--mark', 'cli=6'], ['--mark', 'cli=0']]) {
    expect(await reasons(...options), options.join(' ')).not.toContain('direct-route');
  }
  const { out } = await run('explain', ...given, '--mark', 'cli=5', '-p', '2');
  expect(out).toContain('reason direct-route');
});

test('what servers send goes out by SNAT, if the rules say so', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const rules = join(folder, 'snat.txt');
  writeFileSync(rules, '-A -f 7 -s rr\n-a -f 7 -r 10.0.0.1 --snat\n');
  const given = words.with(words.indexOf('--rules') + 1, rules);
  const options = ['--mark', 'srv from 10.1.0.0/24 = 7', '--sysctl', 'sloppy_tcp=1'];
  const { out } = await run('rewrite', ...given, ...options, '--json', '-o', join(folder, 'o.pcap'));
  const { fates } = JSON.parse(out) as { fates: object[] };
  // RSTs begin nothing.
  expect(fates).toEqual(
    expect.arrayContaining([
      { verdict: 'forward', reason: 'snat-in', packets: 42 },
      { verdict: 'drop', reason: 'no-connection', packets: 2 },
    ]),
  );
});

test("the ECN field of outer headers can be another than the kernel's", async () => {
  const { folder, words } = scenarioWords('tun-ipip-fields');
  const bytes = async (...options: string[]) => {
    const file = join(folder, 'ecn.pcap');
    expect(await run('rewrite', ...words, ...options, '-o', file)).toMatchObject({ code: 0, err: '' });
    return readFileSync(file).toString('hex');
  };
  const kernel = await bytes();
  expect(await bytes('--ecn', 'kernel')).toBe(kernel);
  const [strict, copied] = [await bytes('--ecn', 'rfc6040'), await bytes('--ecn', 'copy')];
  expect(new Set([kernel, strict, copied]).size).toBe(3);
});

test('the name of a file names its interface', async () => {
  const { folder, words } = scenarioWords('dr-tcp');
  const file = join(folder, 'cli.pcap');
  writeFileSync(file, readFileSync(kernel('dr-tcp', 'cli-in')));
  const { out } = await run('rewrite', '-i', file, ...words.slice(4), '-o', join(folder, 'o.pcap'), '--json');
  expect(JSON.parse(out)).toMatchObject({ fates: [{ reason: 'direct-route' }] });
});
