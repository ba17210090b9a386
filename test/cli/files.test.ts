import { copyFileSync, cpSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileIdentity } from '../../src/cli/file-identity.js';
import { KERNEL, networkJson, run, scenarioWords, scratch } from './support.js';

const ROOT = join(import.meta.dirname, '../..');

describe('an output that is a file of the run under another name is refused', () => {
  const { words } = scenarioWords('nat-tcp');
  const folder = scratch();
  const at = (name: string) => join(folder, name);
  mkdirSync(at('in'));
  copyFileSync(join(KERNEL, 'nat-tcp/cli-in.pcap'), at('cli.pcap'));
  copyFileSync(words[words.indexOf('--rules') + 1]!, at('rules.txt'));
  copyFileSync(words[words.indexOf('--network') + 1]!, at('net.json'));
  linkSync(at('cli.pcap'), at('hard.pcap'));
  symlinkSync('rules.txt', at('soft.txt'));
  symlinkSync('new.pcapng', at('dangling.pcapng'));
  symlinkSync('.', at('here'));
  const given = ['-i', at('cli.pcap'), '--rules', at('rules.txt'), '--network', at('net.json')];

  test.each([
    ['a detour to another output', ['new.pcapng', 'srv=in/../new.pcapng'], 'is named twice as an output'],
    ['a folder that is a link', ['new.pcapng', 'srv=here/new.pcapng'], 'is named twice as an output'],
    ['a link to an output that is not there yet', ['dangling.pcapng', 'srv=new.pcapng'], 'is named twice as an output'],
    ['a hard link to an input', ['hard.pcap'], 'is an input, it cannot be an output too'],
    ['a detour to an input', ['in/../cli.pcap'], 'is an input, it cannot be an output too'],
    ['the rules', ['rules.txt'], 'is the rules, it cannot be an output too'],
    ['a link to the rules', ['new.pcap', 'soft.txt'], 'is the rules, it cannot be an output too'],
    ['the network', ['srv=here/net.json'], 'is the network, it cannot be an output too'],
  ])('%s', async (_, outputs, message) => {
    const before = ['cli.pcap', 'rules.txt', 'net.json'].map((name) => readFileSync(at(name), 'latin1'));
    const out = outputs.flatMap((word) => {
      const [name, file] = word.includes('=') ? word.split('=') : ['', word];
      return ['-o', `${name === '' ? '' : `${name}=`}${folder}/${file}`];
    });
    const ran = await run('rewrite', ...given, ...out);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain(message);
    expect(['cli.pcap', 'rules.txt', 'net.json'].map((name) => readFileSync(at(name), 'latin1'))).toEqual(before);
    expect(fileIdentity(at('new.pcap'), 1), 'nothing was opened').toBe(at('new.pcap'));
  });

  test.each([
    ['rules.txt', 'it does not begin with "IPVSSNAP"'],
    ['soft.txt', 'it does not begin with "IPVSSNAP"'],
    ['net.json', 'it does not begin with "IPVSSNAP"'],
    ['cli.pcap', 'it does not begin with "IPVSSNAP"'],
    ['in', 'it is no file'],
    ['new.pcap', 'is the state, it cannot be an output too'],
  ])('no state in %s', async (name, message) => {
    const before = ['cli.pcap', 'rules.txt', 'net.json'].map((each) => readFileSync(at(each), 'latin1'));
    const ran = await run('rewrite', ...given, '-o', at('new.pcap'), '--state', at(name));
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain(message);
    expect(['cli.pcap', 'rules.txt', 'net.json'].map((each) => readFileSync(at(each), 'latin1'))).toEqual(before);
  });

  test('nor in a device, but in place of another state', async () => {
    expect(await run('rewrite', ...given, '-o', at('new.pcap'), '--state', '/dev/null')).toMatchObject({ code: 2 });
    const again = () => run('rewrite', ...given, '-q', '-o', at('other.pcap'), '--state', at('state'));
    expect([(await again()).code, (await again()).code]).toEqual([0, 0]);
    expect(readFileSync(at('state'), 'latin1')).toMatch(/^IPVSSNAP/);
  });

  test('standard output twice', async () => {
    const { code, err } = await run('rewrite', ...given, '-o', '-', '-o', 'srv=-');
    expect({ code, err }).toEqual({ code: 2, err: 'ipvs-wasm: standard output is named twice as an output\n' });
  });

  test('but what is no file may be named again', () => {
    expect(fileIdentity('/dev/null', 1)).toBeUndefined();
    expect(fileIdentity(at('no/such/folder'), 1)).toBe(at('no/such/folder'));
  });
});

