import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { CliError } from '../../src/cli/io.js';
import { reportText, verifyCommand } from '../../src/cli/verify.js';
import { Director } from '../../src/director.js';
import type { ScenarioResult } from '../../src/scenario/verify.js';
import { craft, type Script, Scripted, temporary } from './folder.js';
import { tcpFrame } from './packets.js';

const parent = temporary();
afterAll(() => rmSync(parent, { recursive: true }));

/** Has a folder in it that is no scenario. */
const emptyFolder = join(parent, 'empty');
mkdirSync(join(emptyFolder, 'inside'), { recursive: true });

const frame = tcpFrame({ sport: 40001, dport: 80 });
const cliIn = [{ at: 0, data: frame }];
craft(parent, 'b-good', { cliIn, srvOut: [{ at: 1, data: frame }] });
craft(parent, 'a-good', { cliIn, srvOut: [{ at: 1, data: frame }] });
craft(parent, 'c-bad', { cliIn, srvOut: [{ at: 1, data: tcpFrame({ sport: 40001, dport: 80, ttl: 63 }) }] });
writeFileSync(join(parent, 'INDEX.md'), 'not a scenario');

async function verify(...argv: string[]) {
  const written = { out: '', err: '' };
  const io = {
    out: (text: string) => {
      written.out += text;
    },
    err: (text: string) => {
      written.err += text;
    },
  };
  const script: Script = () => [{}];
  const code = await verifyCommand(argv, io, () => new Scripted(script));
  return { code, ...written };
}

