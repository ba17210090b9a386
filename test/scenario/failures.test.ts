import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { IpvsError } from '../../src/errors.js';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';
import { type Crafted, craft, type Script, Scripted, type Timed, temporary } from './folder.js';
import { bytes, tcpFrame } from './packets.js';

const parent = temporary();
afterAll(() => rmSync(parent, { recursive: true }));

let count = 0;
function run(crafted: Crafted, script: Script): Promise<ScenarioResult> {
  return verifyScenario(craft(parent, `case-${++count}`, crafted), () => new Scripted(script));
}

/** Client packets 1, 2, …, told apart by their source port. */
const packets = Array.from({ length: 6 }, (_, i) => tcpFrame({ sport: 40001 + i, dport: 80 }));
const timed = (frames: Uint8Array[], at = 0): Timed[] => frames.map((data, i) => ({ at: at + i * 10, data }));
/** Sends everything on unchanged. */
const through: Script = () => [{}];
const good: Crafted = { cliIn: timed(packets), srvOut: timed(packets, 1) };

describe('what a note leaves out', () => {
  const rule = (capture: string, frames: unknown, rest = {}) => ({
    rule: 'fragments',
    why: 'later',
    capture,
    frames,
    ...rest,
  });

  it('is neither fed nor expected, and is named', async () => {
    const seen: number[] = [];
    const note = { leftOut: [rule('cli-in', [2, 3]), rule('srv-out', [2, 3])] };
    const result = await run({ ...good, note }, (frame) => {
      seen.push(frame[35]!);
      return [{}];
    });
    expect(seen).toHaveLength(4);
    expect(result).toMatchObject({ passed: true, matched: 4, expected: 4, leftOut: note.leftOut });
  });

  it('keeps the numbers of the file', async () => {
    const note = { leftOut: [rule('cli-in', [1]), rule('srv-out', [1])] };
    const result = await run({ ...good, note }, (_, i) => (i === 0 ? [] : [{}]));
    expect(result.differences[0]).toMatchObject({ kind: 'missing', frame: 2 });
  });

  it.each([
    [{}, 'expected {"leftOut": [...]}'],
    [{ leftOut: [], other: 1 }, "unknown key 'other'"],
    [{ leftOut: [1] }, 'leftOut[0]: expected an object'],
    [{ leftOut: [rule('eth0', [1])] }, 'leftOut[0].capture: expected one of'],
    [{ leftOut: [rule('cli-in', [])] }, 'leftOut[0].frames'],
    [{ leftOut: [rule('cli-in', [0])] }, 'leftOut[0].frames'],
    [{ leftOut: [rule('cli-in', [7])] }, 'cli-in has 6 frames, no frame 7'],
    [{ leftOut: [rule('cli-in', [1]), rule('cli-in', [1])] }, 'left out twice'],
    [{ leftOut: [rule('cli-in', [1], { why: ' ' })] }, "'rule' and 'why'"],
    [{ leftOut: [rule('cli-in', [1], { frame: 1 })] }, "unknown key 'frame'"],
  ])('has to be in its form: %j', async (note, text) => {
    const result = await run({ ...good, note }, through);
    expect(result).toMatchObject({ passed: false, error: expect.stringContaining(text) });
    expect(result.error).toContain('note.json');
  });
});