test('standard input has one user', async () => {
  const { words } = scenarioWords('nat-tcp');
  const out = ['-o', join(scratch(), 'o.pcap')];
  for (const [option, before] of [
    ['--rules', '--network'],
    ['--network', '--rules'],
  ] as const) {
    const other = words[words.indexOf(before) + 1]!;
    for (const command of [
      ['rewrite', ...out],
      ['explain', '-p', '1'],
    ]) {
      const { code, err } = await run(...command, '-i', 'cli=-', option, '-', before, other);
      expect({ code, err }).toEqual({ code: 2, err: `ipvs-wasm: ${option} and -i cannot both be standard input\n` });
    }
  }
});

test('a network as large as one likes is taken, and one that is wrong as a whole names its file', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const file = join(folder, 'many.json');
  const given = words.with(words.indexOf('--network') + 1, file);
  const network = JSON.parse(networkJson('nat-tcp')) as { addr: Record<string, unknown>[] };
  const more = Array.from({ length: 70 }, (_, i) => ({ ...network.addr.at(-1), ifname: `eth${i}`, addr_info: [] }));
  writeFileSync(file, JSON.stringify({ ...network, addr: [...network.addr, ...more] }));
  const taken = await run('rewrite', ...given, '-q', '-o', join(folder, 'o.pcap'));
  expect(taken).toEqual({ code: 0, out: '', err: '' });
  const fou = Array.from({ length: 100 }, (_, i) => ({ port: 6080 + i, gue: null }));
  writeFileSync(file, JSON.stringify({ ...network, fou }));
  const { code, err } = await run('rewrite', ...given, '-o', join(folder, 'p.pcap'));
  expect(code).toBe(2);
  expect(err).toMatch(new RegExp(`^ipvs-wasm: ${file}: fou\\[\\d+\\]: expected at most \\d+ ports, got more\n$`));
});

test('sysctls of no name that the director knows are refused', async () => {
  const { folder, words } = scenarioWords('nat-tcp');
  for (const name of ['toString', '__proto__', '']) {
    const { code, err } = await run('rewrite', ...words, '--sysctl', `${name}=1`, '-o', join(folder, 'o.pcap'));
    expect(code, name).toBe(2);
    expect(err).toContain(`--sysctl: '${name}' is none of ip_forward, pmtu_disc, `);
  }
});

describe('the commands of the documentation run as they stand', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const examples = readme.split('\n').filter((line) => /^npx ipvs-wasm (rewrite|explain) /.test(line));
  for (const command of ['rewrite', 'explain']) {
    const { out } = await run(command, '--help');
    examples.push(out.slice(out.indexOf('Example:\n') + 9).replaceAll('\\\n', ' '));
  }
  const folder = scratch();
  // What README.md sends its reader to.
  expect(readme).toContain('`cd examples/nat`');
  cpSync(join(ROOT, 'examples/nat'), folder, { recursive: true });
  for (const side of ['cli', 'srv']) copyFileSync(join(folder, `${side}-in.pcap`), join(folder, `${side}.pcap`));

  test('there are some', () => {
    expect(examples).toHaveLength(4);
  });

  test.each(examples)('%s', async (example) => {
    const argv = example.trim().split(/\s+/);
    const start = argv.indexOf('ipvs-wasm') + 1;
    const placed = argv.slice(start).map((word) => word.replace(/[\w-]+\.(pcap|pcapng|txt|json)$/, `${folder}/$&`));
    expect(await run(...placed)).toMatchObject({ code: 0, err: '' });
  });
});