describe('verify', () => {
  it('prints a line a scenario, and the counts last', async () => {
    expect(await verify(parent)).toEqual({
      code: 1,
      out: `PASS a-good  1/1 matched, 0 host, 0 masked
PASS b-good  1/1 matched, 0 host, 0 masked
FAIL c-bad  0/1 matched, 0 host, 0 masked; first difference: srv-out frame 1: ip.ttl expected 63, got 64 (routed, from cli-in frame 1)
2 passed, 1 failed
`,
      err: '',
    });
  });

  it('has a director of its own, made without waiting', async () => {
    const waiting = vi.spyOn(Director, 'create');
    const fixture = join(import.meta.dirname, '../fixtures/kernel/nat-tcp');
    let out = '';
    const io = {
      out: (text: string) => {
        out += text;
      },
      err: () => {},
    };
    expect(await verifyCommand([fixture], io)).toBe(0);
    expect(out).toBe('PASS nat-tcp  98/98 matched, 0 host, 0 masked, 4 listings\n1 passed, 0 failed\n');
    expect(waiting).not.toHaveBeenCalled();
    waiting.mockRestore();
  });

  it('takes scenario folders, and exits 0 when all passed', async () => {
    const { code, out } = await verify(join(parent, 'b-good'), join(parent, 'a-good'));
    expect(out).toMatch(/^PASS b-good .*\nPASS a-good .*\n2 passed, 0 failed\n$/);
    expect(code).toBe(0);
  });

  it('lists what was skipped', async () => {
    for (const words of [
      ['--skip', 'c-bad,b-good'],
      ['--skip', 'c-bad', '--skip=b-good'],
    ]) {
      expect(await verify(parent, ...words)).toEqual({
        code: 0,
        out: `PASS a-good  1/1 matched, 0 host, 0 masked
SKIP b-good  asked for by --skip
SKIP c-bad  asked for by --skip
1 passed, 0 failed
`,
        err: '',
      });
    }
  });

  it('does not pass without a scenario', async () => {
    expect(await verify()).toMatchObject({
      code: 1,
      out: '0 passed, 0 failed\n',
      err: expect.stringContaining('no scenario'),
    });
    expect((await verify(join(parent, 'a-good'), '--skip', 'a-good')).code).toBe(1);
  });

  it('refuses a folder without a scenario, also beside others', async () => {
    for (const words of [[emptyFolder], [join(parent, 'a-good'), emptyFolder], [emptyFolder, parent]]) {
      await expect(verify(...words)).rejects.toMatchObject({
        exitCode: 2,
        message: `${emptyFolder}: there is no scenario in this folder`,
      });
    }
  });

  it('does not overlook a folder that lacks files', async () => {
    const other = join(parent, 'other');
    mkdirSync(other);
    rmSync(join(craft(other, 'half', { cliIn }), 'scenario.json'));
    for (const word of [other, join(other, 'half')]) {
      await expect(verify(word)).rejects.toMatchObject({
        exitCode: 2,
        message: `${join(other, 'half')}: this is no scenario: it has captures, but no scenario.json`,
      });
    }
    rmSync(join(other, 'half'), { recursive: true });
    rmSync(join(craft(other, 'half', { cliIn }), 'srv-in.pcap'));
    const { code, out } = await verify(other);
    expect(out).toMatch(/^FAIL half {2}0\/0 matched, .*ENOENT.*\n0 passed, 1 failed\n$/);
    expect(code).toBe(1);
  });

  it('says where a scenario.json is broken', async () => {
    const place = temporary();
    const folder = craft(place, 'broken', { cliIn });
    const file = join(folder, 'scenario.json');
    writeFileSync(file, '{\n  "events": [],\n  "topology": {,}\n}\n');
    const { code, out } = await verify(folder);
    expect(out).toContain(`; ${file}:3:16: expected JSON, got ","\n`);
    expect(code).toBe(1);
    rmSync(place, { recursive: true });
  });

  it('prints one JSON document', async () => {
    const { code, out } = await verify(parent, '--json', '--skip', 'b-good');
    const document = JSON.parse(out);
    expect(document).toMatchObject({ passed: 1, failed: 1, skipped: ['b-good'] });
    expect(document.scenarios[1]).toMatchObject({
      name: 'c-bad',
      passed: false,
      matched: 0,
      expected: 1,
      differences: [{ kind: 'field', capture: 'srv-out', frame: 1 }],
    });
    expect(code).toBe(1);
  });

  it('refuses wrong words with exit code 2', async () => {
    for (const words of [
      ['--wrong', parent],
      [parent, '--skip'],
      [parent, '--skip', 'd'],
    ]) {
      await expect(verify(...words)).rejects.toSatisfy((error) => error instanceof CliError && error.exitCode === 2);
    }
    await expect(verify(join(parent, 'missing'))).rejects.toThrow('ENOENT');
    await expect(verify(join(parent, 'INDEX.md'))).rejects.toThrow('ENOTDIR');
  });

  it('has a help', async () => {
    const { code, out } = await verify('--help');
    expect(out).toMatch(/^ipvs-wasm verify: /);
    expect(out.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(code).toBe(0);
  });
});

describe('reportText', () => {
  const result: ScenarioResult = {
    name: 'x',
    passed: true,
    matched: 3,
    expected: 3,
    host: [
      {
        capture: 'cli-out',
        frame: 2,
        text: 'a > b',
        cause: { capture: 'cli-in', frame: 1, reason: 'not-opening', relation: 'answers' },
      },
      { capture: 'cli-out', frame: 3, text: 'ARP', cause: undefined },
    ],
    masked: { 'icmp-id': 2, clock: 1 },
    leftOut: [
      { rule: 'fragments', why: 'w', capture: 'cli-in', frames: [1, 2] },
      { rule: 'fragments', why: 'w', capture: 'srv-out', frames: [3] },
      { rule: 'others', why: 'w', capture: 'srv-out', frames: [4] },
    ],
    differences: [],
    differenceCount: 0,
    listings: 0,
    listingDifferences: [],
    error: undefined,
  };

  it('counts masks and left out frames by name, and lists the host', () => {
    expect(reportText(result)).toBe(
      'PASS x  3/3 matched, 2 host, 3 masked (icmp-id 2, clock 1), 4 left out (fragments, others)\n' +
        '  host: cli-out frame 2: a > b (answers cli-in frame 1, not-opening)\n' +
        '  host: cli-out frame 3: ARP (of its own accord)\n',
    );
  });

  it('counts listings, and shows the first difference of one', () => {
    expect(reportText({ ...result, host: [], listings: 7 })).toContain(', 7 listings');
    const failed = { ...result, host: [], passed: false, listings: 7, listingDifferences: ['services.txt: a', 'b'] };
    expect(reportText(failed)).toMatch(/^FAIL x .*; 2 differences, first in a listing: services\.txt: a\n$/);
  });

  it('says how many differences there are, and why it ended', () => {
    const first = {
      kind: 'missing',
      capture: 'c',
      frame: 1,
      text: 'c frame 1 missing',
      expected: 'e',
      got: undefined,
    } as const;
    const text = reportText({
      ...result,
      passed: false,
      host: [],
      differences: [first],
      differenceCount: 7,
      error: 'event 3: no',
    });
    expect(text).toMatch(/^FAIL x {2}3\/3 .*; 7 differences, first difference: c frame 1 missing; event 3: no\n$/);
  });
});
