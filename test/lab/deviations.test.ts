/** What the kernel lab passes over: exactly that, and nothing that is only like it. */
import { describe, expect, it } from 'vitest';
import type { SentFrame } from '../../src/scenario/compare.js';
import { accountFor, type Compared, endsCase, servedBy } from '../kernel-lab/deviations.js';
import { aboutUnreachable, isReassemblyTimeout, LateAnswers } from '../kernel-lab/late.js';
import { isSpontaneous } from '../kernel-lab/spontaneous.js';
import { fragmentsOf } from '../support/fragments.js';
import { CLIENT, CLIENT6, fromClient, fromServer, MAC, request, SERVERS, SERVERS6, VIP, VIP6 } from '../support/lab.js';
import { ACK, ethernet, hex, icmp, ipv6, RST, tcp } from '../support/packets.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';
import { MS, out, RELEASE, START } from './recording.js';

const OWN = new Set([VIP, VIP6, '10.0.0.1']);

const compared = (frame: Uint8Array, words: Partial<Compared>): Compared => ({
  frame,
  emitted: [],
  sent: [],
  own: OWN,
  release: RELEASE,
  served: new Set(),
  ...words,
});

/** A frame of the core's. */
function ours(data: Uint8Array, reason: string, made = false): SentFrame {
  const cause = { capture: 'cli-in', frame: 1, time: START, data } as const;
  return { data, reason, packet: { number: 1, reason, made }, cause };
}

describe('errors to itself', () => {
  const reply = tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 40_000, flags: ACK });
  const error = (quoted: Uint8Array) =>
    out('srv', ethernet(MAC.server, MAC.srv, icmp({ source: VIP6, destination: VIP6 }, 3, 0, quoted), 0x86dd));

  it('are errors about a packet from an address of the director, to which the core says nothing', () => {
    expect(accountFor(compared(fromServer(reply), { emitted: [error(reply)] }))).toBe('errors to itself');
  });

  it('quote no padding', () => {
    const cut = ipv6({ source: VIP6, destination: CLIENT6, protocol: 132 }, reply.subarray(40, 45));
    const padded = Uint8Array.of(...fromServer(cut), 1, 2, 3);
    expect(accountFor(compared(padded, { emitted: [error(cut)] }))).toBe('errors to itself');
  });

  it('are told on to who sent what was in a tunnel packet from there, and may be cut', () => {
    const inner = tcp({ source: CLIENT, destination: VIP, sport: 1, dport: 2, payload: new Uint8Array(100) });
    const tunnel = ipInIp({ source: VIP, destination: SERVERS[0] }, inner);
    const told = icmp({ source: VIP, destination: CLIENT }, 3, 1, inner);
    const emitted = fragmentsOf(told, [64]).map((piece) => out('cli', ethernet(MAC.client, MAC.cli, piece)));
    expect(accountFor(compared(fromServer(tunnel), { emitted }))).toBe('errors to itself');
    expect(accountFor(compared(fromServer(tunnel), { emitted: emitted.slice(1) }))).toBeUndefined();
  });

  it('are not those about others, or beside what the core sends', () => {
    const other = tcp({ source: SERVERS6[0], destination: CLIENT6, sport: 80, dport: 40_000 });
    expect(accountFor(compared(fromServer(other), { emitted: [error(other)] }))).toBeUndefined();
    const late = tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 40_001, flags: ACK });
    expect(accountFor(compared(fromServer(reply), { emitted: [error(late)] }))).toBeUndefined();
    const sent = [ours(fromClient(reply), 'routed')];
    expect(accountFor(compared(fromServer(reply), { emitted: [error(reply)], sent }))).toBeUndefined();
  });
});

