import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';
import { type Crafted, craft, type Script, Scripted, START, type Timed, temporary } from './folder.js';
import { C0_MAC, CLI_MAC, ether, icmp, ipv4, tcpFrame } from './packets.js';

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

describe('verifyScenario', () => {
  it('passes when every frame is there, in order', async () => {
    expect(await run(good, through)).toEqual({
      name: `case-${count}`,
      passed: true,
      matched: 6,
      expected: 6,
      host: [],
      masked: {},
      leftOut: [],
      differences: [],
      differenceCount: 0,
      listings: 0,
      listingDifferences: [],
      error: undefined,
    });
  });

  it('feeds both sides merged by time, events first and cli before srv at equal times', async () => {
    const folder = craft(parent, 'merged', {
      cliIn: [
        { at: 5, data: packets[0]! },
        { at: 8.5, data: packets[2]! },
      ],
      srvIn: [
        { at: 4.25, data: packets[3]! },
        { at: 5, data: packets[1]! },
      ],
      events: [
        { at: 5, kind: 'cmd', ns: 'director', cmd: 'ipvsadm -A -t 10.0.0.100:80 -s rr' },
        { at: 6, kind: 'sysctl', ns: 'director', set: 'net/ipv4/vs/sloppy_tcp=1' },
        { at: 6, kind: 'cmd', ns: 'rs1', cmd: 'ip link set tunl0 up' },
        { at: 6, kind: 'note', text: 'something' },
        { at: 6, kind: 'dump', label: 'x' },
        { at: 1, kind: 'sysctl', ns: 'director', set: 'net/ipv4/ip_forward=0' },
      ],
    });
    const target = new Scripted(() => []);
    const result = await verifyScenario(folder, (network) => {
      expect(network.interfaces.map(({ name }) => name)).toEqual(['lo', 'cli', 'srv']);
      return target;
    });
    expect(result.error).toBeUndefined();
    const start = Number(START / 1_000_000n);
    const at = (ms: number) => start + ms + Number(START % 1_000_000n) / 1e6;
    expect(
      target.calls.map((call) => call.replace(/(\d{13})(\.\d+)?/, (text) => `+${(Number(text) - at(0)).toFixed(2)}`)),
    ).toEqual([
      'advance +1.00',
      'setSysctl {"ip_forward":0}',
      'send srv +4.25',
      'advance +5.00',
      'addService {"protocol":"tcp","address":"10.0.0.100","port":80,"scheduler":"rr","flags":[]}',
      'send cli +5.00',
      'send srv +5.00',
      'advance +6.00',
      'setSysctl {"ip_forward":0,"sloppy_tcp":1}',
      'send cli +8.50',
    ]);
    expect(target.closed).toBe(1);
  });

  it('keeps the frames of captures that are larger than what is read at once', async () => {
    const data = Array.from({ length: 1400 }, (_, i) => i & 255);
    const many = Array.from({ length: 1000 }, (_, i) => tcpFrame({ sport: 10000 + i, dport: 80, data }));
    const result = await run({ cliIn: timed(many), srvOut: timed(many, 1) }, (_, i) => [{ frame: many[i]! }]);
    expect(result).toMatchObject({ passed: true, matched: 1000 });
  });

  it('compares each interface for itself', async () => {
    const script: Script = (_, i) => [{ outInterface: i % 2 === 0 ? 'cli' : 'srv' }];
    const even = packets.filter((_, i) => i % 2 === 0);
    const odd = packets.filter((_, i) => i % 2 === 1);
    const result = await run({ cliIn: timed(packets), cliOut: timed(even, 60), srvOut: timed(odd, 60) }, script);
    expect(result).toMatchObject({ passed: true, matched: 6, expected: 6 });
  });

  it('counts what the director made beside what it passed on', async () => {
    const error = (id: number) =>
      ether(
        CLI_MAC,
        C0_MAC,
        ipv4({
          src: '10.0.0.100',
          dst: '10.0.0.2',
          protocol: 1,
          id,
          payload: icmp(11, 0, [0, 0, 0, 0], packets[0]!.slice(14)),
        }),
      );
    const script: Script = () => [
      { verdict: 'drop', reason: 'ttl-exceeded' },
      { reason: 'time-exceeded', outInterface: 'cli', frame: error(2), made: true },
    ];
    const crafted = { cliIn: timed(packets.slice(0, 1)), cliOut: timed([error(1)], 1) };
    expect(await run(crafted, script)).toMatchObject({ passed: true, matched: 1, masked: { 'icmp-id': 1 } });
  });
});

describe('the pieces of a packet', () => {
  const piece = (id: number, fragment: number) =>
    ether(
      CLI_MAC,
      C0_MAC,
      ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 4, id, fragment, payload: packets[0]!.slice(14, 54) }),
    );
  const crafted = { cliIn: timed(packets.slice(0, 1)), srvOut: timed([piece(7, 0x2000), piece(7, 5)], 1) };
  const sending =
    (...ids: number[]): Script =>
    () => [
      { reason: 'tunnel-ipip', frame: piece(ids[0]!, 0x2000) },
      { reason: 'fragment', frame: piece(ids[1]!, 5), made: true },
    ];

  it('have one ID, which the director chose', async () => {
    expect(await run(crafted, sending(8, 8))).toMatchObject({ passed: true, matched: 2, masked: { 'outer-id': 2 } });
  });

  it('fail with two', async () => {
    const result = await run(crafted, sending(8, 9));
    expect(result).toMatchObject({ passed: false, matched: 1, differenceCount: 1 });
    expect(result.differences[0]?.text).toBe(
      'srv-out frame 2: outer-id of packet 1 expected 0x0007, got 0x0009 (fragment, from cli-in frame 1)',
    );
  });

  it('are of their own packet', async () => {
    const twice = { cliIn: timed(packets.slice(0, 2)), srvOut: timed([piece(7, 0x2000), piece(9, 5)], 1) };
    const script: Script = (_, i) => [{ reason: 'tunnel-ipip', frame: i === 0 ? piece(1, 0x2000) : piece(2, 5) }];
    expect(await run(twice, script)).toMatchObject({ passed: true, matched: 2 });
  });
});

