/**
 * Every reason, from a packet that gets it; in each binary. A reason that no case produces fails the last test.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { REASONS, type ReasonName, reasonName, verdictName } from '../../src/reasons.js';
import { BINARIES, type Binary } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { fullNat, answer as fullNatAnswer, request as fullNatRequest, read } from '../support/fullnat.js';
import {
  fromClient,
  judged,
  lab,
  NAT,
  NETWORK,
  onV6,
  request,
  request6,
  TCP_KEY,
  TUN,
  UDP_KEY,
} from '../support/lab.js';
import { atServer, fromClient as fromClient6, fromServer, LOCAL, nat64, SERVER, send64 } from '../support/nat64.js';
import { ACK, counting, FIN, hex, icmp, SYN } from '../support/packets.js';
import { fromOuter, opened, send as sendSnat, snat } from '../support/snat.js';
import type { Case } from './cases.js';
import { CASES_FRAGMENTS } from './cases-fragments.js';
import { CASES_ICMP } from './cases-icmp.js';
import { CASES_4 } from './cases-ipv4.js';
import { CASES_6 } from './cases-ipv6.js';
import { CASES_SYNPROXY } from './cases-synproxy.js';
import { CASES_TUNNELS } from './cases-tunnels.js';

const CASES = { ...CASES_4, ...CASES_6, ...CASES_TUNNELS, ...CASES_FRAGMENTS, ...CASES_ICMP };

const seen = new Set<ReasonName>();

function note(reasons: readonly string[]): void {
  for (const reason of reasons) seen.add(reason as ReasonName);
}

function ready(binary: Binary, { dests = [NAT], options = {}, services }: Partial<Case>): Director {
  const isV6 = dests[0]?.address.includes(':') ?? false;
  const keys = [TCP_KEY, UDP_KEY];
  return lab(dests, { ...options, binary }, {}, services ?? (isV6 ? keys.map(onV6) : keys));
}

/** How often each stands there. */
function tally(names: readonly ReasonName[]): Map<ReasonName, bigint> {
  const counts = new Map<ReasonName, bigint>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0n) + 1n);
  return counts;
}

describe.each(BINARIES)('%s', (binary) => {
  it.each(Object.entries<Case>(CASES))('%s', (_, each) => {
    const director = ready(binary, each);
    each.before?.(director);
    const before = director.counters();
    const outcomes = director.send(each.frame, each.by ?? 'cli', 0, each.notes);
    expect(outcomes.map(({ reason }) => reason)).toEqual(each.expect);
    const verdicts = each.expect.map((name) => REASONS.find((known) => known.name === name)?.verdict);
    expect(judged(outcomes)).toEqual(each.expect.map((name, i) => `${verdicts[i]} ${name}`));
    expect(outcomes.map(({ made }) => made)).toEqual(each.expect.map((__, i) => i > 0));
    // Each is counted, and nothing else is.
    const after = director.counters();
    const counted = REASONS.map(({ name }) => [name, after[name] - before[name]] as const).filter(([, n]) => n > 0n);
    expect(new Map(counted)).toEqual(tally(each.expect));
    note(each.expect);
  });

  it.each(Object.entries(CASES_SYNPROXY))('SYN proxy: %s', (_, each) => {
    const director = lab([NAT], { binary }, { synproxy: true }, [TCP_KEY]);
    const frame = each.frame(director);
    expect(director.send(frame, each.by ?? 'cli', 0).map(({ reason }) => reason)).toEqual(each.expect);
    note(each.expect);
  });

  /** What only a burst can say: a descriptor that is not as `commit` makes it. */
  it.each([
    ['bad-descriptor', { address: 0 }],
    ['bad-descriptor', { address: -1 }],
    ['bad-descriptor', { length: 0x7fff_ffff }],
    ['bad-descriptor', { headroom: 0xffff }],
    ['unknown-interface', { inInterface: NETWORK.interfaces.length }],
    ['no-headroom', { headroom: 19, dests: [TUN] }],
    ['tunnel-ipip', { headroom: 20, dests: [TUN] }],
  ] as const)('%s for %j', (expected, change) => {
    const director = ready(binary, 'dests' in change ? { dests: change.dests } : {});
    const { burst } = director;
    const frame = fromClient(request('udp'));
    const place = { address: burst.hold(4096) + 256, length: frame.length, headroom: 128, inInterface: 1, ...change };
    if (place.address > 0) burst.bytes.set(frame, place.address);
    burst.place(place.address, place.length, place.headroom, place.inInterface);
    director.process(0);
    expect(reasonName(burst.reason(0))).toBe(expected);
    expect(verdictName(burst.verdict(0))).toBe(REASONS.find(({ name }) => name === expected)?.verdict);
    note([expected]);
  });
});