it('errors to broadcast addresses are ICMP, and to all', () => {
  const error = icmp({ source: VIP, destination: '10.0.0.255' }, 11, 0, request('tcp'));
  const toAll = out('cli', ethernet('ff:ff:ff:ff:ff:ff', MAC.cli, error));
  const frame = fromClient(request('tcp'));
  expect(accountFor(compared(frame, { emitted: [toAll] }))).toBe('errors to broadcast addresses');
  for (const emitted of [
    [out('cli', ethernet(MAC.client, MAC.cli, error))],
    [out('cli', ethernet('ff:ff:ff:ff:ff:ff', MAC.cli, request('tcp')))],
  ]) {
    expect(accountFor(compared(frame, { emitted }))).toBeUndefined();
  }
});

describe('unverified errors', () => {
  it('of IPv6 are those to a client that the kernel drops', () => {
    const error = icmp({ source: VIP6, destination: CLIENT6 }, 1, 4, new Uint8Array(48));
    const sent = [ours(ethernet(MAC.client, MAC.cli, error, 0x86dd), 'icmp-out')];
    const frame = fromServer(error);
    expect(accountFor(compared(frame, { sent }))).toBe('unverified ICMPv6 errors');
    expect(
      accountFor(compared(frame, { sent: [{ ...sent[0]!, packet: { ...sent[0]!.packet, reason: 'icmp-in' } }] })),
    ).toBeUndefined();
    expect(accountFor(compared(frame, { sent, emitted: [out('cli', frame)] }))).toBeUndefined();
  });

  it('of IPv4 are those to a server whose checksum is wrong, and that go on as they are', () => {
    const good = icmp(
      { source: CLIENT, destination: VIP },
      3,
      3,
      tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 1 }),
    );
    const bad = good.slice();
    bad[22]! ^= 1;
    const account = (packet: Uint8Array) =>
      accountFor(compared(fromClient(packet), { sent: [ours(ethernet(MAC.server, MAC.srv, packet), 'icmp-in')] }));
    expect(account(bad)).toBe('unverified ICMP errors');
    expect(account(good)).toBeUndefined();
  });

  it('of IPv4 may leave in fragments', () => {
    const quoted = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 1, payload: new Uint8Array(300) });
    const bad = icmp({ source: CLIENT, destination: VIP }, 3, 3, quoted);
    bad[22]! ^= 1;
    const tunnel = ipInIp({ source: '10.1.0.1', destination: SERVERS[0] }, bad);
    for (const whole of [bad, tunnel]) {
      const sent = fragmentsOf(whole, [200]).map((piece, i) =>
        ours(ethernet(MAC.server, MAC.srv, piece), i === 0 ? 'icmp-in' : 'fragment'),
      );
      for (const one of sent) Object.assign(one, { packet: sent[0]!.packet });
      const account = (pieces: SentFrame[]) => accountFor(compared(fromClient(bad), { sent: pieces }));
      expect(sent).toHaveLength(2);
      expect(account(sent)).toBe('unverified ICMP errors');
      expect(account(sent.slice(0, 1))).toBeUndefined();
      const other = { ...sent[1]!, packet: { ...sent[1]!.packet, number: 2 } };
      expect(account([sent[0]!, other])).toBeUndefined();
    }
  });
});

it('errors about a client to itself are those of the core about a packet whose two ends are one', () => {
  const account = (dport: number, words: Partial<Compared> = {}) => {
    const lost = tcp({ source: CLIENT6, destination: CLIENT6, sport: 80, dport });
    const error = icmp({ source: VIP6, destination: CLIENT6 }, 3, 0, lost);
    const sent = [ours(ethernet(MAC.client, MAC.cli, error, 0x86dd), 'time-exceeded', true)];
    return accountFor(compared(fromClient(lost), { sent, ...words }));
  };
  expect(account(80)).toBe('errors about a client to itself');
  expect(account(81)).toBeUndefined();
  expect(account(80, { emitted: [out('cli', fromClient(request('tcp')))] })).toBeUndefined();
});

