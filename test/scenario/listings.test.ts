/** That verify holds our listings to those of the captured director: a fixture passes, and each kind of change is seen. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';

const KERNEL = join(import.meta.dirname, '../fixtures/kernel');
const folder = mkdtempSync(join(tmpdir(), 'ipvs-listings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The outcome of a fixture with one of its files changed. */
async function changed(scenario: string, file: string, change: (text: string) => string): Promise<ScenarioResult> {
  const copy = join(folder, scenario);
  cpSync(join(KERNEL, scenario), copy, { recursive: true });
  const path = join(copy, file);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(path, after);
  const result = await verifyScenario(copy, (network) => Director.createSync({ network, seed: 0n }));
  rmSync(copy, { recursive: true });
  return result;
}

const seconds = (by: number) => (text: string) =>
  text.replace(/ (\d\d):(\d\d) /, (_, minutes: string, rest: string) => {
    const all = Number(minutes) * 60 + Number(rest) + by;
    const [high, low] = [Math.floor(all / 60), all % 60].map((part) => String(part).padStart(2, '0'));
    return ` ${high}:${low} `;
  });

describe('listings of a scenario', () => {
  it.each([
    ['a state', 'nat-ttl', 'dump-after-ttl64.txt', (text: string) => text.replace('SYN_RECV   ', 'ESTABLISHED')],
    ['a blank', 'nat-ttl', 'services.txt', (text: string) => text.replace(/ $/m, '')],
    ['a count of connections', 'nat-ttl', 'services.txt', (text: string) => text.replace(/(\d+)( +0 +)$/m, '9$1$2')],
    [
      'a connection more',
      'nat-ttl',
      'conns.txt',
      (text: string) => `${text}${text.split('\n')[2]}\n`.replace(/:4500\d /, ':5 '),
    ],
    ['a connection less', 'nat-ttl', 'conns.txt', (text: string) => text.split('\n').toSpliced(4, 1).join('\n')],
    ['a counter', 'nat-ttl', 'stats.txt', (text: string) => text.replace(/(\d+)$/m, '7$1').replace(/ 40 /, ' 41 ')],
    ['what went out by DR', 'dr-udp', 'stats.txt', (text: string) => text.replace(/ 114$/m, '   0')],
    [
      'a counter of another moment than the others',
      'sched-wrr',
      'dump-before-dead.txt',
      (text: string) => text.replace(/(22:80 .*)45( +)45( +0 +)1800/, '$144$244$31760'),
    ],
    [
      'a counter of a dest that came back, of another moment than it was there',
      'sched-wrr',
      'dump-before-dead.txt',
      (text: string) => text.replace(/(21:80 .*)3( +)3( +0 +)120/, '$15$25$3200'),
    ],
    ['time left', 'nat-ttl', 'conns.txt', seconds(-4)],
    ['time left to a template', 'persist', 'persistent.txt', seconds(-4)],
    ['a line of rules', 'nat-ttl', 'rules.txt', (text: string) => `${text}-A -f 1 -s rr\n`],
    ['a state after a packet', 'sctp-nat', 'states.txt', (text: string) => text.replace('C-SENT', 'C-WAIT')],
  ])('%s is seen', async (_, scenario, file, change) => {
    const { passed, listingDifferences, differenceCount, error } = await changed(scenario, file, change);
    expect({ passed, differenceCount, error }).toEqual({ passed: false, differenceCount: 0, error: undefined });
    expect(listingDifferences.length).toBeGreaterThan(0);
    expect(listingDifferences[0]).toMatch(new RegExp(`^${file}: .*expected .*, got `));
  });

  it('the order of connections, and a second, mean nothing', async () => {
    const reversed = (text: string) => {
      const [first = '', second = '', ...rows] = text.trimEnd().split('\n');
      return `${[first, second, ...rows.reverse()].join('\n')}\n`;
    };
    expect(await changed('nat-ttl', 'conns.txt', reversed)).toMatchObject({ passed: true });
  });

  it('a state without the note of its packet is an error of the folder', async () => {
    const result = await changed('sctp-nat', 'states.txt', (text) => text.replace('HEARTBEAT ACK', 'ABORT ACK'));
    expect(result).toMatchObject({ passed: false, error: expect.stringContaining('no note of the packet') });
  });
});
