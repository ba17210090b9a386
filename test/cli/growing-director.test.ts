/** Directors of the commands, whose tables become larger where rules need it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileSink, LINKTYPE_ETHERNET, PcapWriter } from '../../src/capture/index.js';
import { GrowingDirector } from '../../src/cli/growing-director.js';
import { Director } from '../../src/index.js';
import { fromClient, lab, NAT, request, SERVERS, TCP_KEY } from '../support/lab.js';
import { ethernet, SYN, tcp } from '../support/packets.js';
import { run, scratch } from './support.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const EXAMPLE = join(import.meta.dirname, '../../examples/nat');
const NETWORK = join(EXAMPLE, 'net.json');

/** As small as can be. */
const TINY = { connections: 64, connections6: 64, services: 1, dests: 1, schedulerBytes: 4096, localAddresses: 1 };

const SERVICE = '-t 10.0.0.100:80';
const LOCALS = ['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6'];
const RULES = [
  `-A ${SERVICE} -s rr`,
  ...LOCALS.map((address) => `--add-laddr ${SERVICE} --laddr ${address}`),
  `-a ${SERVICE} -r 10.1.0.11:8080 --fullnat -w 1`,
];

/** A file of these lines. */
function fileOf(lines: readonly string[]): string {
  const file = join(scratch(), 'rules.txt');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

/** A state file made by ipvsadm, a call a line. */
async function stateOf(lines: readonly string[], file = join(scratch(), 'lvs.state')): Promise<string> {
  for (const line of lines) {
    expect(await run('ipvsadm', '--state', file, ...line.split(' ')), line).toEqual({ code: 0, out: '', err: '' });
  }
  return file;
}

/** A capture of SYNs of one client, a port each. */
async function syns(count: number): Promise<string> {
  const file = join(scratch(), 'cli.pcap');
  const writer = new PcapWriter(new FileSink(file).write);
  writer.addInterface({ linkType: LINKTYPE_ETHERNET });
  for (let i = 0; i < count; i++) {
    const packet = tcp({ source: '10.0.0.2', destination: '10.0.0.100', sport: 10_000 + i, dport: 80, flags: SYN });
    const frame = ethernet('02:00:00:00:00:01', '02:00:00:00:00:02', packet, 0x0800);
    writer.write(1000, i, frame, 0, frame.length);
  }
  await writer.flush();
  return file;
}

describe('a state file', () => {
  it('gets room for what ipvsadm adds, whatever plan it has', async () => {
    const file = join(scratch(), 'lvs.state');
    writeFileSync(file, Director.createSync({ plan: TINY }).snapshot());
    const more = ['-A -t 10.0.0.101:80 -s mh', '-a -t 10.0.0.101:80 -r 10.1.0.11:80 -m -w 1'];
    await stateOf([...RULES, ...more, '-E -t 10.0.0.101:80 -s maglev'], file);
    const saved = (await run('ipvsadm', '--state', file, '-Sn')).out.trim().split('\n');
    expect(saved).toEqual([...RULES, more[0]!.replace('mh', 'maglev'), more[1]]);
  });

  it('gets a local address more after rewrite has left it', async () => {
    const state = join(scratch(), 'lvs.state');
    const words = ['-i', `cli=${await syns(2)}`, '--network', NETWORK, '-q', '-o', join(scratch(), 'out.pcap')];
    const rules = fileOf([RULES[0]!, RULES[1]!, RULES.at(-1)!]);
    expect(await run('rewrite', ...words, '--rules', rules, '--state', state)).toMatchObject({ code: 0, err: '' });
    await stateOf(RULES.slice(2, -1), state);
    const [service] = Director.restoreSync(readFileSync(state)).services();
    expect(service).toMatchObject({
      localAddresses: LOCALS,
      dests: [{ activeConnections: 2, inactiveConnections: 0 }],
    });
  });

  it('is not made, and not written, by what was refused', async () => {
    const file = join(scratch(), 'lvs.state');
    expect(await run('ipvsadm', '--state', file, '-D', '-f', '7')).toMatchObject({
      code: 255,
      err: 'No such service\n',
    });
    expect(existsSync(file)).toBe(false);
    await stateOf(['-C'], file);
    const { ino } = statSync(file);
    expect((await run('ipvsadm', '--state', file, '-D', '-f', '7')).code).toBe(255);
    expect(statSync(file).ino).toBe(ino);
    await stateOf(['-A -f 7'], file);
    expect(statSync(file).ino).not.toBe(ino);
  });

  it('has an extension for each connection by FullNAT, as rewrite --rules has', async () => {
    const state = await stateOf(RULES);
    const cli = await syns(1100);
    const summary = async (...words: string[]): Promise<unknown> => {
      const out = join(scratch(), 'out.pcap');
      const ran = await run('rewrite', '-i', `cli=${cli}`, '--network', NETWORK, ...words, '--json', '-o', out);
      return (JSON.parse(ran.out) as { fates: unknown }).fates;
    };
    const fates = [expect.objectContaining({ reason: 'fullnat-in', packets: 1100 })];
    expect(await summary('--from', state)).toEqual(fates);
    expect(await summary('--rules', fileOf(RULES))).toEqual(fates);
  });
});

describe('ipvsadm-restore', () => {
  const restore = (file: string, lines: readonly string[]) =>
    spawnSync(process.execPath, [MAIN, 'ipvsadm-restore', '--state', file], {
      input: `${lines.join('\n')}\n`,
      encoding: 'utf8',
    });

  it('takes as many local addresses, services and dests as there are', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `-A -f ${i + 1} -s wlc`);
    const file = join(scratch(), 'lvs.state');
    expect(restore(file, [...RULES, ...many])).toMatchObject({ status: 0, stderr: '' });
    const saved = (await run('ipvsadm', '--state', file, '-Sn')).out.trim().split('\n');
    expect(saved.sort()).toEqual([...RULES, ...many].sort());
  });

  it('names the lines that are refused, and ends as its last line does', async () => {
    const file = join(scratch(), 'lvs.state');
    const lines = ['# mine', '-A -f 7 -s wlc', '', '-A -f 7 -s rr', '-D -f 8', '-A -f 9 -s wlc'];
    const ran = restore(file, lines);
    expect(ran.stderr).toBe(
      'Service already exists\nipvs-wasm: standard input:4: refused: -A -f 7 -s rr\n' +
        'No such service\nipvs-wasm: standard input:5: refused: -D -f 8\n',
    );
    expect(ran.status).toBe(0);
    expect((await run('ipvsadm', '--state', file, '-Sn')).out).toBe('-A -f 7 -s wlc\n-A -f 9 -s wlc\n');
  });

  it('refuses what is no text', () => {
    const file = join(scratch(), 'lvs.state');
    const input = readFileSync(join(EXAMPLE, 'cli-in.pcap'));
    const ran = spawnSync(process.execPath, [MAIN, 'ipvsadm-restore', '--state', file], { input, encoding: 'utf8' });
    expect(ran).toMatchObject({ status: 2, stderr: expect.stringContaining('standard input: this is no text file') });
    expect(existsSync(file)).toBe(false);
  });
});