describe('a difference', () => {
  const firstText = (result: ScenarioResult) => {
    expect(result.passed).toBe(false);
    return result.differences[0]?.text;
  };

  it('of one byte is told as a field', async () => {
    const script: Script = (frame, i) => {
      const copy = frame.slice();
      if (i === 2) copy[22] = 63;
      return [{ frame: copy, reason: 'nat-in' }];
    };
    const result = await run(good, script);
    expect(firstText(result)).toBe('srv-out frame 3: ip.ttl expected 64, got 63 (nat-in, from cli-in frame 3)');
    expect(result).toMatchObject({ matched: 5, expected: 6, differenceCount: 1 });
    expect(result.differences[0]).toMatchObject({ kind: 'field', capture: 'srv-out', frame: 3 });
  });

  it('is found for every byte of a frame', async () => {
    for (let at = 0; at < packets[0]!.length; at++) {
      const script: Script = (frame) => [{ frame: frame.map((byte, i) => (i === at ? byte ^ 0x10 : byte)) }];
      const result = await run({ cliIn: timed(packets.slice(0, 1)), srvOut: timed(packets.slice(0, 1), 1) }, script);
      expect(result, `byte ${at}`).toMatchObject({ passed: false, matched: 0, differenceCount: 1 });
    }
  });

  it('names a missing frame, and does not count those behind it', async () => {
    const result = await run(good, (_, i) => (i === 1 ? [] : [{}]));
    expect(firstText(result)).toBe(
      'srv-out frame 2 missing: 10.0.0.2:40002 > 10.0.0.100:80 TCP [S] seq=1 ttl=64 len=0',
    );
    expect(result).toMatchObject({ matched: 5, expected: 6, differenceCount: 1 });
    expect(result.differences[0]?.kind).toBe('missing');
  });

  it('names missing frames at the end', async () => {
    const result = await run(good, (_, i) => (i >= 4 ? [] : [{}]));
    expect(result.differences.map(({ kind, frame }) => [kind, frame])).toEqual([
      ['missing', 5],
      ['missing', 6],
    ]);
    expect(result).toMatchObject({ passed: false, matched: 4 });
  });

  it('names a surplus frame, within and at the end', async () => {
    for (const [index, after] of [
      [2, 2],
      [5, 6],
    ] as const) {
      const extra = tcpFrame({ sport: 9, dport: 9 });
      const result = await run(good, (_, i) =>
        i === index ? (after === 6 ? [{}, { frame: extra, made: true }] : [{ frame: extra, made: true }, {}]) : [{}],
      );
      expect(firstText(result)).toBe(
        `srv-out surplus frame after frame ${after}: 10.0.0.2:9 > 10.0.0.100:9 TCP [S] seq=1 ttl=64 len=0 (routed, from cli-in frame ${index + 1})`,
      );
      expect(result).toMatchObject({ matched: 6, expected: 6, differenceCount: 1 });
    }
  });

  it('is not paired with a frame whose cause came later', async () => {
    // The same bytes, but sent for the second packet: the kernel sent it before that came.
    const twice = timed([packets[0]!, packets[0]!]);
    const result = await run({ cliIn: twice, srvOut: [{ at: 1, data: packets[0]! }] }, (_, i) => (i === 1 ? [{}] : []));
    expect(result).toMatchObject({ passed: false, matched: 0 });
    expect(result.differences.map(({ kind, frame }) => [kind, frame])).toEqual([
      ['missing', 1],
      ['surplus', 1],
    ]);
  });

  it('names two frames in the wrong order', async () => {
    const script: Script = (_, i) => [{ frame: packets[i === 2 ? 3 : i === 3 ? 2 : i]! }];
    const result = await run({ cliIn: timed(packets), srvOut: timed(packets, 60) }, script);
    expect(firstText(result)).toBe('srv-out frames 3 and 4 in the wrong order (routed, from cli-in frame 3)');
    expect(result).toMatchObject({ matched: 4, expected: 6, differenceCount: 1 });
    expect(result.differences[0]?.kind).toBe('order');
  });

  it('names a frame that left elsewhere', async () => {
    const result = await run(good, (_, i) => [{ outInterface: i === 5 ? 'lo' : 'srv' }]);
    expect(result.differences.map(({ kind }) => kind)).toContain('interface');
    expect(result.differences.find(({ kind }) => kind === 'interface')?.text).toContain(
      'left by lo, which has no capture',
    );
    expect((await run({ cliIn: timed(packets) }, () => [{ outInterface: undefined }])).differenceCount).toBe(6);
  });

  it('comes first by time, whatever the interface', async () => {
    const script: Script = (_, i) => [{ outInterface: i < 3 ? 'srv' : 'cli' }];
    const crafted = {
      cliIn: timed(packets),
      cliOut: timed(packets.slice(4), 50),
      srvOut: timed(packets.slice(0, 2), 1),
    };
    const result = await run(crafted, script);
    expect(result.differences.map(({ capture, kind }) => `${capture} ${kind}`)).toEqual([
      'srv-out surplus',
      'cli-out surplus',
    ]);
  });

  it('is kept up to a limit and counted beyond', async () => {
    const folder = craft(parent, 'limit', good);
    const result = await verifyScenario(folder, () => new Scripted(() => []), { differences: 2 });
    expect(result.differences).toHaveLength(2);
    expect(result.differenceCount).toBe(6);
  });
});