describe('held fragments', () => {
  it.each([
    ['IPv4', fragmentsOf(request('udp', { payload: counting(64) }), [24, 48]), 30_000],
    ['IPv6', fragmentsOf(request6('udp', { payload: counting(64) }), [24, 48]), 60_000],
  ])('of %s are counted when their time is over', (_, fragments, timeout) => {
    const director = lab([], {}, {}, [UDP_KEY, onV6(UDP_KEY)]);
    for (const fragment of fragments.slice(0, 2)) director.send(fromClient(fragment), 'cli', 1000);
    director.advance(1000 + timeout - 1);
    expect(director.counters()['fragment-timeout']).toBe(0n);
    director.advance(1000 + timeout);
    expect(director.counters()).toMatchObject({ 'fragment-held': 2n, 'fragment-timeout': 2n });
    note(['fragment-timeout']);
  });
});

it('the ends of a connection that times out are told', () => {
  const director = lab([NAT], { sysctl: { conn_expire_tcp_rst: 1 } }, {}, [TCP_KEY]);
  director.send(fromClient(request('tcp')), 'cli', 0);
  director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0);
  const outcomes = director.send(new Uint8Array(60), 'cli', 901_000);
  expect(judged(outcomes.slice(1))).toEqual(['forward expired-reset', 'forward expired-reset']);
  note(outcomes.map(({ reason }) => reason));
});

it('FullNAT tells a server its client in a segment of its own, or is out of memory for it', () => {
  const director = fullNat({ carry: 'toa' }, { plan: { arenaBytes: 1 << 16 } }, ['tcp'], [4]);
  const [syn] = director.send(fullNatRequest(4), 'cli', 0);
  const { seq, sport } = read(syn!.frame);
  director.send(fullNatAnswer(4, sport, { seq: 5, ack: seq! + 1 }), 'srv', 0);
  const full = fullNatRequest(4, { flags: ACK, seq: 1001, ack: 6, tcpOptions: hex(`fc28${'77'.repeat(38)}`) });
  const outcomes = director.send(full, 'cli', 0);
  expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'fullnat-in']);
  note(outcomes.map(({ reason }) => reason));
  const { burst } = director;
  const cli = director.interfaceIndex('cli');
  burst.reset();
  let count = 0;
  for (const length of [9000, full.length]) {
    try {
      for (; ; count++) {
        burst.reserve(length, cli).set(full);
        burst.commit(full.length);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'BURST_FULL' });
    }
  }
  director.process(0);
  expect(director.counters()['client-address-lost']).toBe(BigInt(count));
  note(['client-address-lost']);
});

it('FullNAT has a port or none', () => {
  const director = fullNat({}, { localPorts: { first: 5000, last: 5000 } });
  const reasons = [
    ...director.send(fullNatRequest(4), 'cli', 0),
    ...director.send(fullNatAnswer(4, 5000), 'srv', 0),
    ...director.send(fullNatRequest(4, { sport: 1 }), 'cli', 0),
    ...director.send(fullNatRequest(4, { sport: 0 }), 'cli', 0),
  ].map(({ reason }) => reason);
  expect(reasons).toEqual(['fullnat-in', 'fullnat-out', 'no-local-port', 'client-port-zero']);
  note(reasons);
});

it('SNAT takes packets out and their answers in', () => {
  const director = snat();
  const { port } = opened(director, 4);
  const reasons = ['snat-in', sendSnat(director, fromOuter(4, port), 'out').reason];
  expect(reasons).toEqual(['snat-in', 'snat-out']);
  note(reasons);
});

it('NAT64 translates packets, and errors that there are in both families', () => {
  const director = nat64();
  const outcomes = [
    send64(director, fromClient6(), 'cli'),
    send64(director, fromServer(), 'srv'),
    send64(director, icmp({ source: SERVER, destination: LOCAL }, 4, 0, atServer()), 'srv'),
  ];
  const reasons = outcomes.map(({ reason }) => reason);
  expect(reasons).toEqual(['nat64-in', 'nat64-out', 'icmp-untranslatable']);
  note(reasons);
});

it('what drop_entry ends is counted', () => {
  const director = lab([NAT], { plan: { connections: 1 }, sysctl: { drop_entry: 3 } });
  director.send(fromClient(request('tcp')), 'cli', 0);
  director.advance(1000);
  expect(director.counters()['drop-entry']).toBe(1n);
  note(['drop-entry']);
});

it('what makes room is counted', () => {
  const director = lab([NAT], { plan: { connections: 1 }, evict: 'established' });
  const send = (protocol: 'tcp' | 'udp', sport: number, flags: number) =>
    director.send(fromClient(request(protocol, { sport, flags })), 'cli', 0);
  const lives = [[], [ACK], [ACK, FIN | ACK], []];
  lives.forEach((flags, i) => {
    for (const each of [SYN, ...flags]) send(i === 3 ? 'udp' : 'tcp', 1000 + i, each);
  });
  send('tcp', 2000, SYN);
  const names = ['half-open', 'established', 'closing', 'datagram'].map((kind) => `evicted-${kind}` as ReasonName);
  expect(director.counters()).toMatchObject(Object.fromEntries(names.map((name) => [name, 1n])));
  note(names);
});

describe('all of them', () => {
  afterAll(() => seen.clear());

  it('are produced by a case above', () => {
    expect(REASONS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  });
});