describe('a scenario fails', () => {
  it.each([
    [
      { kind: 'cmd', ns: 'director', cmd: 'ip link add x type dummy' },
      'event 1 (ip link add x type dummy): not handled',
    ],
    [
      { kind: 'cmd', ns: 'director', cmd: 'ip link set eth7 up' },
      'event 1 (ip link set eth7 up): there is no interface eth7',
    ],
    [
      { kind: 'cmd', ns: 'director', cmd: 'ipvsadm -A -t 10.0.0.100:80 -s fastest' },
      'event 1 (ipvsadm -A -t 10.0.0.100:80 -s fastest): ',
    ],
    [{ kind: 'cmd', cmd: 'iptables -F' }, 'event 1 (iptables -F): not handled by netfilter here: -F'],
    [
      { kind: 'sysctl', ns: 'director', set: 'net/ipv4/vs/backup_only=1' },
      'event 1 (net/ipv4/vs/backup_only=1): a sysctl that is not handled',
    ],
    [{ kind: 'sysctl', ns: 'director', set: 'net/ipv4/vs/sloppy_tcp=x' }, "expected a number, got 'x'"],
    [{ kind: 'reboot', ns: 'director' }, 'not handled'],
  ])('at the event %j', async (event, text) => {
    const result = await run({ ...good, events: [{ at: 15, ...event }] }, through);
    expect(result.passed).toBe(false);
    expect(result.error).toContain(text);
    // What came before it was still compared.
    expect(result).toMatchObject({ matched: 2, expected: 6, differences: [] });
  });

  it('when the director refuses a rule', async () => {
    const folder = craft(parent, 'refused', {
      ...good,
      events: [{ at: -1, kind: 'cmd', ns: 'director', cmd: 'ipvsadm -D -t 10.0.0.100:80' }],
    });
    const target = new Scripted(through);
    target.deleteService = () => {
      throw new IpvsError('NO_SUCH_SERVICE', 'no such service');
    };
    const result = await verifyScenario(folder, () => target);
    expect(result).toMatchObject({
      passed: false,
      matched: 0,
      error: expect.stringMatching(/event 1 .*no such service/),
    });
    expect(target.closed).toBe(1);
  });

  it('when the director breaks', async () => {
    const result = await run(good, () => {
      throw new TypeError('broken');
    });
    expect(result).toMatchObject({
      passed: false,
      matched: 0,
      expected: 6,
      error: expect.stringContaining('TypeError: broken'),
    });
  });

  it('when nothing is fed', async () => {
    expect(await run({}, through)).toMatchObject({
      passed: false,
      error: expect.stringContaining('nothing was verified'),
    });
  });

  it('on a damaged capture', async () => {
    for (const name of ['cli-in', 'srv-in', 'cli-out', 'srv-out']) {
      const folder = craft(parent, `damaged-${name}`, {
        cliIn: timed(packets),
        srvIn: timed(packets),
        cliOut: timed(packets),
        srvOut: timed(packets),
      });
      truncateSync(join(folder, `${name}.pcap`), 100);
      const result = await verifyScenario(folder, () => new Scripted(through));
      expect(result.passed).toBe(false);
      expect(result.error).toMatch(new RegExp(`${name}\\.pcap: at byte \\d+, after packet 1: `));
    }
  });

  it('on a capture that ends early between two frames', async () => {
    const result = await run({ ...good, packets: { 'srv-out': 7 } }, through);
    expect(result).toMatchObject({ passed: false, error: 'srv-out.pcap: 6 frames, scenario.json says 7' });
  });

  it('without the number of frames of each capture', async () => {
    for (const name of ['cli-in', 'srv-in', 'cli-out', 'srv-out']) {
      for (const stated of ['{}', '7', '{"packets":"6"}', undefined]) {
        const folder = craft(parent, `unstated-${++count}`, good);
        const file = join(folder, 'scenario.json');
        const scenario = JSON.parse(readFileSync(file, 'utf8')) as { captures: Record<string, unknown> };
        scenario.captures[name] = stated === undefined ? undefined : JSON.parse(stated);
        writeFileSync(file, JSON.stringify(scenario));
        const result = await verifyScenario(folder, () => new Scripted(through));
        expect(result.passed, stated).toBe(false);
        expect(result.error).toBe(`scenario.json: captures.${name}.packets: expected the number of frames`);
      }
    }
  });

  it.each(['-1', '1.5', '1e18', '"soon"', '""', '"0x10"', '" 5"', 'null', '[5]'])(
    'at an event whose time is %s',
    async (time) => {
      const folder = craft(parent, `time-${++count}`, {
        ...good,
        events: [
          { at: 1, kind: 'note' },
          { at: 2, kind: 'cmd', cmd: 'ipvsadm -C' },
          { at: 3, kind: 'cmd', cmd: 'ipvsadm -C' },
        ],
      });
      const file = join(folder, 'scenario.json');
      const text = readFileSync(file, 'utf8');
      const [, , last] = [...text.matchAll(/"t_ns": \d+/g)];
      writeFileSync(file, text.replace(last![0], `"t_ns": ${time}`));
      const result = await verifyScenario(folder, () => new Scripted(through));
      expect(result.passed).toBe(false);
      expect(result.error).toMatch(/^scenario\.json: event 3: t_ns: expected a whole number of ns, got /);
      expect(result.error).toContain(time.replaceAll('"', ''));
    },
  );

  it('without a capture or a scenario.json, or with one that does not parse', async () => {
    for (const file of ['cli-in.pcap', 'srv-out.pcap', 'scenario.json']) {
      const folder = craft(parent, `without-${file}`, good);
      rmSync(join(folder, file));
      expect((await verifyScenario(folder, () => new Scripted(through))).error).toMatch(/ENOENT/);
    }
    for (const text of ['{', '[]', '{}', '{"events":[{}]}', '{"events":[{"kind":"cmd","t_ns":1.5,"cmd":"x"}]}']) {
      const folder = craft(parent, `bad-${++count}`, good);
      writeFileSync(join(folder, 'scenario.json'), text);
      expect((await verifyScenario(folder, () => new Scripted(through))).error, text).toMatch(
        /scenario\.json:(\d+:\d+:)? /,
      );
    }
  });

  it('on what is no Ethernet, or cut off by the capture', async () => {
    const folder = craft(parent, 'raw', good);
    const file = join(folder, 'cli-in.pcap');
    writeFileSync(file, bytes('4d3cb2a1 0200 0400 00000000 00000000 00000400 65000000'));
    appendFileSync(file, bytes('00000000 00000000 01000000 01000000 45'));
    expect((await verifyScenario(folder, () => new Scripted(through))).error).toBe(
      'cli-in.pcap: not an Ethernet capture',
    );
    writeFileSync(file, bytes('4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000'));
    appendFileSync(file, bytes('00000000 00000000 01000000 3c000000 45'));
    expect((await verifyScenario(folder, () => new Scripted(through))).error).toBe(
      'cli-in.pcap: frame 1 was cut off by the capture',
    );
  });
});
