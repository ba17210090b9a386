/** The judge of the kernel lab, on recordings made by hand: it has to see what is wrong, and nothing else. */
import { describe, expect, it } from 'vitest';
import type { Change, Recording, Step } from '../kernel-lab/case.js';
import { judge } from '../kernel-lab/judge.js';
import { CLIENT, fromClient, fromServer, MAC, request, SERVERS, VIP } from '../support/lab.js';
import { ACK, ethernet, icmp, packet, RST, SYN, tcp, transportChecksum } from '../support/packets.js';
import { MS, out, recorded, START, step, withEmitted } from './recording.js';

const opening = (sport = 40_000, words = {}) => step('cli', fromClient(request('tcp', { sport, ...words })));
const answer = step(
  'srv',
  fromServer(tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_001, flags: SYN | ACK })),
);
const GOOD = recorded([opening(), opening(40_001), answer]);

const ours = (recording: Recording) => judge(recording).difference?.texts.join('\n');

describe('frames', () => {
  it('what the core sends, too, is no difference', () => {
    expect(judge(GOOD)).toMatchObject({ packets: 3, matched: 3, tables: true, difference: undefined });
  });

  it('another byte is one, and the steps after it are not looked at', () => {
    const changed = withEmitted(GOOD, 1, ([one]) => {
      const data = one?.data.slice() ?? new Uint8Array(0);
      data[data.length - 1]! ^= 1;
      return [out(one?.outInterface ?? '', data)];
    });
    expect(judge(changed)).toMatchObject({ packets: 2, matched: 1, tables: false, difference: { step: 1 } });
  });

  it('a frame too many, one too few, and one by another interface are differences', () => {
    expect(ours(withEmitted(GOOD, 0, () => []))).toMatch(/srv-out/);
    expect(ours(withEmitted(GOOD, 0, (all) => [...all, ...all]))).toMatch(/srv-out .*missing/);
    expect(ours(withEmitted(GOOD, 2, ([one]) => (one ? [{ ...one, outInterface: 'srv' }] : [])))).toMatch(/cli-out/);
  });

  it('differences of one kind have one signature', () => {
    const many = recorded([opening(), opening(40_001), opening(40_002)]);
    const signatures = [0, 2].map((index) => judge(withEmitted(many, index, () => [])).difference?.signature);
    expect(signatures[0]).toBe(signatures[1]);
    expect(judge(withEmitted(many, 1, () => [])).difference?.signature).not.toBe(signatures[0]);
  });

  it('a command that the core refuses is one', () => {
    const refused = recorded([opening(), opening(40_001)]);
    const done = refused.done.map((one, i) =>
      i === 0 ? { ...one, step: { kind: 'command', text: 'ipvsadm -D -t 10.0.0.9:1' } as const, emitted: [] } : one,
    );
    expect(ours({ ...refused, done })).toMatch(/the core refuses/);
  });
});

describe('pauses', () => {
  const pause = { kind: 'pause', until: 6500 } as const;
  const quiet = recorded([opening(), pause]);

  it('nothing may come in one', () => {
    expect(ours(quiet)).toBeUndefined();
    const unasked = withEmitted(quiet, 1, () => [out('cli', fromClient(request('tcp')))]);
    expect(judge(unasked).difference).toMatchObject({
      step: 1,
      texts: [expect.stringMatching(/^cli-out: nothing came/)],
    });
  });

  it('but what is known to: ARP, a next hop given up, fragments given up', () => {
    const lost = tcp({ source: CLIENT, destination: '10.1.0.99', sport: 1, dport: 2 });
    const steps = recorded([step('cli', fromClient(lost)), pause]);
    const arp = new Uint8Array(42);
    arp.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 1], 12);
    const about = (type: number, code: number) =>
      ethernet(MAC.client, MAC.cli, icmp({ source: '10.0.0.1', destination: CLIENT }, type, code, lost));
    const sent = [arp, about(3, 1), about(11, 1)].map((data) => out('cli', data, START + 3000n * MS));
    expect(ours(withEmitted(steps, 1, () => sent))).toBeUndefined();
    // Each packet is answered once.
    expect(ours(withEmitted(steps, 1, () => [...sent, ...sent.slice(1, 2)]))).toMatch(/nothing came/);
    expect(ours(withEmitted(steps, 1, () => [out('cli', about(3, 3))]))).toMatch(/nothing came/);
  });
});

