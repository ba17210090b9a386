/** `--from FILE`: a run that goes on from the state of another. */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { framesOf, KERNEL, kernel, networkJson, run, scenarioWords, scratch } from './support.js';

/** Splits a recorded capture, little-endian with nanoseconds or microseconds, at a moment: gives the names of two files. */
function split(file: string, at: number, folder: string): [string, string] {
  const bytes = readFileSync(file);
  const fraction = bytes.readUInt32LE(0) === 0xa1b2_3c4d ? 1e9 : 1e6;
  const halves: [Buffer[], Buffer[]] = [[bytes.subarray(0, 24)], [bytes.subarray(0, 24)]];
  for (let offset = 24; offset < bytes.length; ) {
    const time = bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) / fraction;
    const end = offset + 16 + bytes.readUInt32LE(offset + 8);
    halves[time < at ? 0 : 1].push(bytes.subarray(offset, end));
    offset = end;
  }
  const name = basename(file).includes('cli') ? 'cli' : 'srv';
  return halves.map((parts, half) => {
    const path = join(folder, `${half}-${name}.pcap`);
    writeFileSync(path, Buffer.concat(parts));
    return path;
  }) as [string, string];
}

/** When the packet with that number, from 0, was captured, in seconds. */
function timeOf(file: string, number: number): number {
  const bytes = readFileSync(file);
  const fraction = bytes.readUInt32LE(0) === 0xa1b2_3c4d ? 1e9 : 1e6;
  let offset = 24;
  for (let i = 0; i < number; i++) offset += 16 + bytes.readUInt32LE(offset + 8);
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) / fraction;
}

const rules = ['--rules', join(KERNEL, 'nat-tcp/rules.txt')];

describe('--from', () => {
  test.each(['nat-tcp', 'sched-rr', 'persist'])('two runs do what one does (%s)', async (scenario) => {
    const { folder, words } = scenarioWords(scenario);
    const [cli, srv] = ['cli-in', 'srv-in'].map((name) => kernel(scenario, name)) as [string, string];
    const middle = timeOf(cli, 23);
    const [clients, servers] = [split(cli, middle, folder), split(srv, middle, folder)];
    const [whole, one, other, state] = ['whole', 'one', 'other', 'state'].map((name) => join(folder, `${name}.pcap`));
    await run('rewrite', ...words, '-q', '-o', whole!);
    const first = words.map((word) => word.replace(cli, clients[0]).replace(srv, servers[0]));
    expect(await run('rewrite', ...first, '-q', '-o', one!, '--state', state!)).toEqual({ code: 0, out: '', err: '' });
    const rest = ['-i', `cli=${clients[1]}`, '-i', `srv=${servers[1]}`];
    expect(await run('rewrite', ...rest, '-q', '--from', state!, '-o', other!)).toEqual({ code: 0, out: '', err: '' });
    const halves = [await framesOf(one!), await framesOf(other!)];
    expect(halves.map((frames) => frames.length > 0)).toEqual([true, true]);
    expect(halves.flat()).toEqual(await framesOf(whole!));
  });

  test('explain meets the connections of before', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const cli = kernel('nat-tcp', 'cli-in');
    const [before, rest] = split(cli, timeOf(cli, 23), folder);
    const state = join(folder, 'lvs.state');
    const first = words.map((word) => word.replace(cli, before));
    await run('rewrite', ...first, '-q', '-o', join(folder, 'out.pcap'), '--state', state);
    const told = await run('explain', '-i', `cli=${rest}`, '--from', state, '--packet', '1', '--json');
    expect(JSON.parse(told.out)).toMatchObject({ connection: { opened: false } });
  });

  test('takes what ipvsadm made, with a network and more room', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const [state, out, whole] = ['lvs.state', 'out.pcap', 'whole.pcap'].map((name) => join(folder, name));
    await run('ipvsadm', '--state', state!, '-A', '-t', '10.0.0.100:80', '-s', 'rr');
    const captures = words.slice(0, 4);
    const bare = await run('rewrite', ...captures, '--from', state!, '-o', out!);
    expect(bare).toMatchObject({
      code: 2,
      err: `ipvs-wasm: --from ${state}: there is no network in it: --network is needed\n`,
    });
    const network = words.slice(-2);
    for (const words of readFileSync(rules[1]!, 'utf8').trim().split('\n').slice(1)) {
      await run('ipvsadm', '--state', state!, ...words.split(' '));
    }
    const more = ['--connections', '100000', '--sysctl', 'ip_forward=1'];
    const ran = await run('rewrite', ...captures, ...network, '--from', state!, ...more, '-q', '-o', out!);
    expect(ran).toEqual({ code: 0, out: '', err: '' });
    await run('rewrite', ...words, '-q', '-o', whole!);
    expect(await framesOf(out!)).toEqual(await framesOf(whole!));
  });

  test.each([
    ['with --rules', [...rules], '--rules and --from exclude each other: the state says it'],
    ['with --seed', ['--seed', '4'], '--seed and --from exclude each other: the state says it'],
    ['no room at all', ['--connections', '0'], '--connections takes a number from 1 to 8388608'],
  ])('is refused %s', async (_, words, message) => {
    const folder = scratch();
    const state = join(folder, 'lvs.state');
    writeFileSync(join(folder, 'net.json'), networkJson('nat-tcp'));
    await run('ipvsadm', '--state', state, '-A', '-t', '10.0.0.100:80');
    const given = ['-i', `cli=${kernel('nat-tcp', 'cli-in')}`, '--network', join(folder, 'net.json'), '--from', state];
    const ran = await run('rewrite', ...given, ...words, '-o', join(folder, 'out.pcap'));
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain(message);
  });

  test('names what is not there, and what is no state', async () => {
    const given = ['-i', `cli=${kernel('nat-tcp', 'cli-in')}`, '-o', join(scratch(), 'out.pcap')];
    const missing = await run('rewrite', ...given, '--from', 'no.state');
    expect(missing).toMatchObject({ code: 2, err: 'ipvs-wasm: --from no.state: there is no such file\n' });
    const other = await run('rewrite', ...given, '--from', rules[1]!);
    expect(other.code).toBe(2);
    expect(other.err).toContain('it does not begin with "IPVSSNAP"');
  });
});