describe('GrowingDirector', () => {
  it('has an extension for each connection', () => {
    const extensions = (connections: number) => {
      const growing = new GrowingDirector(
        Director.createSync({ plan: { connections, connections6: 10, extensions: 1 } }),
      );
      return growing.director.plan.options.extensions;
    };
    expect([extensions(5), extensions(2000)]).toEqual([15, 2010]);
  });

  it('keeps connections while it grows', () => {
    const before = lab([NAT], { plan: { connections: 64, connections6: 64, services: 2, dests: 2 } });
    const [first] = before.send(fromClient(request('tcp')), 'cli', 1000);
    const growing = new GrowingDirector(before);
    for (const address of SERVERS.slice(1)) growing.addDest(TCP_KEY, { address, method: 'nat' });
    const { director } = growing;
    expect(director).not.toBe(before);
    expect(director.connections(1000)).toEqual([first!.connection]);
    expect(director.send(fromClient(request('tcp')), 'cli', 1001)[0]).toMatchObject({ reason: 'nat-in' });
    expect(director.connectionCount).toBe(1);
  });

  it('has room for a large network', () => {
    const growing = new GrowingDirector(lab([NAT], { plan: { connections: 64, connections6: 64 } }));
    const { network } = growing.director;
    const routes = Array.from({ length: 300 }, (_, i) => ({ dst: `10.9.${i >> 8}.${i & 255}/32`, dev: 'srv' }));
    growing.setNetwork({ ...network, routes });
    expect(growing.director.network.routes).toHaveLength(300);
  });

  it('grows until 4 GiB are full, and refuses then', () => {
    // Twice as much, again and again, would end at 1,536.
    const plan = { connections: 1, connections6: 1, localAddresses: 3 };
    const growing = new GrowingDirector(Director.createSync({ plan }));
    let count = 0;
    const fill = (): void => {
      for (let mark = 1; ; mark++) {
        growing.addService({ fwmark: mark });
        for (let i = 1; i <= 255; i++, count++) growing.addLocalAddress({ fwmark: mark }, `10.8.${mark}.${i}`);
      }
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'TABLE_FULL', option: 'localAddresses' }));
    // 2 MiB each, of 4 GiB.
    expect(count).toBeGreaterThan(1900);
    expect(growing.services().flatMap(({ localAddresses = [] }) => localAddresses)).toHaveLength(count);
  });

  it('leaves an error alone that no room helps', () => {
    const growing = new GrowingDirector(Director.createSync({ plan: TINY }));
    expect(() => growing.deleteService({ fwmark: 7 })).toThrow(expect.objectContaining({ code: 'NO_SUCH_SERVICE' }));
    expect(growing.hasChanged).toBe(false);
    growing.addService({ fwmark: 7 });
    expect(growing.hasChanged).toBe(true);
  });
});