it('fragments cut anew hold the same, and all but the last as much', () => {
  const packet = tcp({ source: CLIENT, destination: SERVERS[0], sport: 1, dport: 2, payload: new Uint8Array(300) });
  const last = fromClient(fragmentsOf(packet, [160])[1]!);
  const sent = fragmentsOf(packet, [40, 80]).map((piece) => ours(ethernet(MAC.server, MAC.srv, piece), 'nat-in'));
  const account = (cuts: number[], whole = packet, frame = last) => {
    const emitted = fragmentsOf(whole, cuts).map((piece) => out('srv', ethernet(MAC.server, MAC.srv, piece)));
    return accountFor(compared(frame, { sent, emitted }));
  };
  expect(account([160])).toBe('fragments cut anew');
  expect(account([120, 240])).toBe('fragments cut anew');
  expect(account([40, 240])).toBeUndefined();
  expect(account([160], packet, fromClient(packet))).toBeUndefined();
  const other = packet.slice();
  other[200]! ^= 1;
  expect(account([160], other)).toBeUndefined();
});

it('fragments of GUE cut anew may have another port', () => {
  const inner = request('udp', { payload: new Uint8Array(300) });
  const tunnel = (sport: number) => gue({ source: VIP, destination: SERVERS[0], sport, dport: 6080 }, inner);
  const account = (sport: number, reason: string, frame = fragmentsOf(inner, [80])[1]!) => {
    const pieces = (port: number, cuts: number[]) =>
      fragmentsOf(tunnel(port), cuts).map((piece) => ethernet(MAC.server, MAC.srv, piece));
    const emitted = pieces(sport, [160]).map((data) => out('srv', data));
    const sent = pieces(40_000, [96, 184]).map((data) => ours(data, reason));
    return accountFor(compared(fromClient(frame), { emitted, sent }));
  };
  expect(account(50_000, 'tunnel-gue')).toBe('fragments cut anew');
  expect(account(50_000, 'nat-in')).toBeUndefined();
  expect(account(40_000, 'nat-in')).toBe('fragments cut anew');
});

it('an MTU without GRE or GUE is too much by that header, from a kernel that forgets it', () => {
  const packet = request('udp');
  const told = (mtu: number, quoted = packet) =>
    ethernet(MAC.client, MAC.cli, icmp({ source: VIP, destination: CLIENT }, 3, 4, quoted, mtu));
  const tunnelled = [
    [gre({ source: '10.1.0.1', destination: SERVERS[0] }, packet), 1476],
    [gue({ source: '10.1.0.1', destination: SERVERS[0], sport: 1, dport: 6080 }, packet), 1468],
  ] as const;
  for (const [tunnel, mtu] of tunnelled) {
    const frame = fromServer(icmp({ source: SERVERS[1], destination: '10.1.0.1' }, 3, 4, tunnel, 1000));
    const account = (theirs: Uint8Array, words: Partial<Compared> = {}, reason = 'icmp-relayed') => {
      const [emitted, sent] = [[out('cli', theirs)], [ours(told(mtu), reason, true)]];
      return accountFor(compared(frame, { emitted, sent, release: '6.1.176', ...words }));
    };
    expect(account(told(1480))).toBe('MTU without GRE or GUE');
    expect(account(told(1480), { release: '6.1.192' })).toBeUndefined();
    expect(account(told(1480), { release: '6.6.1' })).toBeUndefined();
    expect(account(told(1479))).toBeUndefined();
    expect(account(told(1480, request('tcp')))).toBeUndefined();
    expect(account(told(1480), {}, 'icmp-in')).toBeUndefined();
  }
});