describe('the end', () => {
  it('another connection, state, time or count is a difference', () => {
    const changes: [RegExp | string, string, RegExp][] = [
      ['SYN_RECV', 'ESTABLISHED', /of the kernel only: TCP .* ESTABLISHED/],
      [/^TCP .*SYN_RECV.*\n/m, '', /of the core only: TCP .* SYN_RECV/],
      [/SYN_RECV \d+/, 'SYN_RECV 30', /ends in [\d.]+ s, in the kernel in 30 s/],
      [/(-> .*) 1 +0\n/, '$1 0 1\n', /service TCP 10\.0\.0\.100 80 rr: expected .* active 0 inactive 1/],
    ];
    for (const [from, to, expected] of changes) {
      const text = GOOD.tables.text.replace(from, to);
      expect(text).not.toBe(GOOD.tables.text);
      expect(judge({ ...GOOD, tables: { ...GOOD.tables, text } }).difference).toMatchObject({
        step: 2,
        texts: expect.arrayContaining([expect.stringMatching(expected)]),
      });
    }
  });

  it('a second more or less is none, as the kernel has whole ones', () => {
    const text = GOOD.tables.text.replace('SYN_RECV 59', 'SYN_RECV 60');
    expect(ours({ ...GOOD, tables: { ...GOOD.tables, text } })).toBeUndefined();
  });

  it('cannot be told while a connection ends', () => {
    const from = START + 60_000n * MS;
    expect(judge({ ...GOOD, tables: { ...GOOD.tables, from, to: from + MS } })).toMatchObject({ tables: false });
  });

  it('what is in no format of the kernel is an error of its own', () => {
    expect(ours({ ...GOOD, tables: { ...GOOD.tables, text: 'nothing' } })).toMatch(/expected a line of/);
  });
});

describe('connections from port 0', () => {
  const several = [opening(0), opening(0), opening()];
  const tables = (steps: readonly Step[], from: string | RegExp, to: string) => {
    const recording = recorded(steps);
    const text = recording.tables.text.replace(from, to);
    expect(text).not.toBe(recording.tables.text);
    return judge({ ...recording, tables: { ...recording.tables, text } });
  };
  const OLDER = [/ 0000 (.*) SYN_RECV 59/, ' 0000 $1 ESTABLISHED 899'] as const;

  it('may have another state, when there were several', () => {
    const judged = tables(several, ...OLDER);
    expect(judged.difference).toBeUndefined();
    expect([...judged.accounted]).toEqual([['an older connection from port 0', 1]]);
  });

  it('may not, when there was one; and there are as many as in the kernel, to the same servers', () => {
    expect(tables([opening(), opening(0)], ...OLDER).difference).toBeDefined();
    expect(tables(several, ' 0000 0A000064 0050 0A01000C', ' 0000 0A000064 0050 0A01000D').difference).toBeDefined();
    expect(tables(several, / 9C40 (.*) SYN_RECV/, ' 9C40 $1 CLOSE').difference).toBeDefined();
  });
});

it('a connection whose time began anew by a cut packet may end later in the kernel, and no other', () => {
  const cut = (sport: number) =>
    step(
      'srv',
      fromServer(
        packet({ source: SERVERS[0], destination: CLIENT }, 6, Uint8Array.of(0x1f, 0x90, sport >> 8, sport & 255)),
      ),
    );
  const judged = (sport: number, seconds: number) => {
    const recording = recorded([opening(), opening(40_001), cut(sport)]);
    const text = recording.tables.text.replace(/ 9C41 (.*) SYN_RECV 59/, ` 9C41 $1 SYN_RECV ${seconds}`);
    return judge({ ...recording, tables: { ...recording.tables, text } });
  };
  expect([...judged(40_001, 70).accounted]).toEqual([['a cut packet of a connection', 1]]);
  expect(judged(40_001, 70).difference).toBeUndefined();
  expect(judged(40_001, 50).difference).toBeDefined();
  expect(judged(40_000, 70).difference).toBeDefined();
});