it('a reset of the host to a client ends a case if its packets went on by DR or TUN before', () => {
  const packet = request('tcp');
  const direct = ours(ethernet(MAC.server, MAC.srv, packet), 'direct-route');
  const tunnel = ours(
    ethernet(MAC.server, MAC.srv, ipInIp({ source: VIP, destination: SERVERS[0] }, packet)),
    'tunnel-ipip',
  );
  const served = servedBy(direct);
  expect(served).toBe(`40000 ${CLIENT} 80 ${VIP}`);
  expect(servedBy(tunnel)).toBe(served);
  expect(servedBy(ours(direct.data, 'nat-in'))).toBeUndefined();
  const ends = (words: object, before: readonly string[]) => {
    const answer = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, ...words });
    const emitted = [out('cli', ethernet(MAC.client, MAC.cli, answer))];
    return endsCase(compared(fromClient(packet), { emitted, served: new Set(before) }), false);
  };
  expect(ends({ flags: RST }, [served ?? ''])).toBe('host refuses a connection');
  expect(ends({ flags: RST }, [])).toBeUndefined();
  expect(ends({ flags: ACK }, [served ?? ''])).toBeUndefined();
  expect(ends({ flags: RST, dport: 40_001 }, [served ?? ''])).toBeUndefined();
});

describe('what comes late', () => {
  const lost = tcp({ source: CLIENT, destination: SERVERS[0], sport: 1, dport: 2 });
  const answer = (type: number, code: number, quoted = lost) =>
    ethernet(MAC.client, MAC.cli, icmp({ source: '10.0.0.1', destination: CLIENT }, type, code, quoted));
  const cause = { capture: 'cli-in', frame: 1, time: START, data: fromClient(lost) } as const;
  const listings = { looked: 0, differences: [] };
  const replay = {
    sent: new Map(),
    local: [],
    unresolved: [cause],
    fed: 1,
    listings,
    stopped: undefined,
  };

  it('is host unreachable about a packet whose next hop was not known, once, within its time', () => {
    const late = new LateAnswers(replay);
    expect(late.take(answer(3, 1), START)).toBe(false);
    expect(late.take(answer(3, 1), START + 16_000n * MS)).toBe(false);
    expect(late.take(answer(3, 1, request('tcp')), START + 3000n * MS)).toBe(false);
    expect(late.take(answer(3, 1), START + 3000n * MS)).toBe(true);
    expect(late.take(answer(3, 1), START + 3000n * MS)).toBe(false);
  });

  it('is so about a tunnel packet, too, of which no more is quoted than the headers', () => {
    const tunnel = ipInIp({ source: CLIENT, destination: SERVERS[2] }, lost);
    const late = new LateAnswers({ ...replay, unresolved: [{ ...cause, data: fromClient(tunnel) }] });
    expect(late.take(answer(3, 1, tunnel.subarray(0, 40)), START + 3000n * MS)).toBe(true);
  });

  it('other errors are none of these', () => {
    expect(aboutUnreachable(answer(3, 1))).toMatchObject([{ source: CLIENT, destination: SERVERS[0] }]);
    for (const [type, code] of [
      [3, 3],
      [11, 1],
      [3, 0],
    ] as const)
      expect(aboutUnreachable(answer(type, code))).toEqual([]);
    expect(isReassemblyTimeout(answer(11, 1))).toBe(true);
    expect(isReassemblyTimeout(answer(11, 0))).toBe(false);
    expect(isReassemblyTimeout(answer(3, 1))).toBe(false);
  });
});

it('what a host says by itself: who has, solicitations, listeners; no answers', () => {
  const arp = (operation: number) => {
    const frame = new Uint8Array(42);
    frame.set([8, 6, 0, 1, 8, 0, 6, 4, 0, operation], 12);
    return frame;
  };
  expect([1, 2].map((operation) => isSpontaneous(arp(operation)))).toEqual([true, false]);
  const six = (type: number) =>
    ethernet(MAC.client, MAC.cli, icmp({ source: 'fd00::1', destination: 'ff02::1' }, type), 0x86dd);
  expect([133, 135, 143, 134, 136, 1].map((type) => isSpontaneous(six(type)))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  // Listener reports have a router alert before them.
  const report = hex('3a00050200000100 8f00000000000000');
  const frame = new Uint8Array(14 + 40 + report.length);
  frame.set(six(143).subarray(0, 54));
  frame.set(report, 54);
  frame[20] = 0;
  expect(isSpontaneous(frame)).toBe(true);
  expect(isSpontaneous(fromClient(request('tcp')))).toBe(false);
});