describe('looks', () => {
  const looked = recorded([opening(), { kind: 'look' }, opening(40_001), { kind: 'look' }, opening(40_002)]);

  it('at the same connections are no difference', () => {
    expect(judge(looked)).toMatchObject({ packets: 3, difference: undefined });
  });

  it('at others are one, and the steps after it are not looked at', () => {
    const done = looked.done.map((one, i) => {
      if (i !== 3 || one.tables === undefined) return one;
      return { ...one, tables: { ...one.tables, text: one.tables.text.replace('SYN_RECV', 'CLOSE') } };
    });
    const { packets, difference } = judge({ ...looked, done });
    expect({ packets, step: difference?.step }).toEqual({ packets: 2, step: 3 });
    expect(difference?.texts[0]).toMatch(/of the kernel only: TCP .* CLOSE/);
  });
});

describe('what ends a case, as nobody knows which connections there are after it', () => {
  it('a reset of the host to port 0', () => {
    const steps = recorded([opening(0, { flags: ACK }), opening()]);
    const reset = (dport: number) => {
      const packet = tcp({ source: VIP, destination: CLIENT, sport: 80, dport, flags: RST });
      // It answers an ACK of 2000 and acknowledges nothing.
      packet.set([0, 0, 7, 0xd0, 0, 0, 0, 0], 24);
      packet.set([0, 0], 36);
      const words = { source: VIP, destination: CLIENT, sport: 80, dport };
      const sum = transportChecksum(words, 6, packet.subarray(20));
      packet.set([sum >> 8, sum & 255], 36);
      return ethernet(MAC.client, MAC.cli, packet);
    };
    const refused = withEmitted(steps, 0, () => [out('cli', reset(0))]);
    const ended = judge(withEmitted(refused, 1, () => []));
    expect(ended).toMatchObject({ packets: 1, tables: false, difference: undefined });
    expect([...ended.accounted]).toEqual([['host refuses port 0', 1]]);
    expect(judge(withEmitted(steps, 0, () => [out('cli', reset(40_000))])).difference).toBeDefined();
  });

  it('an error that the kernel owes itself, with schedule_icmp', () => {
    const reply = tcp({ source: VIP, destination: '203.0.113.9', sport: 80, dport: 40_000, flags: ACK });
    const error = icmp({ source: VIP, destination: VIP }, 3, 0, reply);
    const told = out('srv', ethernet(MAC.server, MAC.srv, error));
    const on: Change = { kind: 'sysctl', text: 'net/ipv4/vs/schedule_icmp=1' };
    const off: Change = { kind: 'sysctl', text: 'net/ipv4/vs/schedule_icmp=0' };
    const steps = (changes: readonly Change[]) => recorded([...changes, step('srv', fromServer(reply)), opening()]);
    const judged = (changes: readonly Change[]) => {
      const at = changes.length;
      return judge(
        withEmitted(
          withEmitted(steps(changes), at, () => [told]),
          at + 1,
          () => [],
        ),
      );
    };
    expect(judged([on])).toMatchObject({ packets: 1, difference: undefined });
    for (const changes of [[], [on, off]]) {
      expect(judged(changes)).toMatchObject({ packets: 2, difference: { step: changes.length + 1 } });
      expect([...judged(changes).accounted]).toEqual([['errors to itself', 1]]);
    }
    // About another packet it is a difference.
    const other = out(
      'srv',
      ethernet(MAC.server, MAC.srv, icmp({ source: VIP, destination: VIP }, 3, 0, request('tcp'))),
    );
    expect(judge(withEmitted(steps([on]), 1, () => [other])).difference).toMatchObject({ step: 1 });
  });
});
