/**
 * Each row of docs/deviations.md, as it stands there: where a director of ours is not Linux 6.1.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Director } from '../../src/director.js';
import { parseRule } from '../../src/rules/ipvsadm.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { left, SERVER_ISN, Session } from '../support/ftp.js';
import { ACK, checksum, counting, fixIpv4, icmp, ipv4, ipv6, packet, RST, SYN, tcp, udp } from '../support/packets.js';
import { gre, gue } from '../support/tunnels.js';

const CLIENT = '192.0.2.1';
const VIP = '10.0.0.100';
const RIP = '10.1.0.11';
const WEB = { protocol: 'tcp', address: VIP, port: 80 } as const;
const T0 = 1_000_000;

const segment = (
  flags: number,
  more: { df?: boolean; payload?: Uint8Array; options?: Uint8Array; ttl?: number } = {},
) => tcp({ source: CLIENT, destination: VIP, sport: 40_000, dport: 80, flags, ...more });

let director: Director;

beforeEach(() => {
  director = createDirector('release', {
    plan: SMALL_PLAN,
    network: {
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['192.0.2.254/24', `${VIP}/32`] },
        { name: 'srv', kind: 'raw', mtu: 1400, addresses: ['10.1.0.1/24'] },
        { name: 'eth', mac: '02:00:00:00:00:09', addresses: ['10.2.0.1/24'] },
      ],
    },
  });
  director.addService({ ...WEB, scheduler: 'rr' });
  director.addDest(WEB, { address: RIP, port: 8080, method: 'nat' });
});

afterEach(() => director.close());

const fate = (frame: Uint8Array, by = 'cli', now = T0): string => {
  const [first] = director.send(frame, by, now);
  return `${first?.verdict} ${first?.reason}`;
};

describe('not handled yet, and said so', () => {
  test('next hop unknown: dropped, the host owns ARP', () => {
    expect(fate(ipv4({ source: CLIENT, destination: '10.2.0.9', protocol: 99 }))).toBe('drop no-neighbour');
  });
});

test('a packet too long for its tunnel is dropped', () => {
  const raw = (name: string, address: string) => ({ name, kind: 'raw', mtu: 65_536, addresses: [address] }) as const;
  const network = { interfaces: [raw('cli', `${VIP}/24`), raw('srv', '10.1.0.1/24')] };
  const long = createDirector('release', { network, plan: { ...SMALL_PLAN, arenaBytes: 1 << 18 } });
  long.addService(WEB);
  long.addDest(WEB, { address: RIP, method: 'tun' });
  const outcomes = long.send(segment(SYN, { payload: new Uint8Array(65_516 - 40) }), 'cli', T0);
  expect(outcomes.map(({ reason }) => reason)).toEqual(['too-big']);
});

test('by policy from a broadcast address: balanced as without marks', () => {
  director.addService({ fwmark: 7 });
  expect(fate(tcp({ source: '10.1.0.255', destination: VIP, sport: 40_000, dport: 80, flags: SYN }))).toBe(
    'forward nat-in',
  );
});

test('marked for a service, to a group: for the host', () => {
  director.addService({ fwmark: 7 });
  director.addDest({ fwmark: 7 }, { address: RIP, method: 'nat' });
  const [outcome] = director.send(segment(SYN), 'cli', T0, { mark: 7 });
  expect(outcome?.reason).toBe('nat-in');
  const toAll = tcp({ source: CLIENT, destination: '224.0.0.1', sport: 40_001, dport: 80, flags: SYN });
  expect(director.send(toAll, 'cli', T0, { mark: 7 }).map(({ reason }) => reason)).toEqual(['local-delivery']);
});

describe("the director's own ICMP", () => {
  test('an error to a marked address goes there', () => {
    const ends = { source: CLIENT, destination: '192.0.2.9', sport: 40_000, dport: 80 };
    director.addService({ fwmark: 7 });
    director.addDest({ fwmark: 7 }, { address: RIP, method: 'dr' });
    expect(director.send(tcp({ ...ends, flags: SYN }), 'cli', T0, { mark: 7 })[0]?.reason).toBe('direct-route');
    const back = { source: '192.0.2.9', destination: CLIENT, sport: 80, dport: 40_000, flags: SYN | ACK, ttl: 1 };
    const [, told] = director.send(tcp(back), 'srv', T0);
    expect([told?.reason, told?.outInterface]).toEqual(['time-exceeded', 'cli']);
    expect([...told!.frame.subarray(16, 20)]).toEqual([192, 0, 2, 9]);
  });

  test('a client past its service hears of its packets to the server', () => {
    expect(fate(segment(SYN))).toBe('forward nat-in');
    const straight = tcp({ source: CLIENT, destination: RIP, sport: 40_000, dport: 8080, flags: ACK, ttl: 1 });
    const [, answer] = director.send(straight, 'cli', T0);
    expect(answer?.reason).toBe('time-exceeded');
    // From the director's own address, and about RIP.
    expect([...(answer?.frame.subarray(12, 16) ?? [])]).toEqual([192, 0, 2, 254]);
    expect([...(answer?.frame.subarray(44, 48) ?? [])]).toEqual([10, 1, 0, 11]);
  });

  test('is not limited: a hundred packets in one millisecond get a hundred answers', () => {
    const dying = segment(SYN, { ttl: 1 });
    const answers = Array.from({ length: 100 }, () => director.send(dying, 'cli', T0)[1]);
    expect(answers.filter((answer) => answer?.reason === 'time-exceeded')).toHaveLength(100);
  });

  test('options of an error about a tunnel are not looked at', () => {
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, method: 'tun' });
    const outer = director.send(segment(SYN), 'cli', T0)[0]?.frame ?? new Uint8Array(0);
    const told = icmp({ source: RIP, destination: '10.1.0.1' }, 3, 1, outer);
    const recordRoute = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);
    const words = { source: RIP, destination: '10.1.0.1', protocol: 1, options: recordRoute };
    const answer = director.send(ipv4(words, told.subarray(20)), 'srv', T0)[1];
    expect(answer?.reason).toBe('icmp-relayed');
    expect(answer?.frame[0]).toBe(0x45);
  });

  test('never redirects, even out of the interface that a packet came in by', () => {
    const outcomes = director.send(udp({ source: RIP, destination: '10.1.0.12', sport: 1, dport: 2 }), 'srv', T0);
    expect(outcomes.map(({ reason }) => reason)).toEqual(['routed']);
  });

  test('from a broadcast address: nobody is told', () => {
    const late = tcp({ source: '192.0.2.255', destination: VIP, sport: 40_000, dport: 80, flags: SYN, ttl: 1 });
    expect(director.send(late, 'cli', T0).map(({ reason }) => reason)).toEqual(['ttl-exceeded']);
  });

  test('from port 0: when the newest connection ends, replies belong to none', () => {
    const from0 = tcp({ source: CLIENT, destination: VIP, sport: 0, dport: 80, flags: SYN });
    const reply = (flags: number) => tcp({ source: RIP, destination: CLIENT, sport: 8080, dport: 0, flags });
    for (let n = 0; n < 2; n++) fate(from0);
    expect(fate(reply(RST), 'srv')).toBe('forward nat-out');
    // 10 s in CLOSE; the older one is in SYN_RECV for 60.
    expect(director.connections(T0 + 20_000)).toMatchObject([{ state: 'SYN_RECV' }]);
    expect(fate(reply(ACK), 'srv', T0 + 20_000)).toBe('forward routed');
  });

  test('an answer of the host, a reset, ends no connection from port 0', () => {
    const from0 = (flags: number) => tcp({ source: CLIENT, destination: VIP, sport: 0, dport: 80, flags });
    fate(from0(SYN));
    expect(fate(from0(ACK))).toBe('local not-opening');
    expect(director.connections(T0)).toMatchObject([{ state: 'SYN_RECV' }]);
  });
});

test('the time in a datagram is that of its last fragment', () => {
  const options = Uint8Array.of(68, 8, 5, 0, 0, 0, 0, 0);
  const whole = tcp({
    source: CLIENT,
    destination: VIP,
    sport: 1,
    dport: 80,
    flags: SYN,
    options,
    payload: counting(64),
  });
  const [first, last] = fragmentsOf(whole, [48]) as [Uint8Array, Uint8Array];
  director.send(first, 'cli', T0);
  const [sent] = director.send(last, 'cli', T0 + 7000);
  expect(sent?.reason).toBe('nat-in');
  expect(new DataView(sent!.frame.buffer, sent!.frame.byteOffset).getUint32(24)).toBe(T0 + 7000);
});

test('a length of 0 is believed, but for options', () => {
  director.setNetwork({ interfaces: [{ name: 'cli', kind: 'raw', addresses: ['fd00::1/64'] }] });
  const options = Uint8Array.of(59, 0, 1, 4, 0, 0, 0, 0);
  const packet = ipv6({ source: 'fd00::2', destination: 'fd00::1', protocol: 0 }, options);
  expect(fate(packet)).toBe('local local-delivery');
  packet.fill(0, 4, 6);
  expect(fate(packet)).toBe('drop ipv6-payload-length');
});

describe('addresses of IPv6', () => {
  const ping = (destination: string) => icmp({ source: 'fd00::2', destination }, 128);
  const interfaces = [
    { name: 'cli', kind: 'raw', addresses: ['fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
  ] as const;

  test('a subnet-router anycast address is like any of its subnet', () => {
    director.setNetwork({ interfaces });
    expect(fate(ping('fd00:1::1'))).toBe('local local-delivery');
    expect(fate(ping('fd00:1::'))).toBe('forward routed');
  });
});

describe('IPv6', () => {
  const ends = { source: 'fd00::2', destination: 'fd00::100' };
  const web = { ...WEB, address: ends.destination };

  beforeEach(() => {
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: 'fd00:1::11', method: 'dr' });
  });

  test('an error to itself is not sent', () => {
    const dying = udp({ source: ends.destination, destination: 'fd00:1::11', sport: 1, dport: 2, ttl: 1 });
    expect(director.send(dying, 'srv', T0).map(({ reason }) => reason)).toEqual(['ttl-exceeded']);
  });

  test('a client past its service hears of its packets: one that is its own server', () => {
    director.addDest(web, { address: ends.source, port: 80, method: 'nat' });
    director.deleteDest(web, { address: 'fd00:1::11' });
    expect(fate(tcp({ ...ends, sport: 80, dport: 80, flags: SYN }))).toBe('forward nat-in');
    const dying = tcp({ source: ends.source, destination: ends.source, sport: 80, dport: 80, ttl: 1 });
    const reasons = director.send(dying, 'cli', T0).map(({ verdict, reason }) => `${verdict} ${reason}`);
    expect(reasons).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
  });

  test('the state behind extension headers is that of the segment', () => {
    // Destination options, all padding.
    const extensions = [[60, Uint8Array.of(0, 1, 4, 0, 0, 0, 0)]] as const;
    const syn = tcp({ ...ends, sport: 40_000, dport: 80, flags: SYN, extensions });
    expect(fate(syn)).toBe('forward direct-route');
    expect(director.connections(T0)[0]?.state).toBe('SYN_RECV');
  });
});

describe('tunnels that end here', () => {
  const ends = { source: CLIENT, destination: '10.1.0.1' };
  const inner = udp({ ...ends, sport: 1, dport: 2 });

  beforeEach(() => {
    const { interfaces } = director.network;
    const tunnels = (['ipip', 'gre', 'ip6tnl'] as const).map((kind) => ({ name: kind, kind }));
    const six = { name: 'six', kind: 'raw', addresses: ['fd00::1/64'] } as const;
    director.setNetwork({ interfaces: [...interfaces, six, ...tunnels], fou: [{ port: 6080 }] });
  });

  test('GRE with and without a checksum is taken out by one device', () => {
    for (const words of [ends, { ...ends, sum: 'right' as const }])
      expect(fate(gre(words, inner))).toBe('local decapsulated');
  });

  test('an unknown destination option of a tunnel packet is passed over', () => {
    const extensions = [[60, Uint8Array.of(0, 0xc7, 0, 1, 2, 0, 0)]] as const;
    const words = { source: 'fd00::2', destination: 'fd00::1', hopLimit: 64, extensions, protocol: 4 };
    expect(fate(ipv6(words, inner), 'six')).toBe('local decapsulated');
  });

  test('GRE that carries ERSPAN is refused', () => {
    expect(fate(ipv4({ ...ends, protocol: 47 }, Uint8Array.of(0, 0, 0x88, 0xbe, ...inner)))).toBe(
      'drop tunnel-malformed',
    );
  });

  test('GUE of version 1 is refused, and what is not IP left to the host', () => {
    const outer = { ...ends, sport: 40_000, dport: 6080 };
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0, 4, 0, 0, ...inner) }))).toBe('local decapsulated');
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0x40, 4, 0, 0, ...inner) }))).toBe('drop tunnel-malformed');
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0, 17, 0, 0, ...inner) }))).toBe('local local-delivery');
  });

  /** In GUE that leaves the bytes from `start` to be summed up, into the field at `offset`. */
  const remote = (packet: Uint8Array, start: number, offset: number) =>
    gue({ ...ends, sport: 40_000, dport: 6080 }, packet, Uint8Array.of(0x80, 0, 0, 0, 0, start, 0, offset));

  test('a remote checksum in a header is not written', () => {
    const passing = udp({ source: CLIENT, destination: '10.1.0.14', sport: 1, dport: 2, payload: counting(20) });
    expect(fate(remote(passing, 20, 30))).toBe('forward routed');
    expect(fate(remote(passing, 0, 12))).toBe('drop tunnel-malformed');
  });

  test('a remote checksum at an odd place leaves the tunnel’s right', () => {
    const key = { protocol: 'udp', address: VIP, port: 53 } as const;
    director.addService(key);
    director.addDest(key, { address: '10.1.0.12', method: 'tun', tunnel: { type: 'gre', checksum: 'csum' } });
    const query = udp({ source: CLIENT, destination: VIP, sport: 40_000, dport: 53, payload: counting(20) });
    const [outcome] = director.send(remote(query, 20, 31), 'cli', T0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'tunnel-gre' });
    expect(outcome?.frame.subarray(59, 61)).not.toEqual(query.subarray(31, 33));
    expect(checksum(outcome?.frame.subarray(20) as Uint8Array)).toBe(0);
  });
});

describe('ICMP errors', () => {
  test('a wrong checksum to DR is sent on', () => {
    const key = { ...WEB, port: 81 };
    director.addService(key);
    director.addDest(key, { address: RIP, method: 'dr' });
    const ends = { source: CLIENT, destination: VIP };
    fate(tcp({ ...ends, sport: 40_000, dport: 81, flags: SYN }));
    const quoted = tcp({ source: VIP, destination: CLIENT, sport: 81, dport: 40_000, flags: ACK });
    const error = icmp(ends, 3, 3, quoted);
    error[22] = (error[22] as number) ^ 1;
    expect(fate(error)).toBe('forward icmp-in');
  });

  const reply = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });

  test('an ICMPv6 error of a server is translated', () => {
    const web = { ...WEB, address: 'fd00::100' };
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: 'fd00:1::11', port: 8080, method: 'nat' });
    const syn = tcp({ source: 'fd00::2', destination: 'fd00::100', sport: 40_000, dport: 80, flags: SYN });
    const sent = director.send(syn, 'cli', T0)[0]?.frame as Uint8Array;
    const error = icmp({ source: 'fd00:1::11', destination: 'fd00::2' }, 1, 3, sent);
    expect(fate(error, 'srv')).toBe('forward icmp-out');
    error[42] = (error[42] ?? 0) ^ 1;
    expect(fate(error, 'srv')).toBe('drop icmp-checksum');
  });

  test('a quoted header that is too short is nobody’s', () => {
    fate(segment(SYN));
    const ends = { source: CLIENT, destination: VIP };
    expect(fate(icmp(ends, 3, 3, reply))).toBe('forward icmp-in');
    const short = Uint8Array.from(reply, (byte, i) => (i === 0 ? 0x44 : byte));
    expect(fate(icmp(ends, 3, 3, short))).toBe('local local-delivery');
  });

  test('a learnt path MTU counts for the dest, not for what is routed to its address', () => {
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, method: 'tun' });
    const [tunnelled] = director.send(segment(SYN), 'cli', T0);
    const quote = tunnelled?.frame as Uint8Array;
    fate(icmp({ source: '10.1.0.9', destination: '10.1.0.1' }, 3, 4, quote, 300), 'srv');
    const long = { df: true, payload: new Uint8Array(1000) };
    expect(fate(segment(ACK, long))).toBe('drop too-big');
    expect(fate(tcp({ source: CLIENT, destination: RIP, sport: 1, dport: 2, ...long }))).toBe('forward routed');
  });
});

describe('fragments', () => {
  const lengths = (fragments: readonly Uint8Array[], by: string): number[] =>
    fragments
      .flatMap((fragment) => director.send(fragment, by, T0))
      .flatMap(({ verdict, frame }) => (verdict === 'forward' ? [frame.length - 20] : []));

  test('fragments of unequal lengths leave as they came', () => {
    expect(lengths(fragmentsOf(segment(SYN, { payload: counting(100) }), [16, 72]), 'cli')).toEqual([16, 56, 48]);
    const pieces = fragmentsOf(segment(SYN, { payload: counting(100) }), [40, 80]);
    for (const piece of pieces) {
      piece[6]! |= 0x40;
      fixIpv4(piece);
    }
    const left = pieces
      .flatMap((piece) => director.send(piece, 'cli', T0))
      .filter(({ verdict }) => verdict === 'forward');
    expect(left.map(({ frame }) => frame[6])).toEqual([0x20, 0x20, 0]);
  });

  test('a fragment that cannot be one is dropped', () => {
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...WEB, address: 'fd00::100', scheduler: 'rr' });
    const piece = (destination: string, protocol: number, offset: number, length: number) => {
      const extensions = [[44, Uint8Array.of(0, offset >> 8, (offset & 0xf8) | 1, 1, 2, 3, 4)]] as const;
      const frame = ipv6({ source: 'fd00::2', destination, protocol, hopLimit: 64, extensions }, counting(length));
      return director.send(frame, 'cli', T0).map(({ reason, frame: sent }) => [reason, ...sent.subarray(40, 48)]);
    };
    const dropped = [expect.arrayContaining(['fragment-malformed'])];
    const told = (code: number, pointer: number) => {
      const words = [4, code, expect.any(Number), expect.any(Number), 0, 0, 0, pointer];
      return [...dropped, ['parameter-problem', ...words]];
    };
    for (const offset of [0, 80]) {
      expect(piece('fd00::100', 6, offset, 79)).toEqual(told(0, 4));
      expect(piece('fd00:1::11', 6, offset, 79)).toEqual(dropped);
    }
    // There is nothing of its transport header.
    expect(piece('fd00::100', 47, 0, 0)).toEqual(told(3, 0));
    // These are dropped before the host looks at them.
    expect(piece('fd00::100', 6, 0, 16)).toEqual(dropped);
    // Of the rest of an ICMPv6 message the host never hears, of its beginning it does.
    expect(piece('fd00::1', 58, 80, 79)).toEqual(dropped);
    expect(piece('fd00::1', 47, 80, 79)).toEqual(told(0, 4));
    // Beyond what a packet may hold, nobody is told.
    expect(piece('fd00::100', 6, 65_528, 79)).toEqual(dropped);
  });
});

describe('time and trash', () => {
  test('a connection expires to the millisecond', () => {
    fate(segment(SYN));
    expect(director.connections(T0 + 59_999)).toHaveLength(1);
    expect(director.connections(T0 + 60_000)).toHaveLength(0);
    // An ACK opens nothing: at the last moment it is forwarded and keeps the connection, after it there is none.
    expect(fate(segment(ACK), 'cli', T0 + 59_999)).toBe('forward nat-in');
    expect(fate(segment(ACK), 'cli', T0 + 59_999 + 900_000)).toBe('local not-opening');
  });

  test('counts follow within half a second', () => {
    fate(segment(SYN));
    director.advance(T0 + 60_000 + 512);
    expect(director.services()[0]?.dests[0]).toMatchObject({ activeConnections: 0, inactiveConnections: 0 });
    expect(director.connectionCount).toBe(0);
  });

  test('counts are current, rates as of the last even second', () => {
    director.advance(T0);
    fate(segment(SYN));
    const counts = () => director.services().map(({ stats, rates }) => [stats.inPackets, rates.inBytes > 0n]);
    expect(counts()).toContainEqual([1n, false]);
    director.advance(T0 + 2000);
    expect(counts()).toContainEqual([1n, true]);
  });

  test('the time of held fragments is up: counted, and nobody is told', () => {
    const [first = new Uint8Array(0)] = fragmentsOf(segment(SYN, { payload: counting(64) }), [48]);
    expect(fate(first)).toBe('held fragment-held');
    director.burst.reset();
    expect(director.process(T0 + 30_000)).toBe(0);
    expect(director.counters()['fragment-timeout']).toBe(1n);
  });

  test('a packet cut within its header keeps no connection', () => {
    fate(segment(SYN));
    const ends = { source: RIP, destination: CLIENT };
    const answer = tcp({ ...ends, sport: 8080, dport: 40_000, flags: ACK });
    const cut = packet(ends, 6, answer.subarray(20, 39));
    expect(fate(cut, 'srv', T0 + 30_000)).toBe('drop transport-truncated');
    expect(director.connections(T0 + 30_000)).toMatchObject([{ state: 'SYN_RECV', expires: 30 }]);
  });

  test('a deleted dest without connections is forgotten with its traffic', () => {
    fate(segment(SYN));
    director.advance(T0 + 61_000);
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, port: 8080, method: 'nat' });
    expect(director.services()[0]?.dests[0]?.stats.inPackets).toBe(0n);
  });
});

describe('schedulers', () => {
  const SCHEDULED = { protocol: 'tcp', address: VIP, port: 81 } as const;
  const syn = (host: number) =>
    tcp({ source: `192.0.2.${host}`, destination: VIP, sport: 40_000, dport: 81, flags: SYN });

  test('twos compares loads of any size', () => {
    using large = createDirector('release', { plan: { ...SMALL_PLAN, connections: 1024 }, network: director.network });
    large.addService({ ...SCHEDULED, scheduler: 'twos' });
    const dest = (host: number, weight: number) => ({ address: `10.1.0.${host}`, method: 'dr', weight }) as const;
    large.addDest(SCHEDULED, dest(12, 65_535));
    // 256 × 200 × 65535 is above 2^31, and negative in 32 bits.
    for (let host = 1; host <= 200; host++) large.send(syn(host), 'cli', T0);
    large.addDest(SCHEDULED, dest(13, 65_535));
    for (let host = 201; host <= 240; host++) large.send(syn(host), 'cli', T0);
    const [added] = large.services()[0]?.dests ?? [];
    // In one of four cases the other one is drawn twice.
    expect(added?.activeConnections).toBeGreaterThan(22);
  });

  test('weights above 65,535 are refused', () => {
    const dest = { address: '10.1.0.12', weight: 65_536 };
    expect(() => director.addDest(WEB, dest)).toThrow(/^expected a weight from 0 to 65535, got 65536$/);
    const at = `-a -t ${VIP}:80 -r 10.1.0.12`;
    expect(() => parseRule(`${at} -w 65536`)).toThrow('illegal weight specified');
    expect(parseRule(`${at} -w 65535`)).toMatchObject({ dest: { weight: 65_535 } });
  });

  test('port 0 of a persistent client: no packet belongs to a template', () => {
    director.editService({ ...WEB, persistent: 300 });
    fate(segment(SYN));
    const answer = tcp({ source: RIP, destination: CLIENT, sport: 8080, dport: 0, flags: ACK });
    expect(director.connections(T0)).toMatchObject([{ template: true }, { clientPort: 40_000 }]);
    expect(fate(answer, 'srv')).toBe('forward routed');
  });

  test('port 65,535: a persistent service finds no template that is void', () => {
    const high = { ...WEB, port: 65_535 };
    director.setSysctl({ expire_quiescent_template: 1 });
    director.editService({ ...WEB, persistent: 300 });
    director.addService({ ...high, scheduler: 'rr', persistent: 300 });
    director.addDest(high, { address: '10.1.0.12', method: 'nat' });
    fate(segment(SYN));
    director.editDest(WEB, { address: RIP, port: 8080, method: 'nat', weight: 0 });
    fate(tcp({ source: CLIENT, destination: VIP, sport: 40_001, dport: 80, flags: SYN }));
    expect(director.connections(T0)).toContainEqual(expect.objectContaining({ template: true, virtualPort: 65_535 }));
    director.editDest(WEB, { address: RIP, port: 8080, method: 'nat', weight: 1 });
    const to = tcp({ source: CLIENT, destination: VIP, sport: 40_002, dport: 65_535, flags: SYN });
    expect(director.send(to, 'cli', T0)[0]?.connection).toMatchObject({ destAddress: '10.1.0.12' });
  });

  test('mh with more dests than slots: the first of the list share the table', () => {
    const plan = { ...SMALL_PLAN, dests: 4200 };
    using large = createDirector('release', { plan, network: director.network });
    large.addService({ ...SCHEDULED, scheduler: 'mh' });
    for (let n = 0; n < 4100; n++) {
      large.addDest(SCHEDULED, { address: `10.1.${4 + (n >> 8)}.${n & 255}`, method: 'dr' });
    }
    // The dests added first are the last ones of the list.
    for (let n = 0; n < 7; n++) {
      large.deleteDest(SCHEDULED, { address: `10.1.${4 + (n >> 8)}.${n & 255}` });
      const [outcome] = large.send(syn(n + 1), 'cli', T0);
      expect(outcome?.connection?.destAddress).toMatch(/^10\.1\./);
    }
  });
});

describe('the defence', () => {
  const fill = (count: number, now = T0) => {
    for (let n = 0; n < count; n++)
      fate(tcp({ source: CLIENT, destination: VIP, sport: 1000 + n, dport: 80 }), 'cli', now);
  };

  test('what amemthresh is compared with: the free part of the table', () => {
    director.setSysctl({ secure_tcp: 1 });
    fill(SMALL_PLAN.connections * 0.75);
    director.advance(T0 + 1000);
    expect(director.getSysctl().secure_tcp).toBe(1);
    fill(SMALL_PLAN.connections * 0.75 + 1, T0 + 1000);
    director.advance(T0 + 2000);
    expect(director.getSysctl().secure_tcp).toBe(2);
  });

  test('what drop_entry looks at: a 32nd of the records', () => {
    director.setSysctl({ drop_entry: 3 });
    fill(SMALL_PLAN.connections);
    director.advance(T0 + 1000);
    const ended = Number(director.counters()['drop-entry']);
    expect(ended).toBeGreaterThan(0);
    expect(ended).toBeLessThanOrEqual(SMALL_PLAN.connections / 32);
  });

  test('when the defence looks: in each full second, and for up to 64 of them at once', () => {
    director.setSysctl({ drop_entry: 3 });
    director.setTimeouts({ tcp: 1_000_000 });
    fill(SMALL_PLAN.connections, T0 + 1);
    director.advance(T0 + 999);
    expect(director.counters()['drop-entry']).toBe(0n);
    director.advance(T0 + 50_000);
    expect(director.counters()['drop-entry']).toBeGreaterThan(30n);
  });
});

describe('FTP', () => {
  const passive = '227 (10,1,0,11,156,64';
  const text = (outcomes: ReturnType<Session['toClient']>): string => {
    const got = left(outcomes);
    return typeof got === 'string' ? got : got.text;
  };

  test('FTP at another port: answers are rewritten', () => {
    const session = new Session({ port: 2121, ftp: { ports: [2121] } }).open();
    session.toServer({ text: 'PASV\r\n' });
    expect(text(session.toClient({ text: `${passive})` }))).toBe('227 (10,0,0,100,156,64)');
  });

  test('FTP out of the window: adjusted as any', () => {
    const session = new Session().open();
    session.toServer({ text: 'PASV\r\n' });
    session.toClient({ text: `${passive})` });
    const far = SERVER_ISN + 0x4000_0000;
    expect(left(session.toClient({ seq: far, text: 'x' }))).toMatchObject({ seq: far + 1 });
  });

  test('FTP over IPv6: a right checksum is', () => {
    const session = new Session({ v6: true }).open();
    expect(left(session.toServer({ text: 'EPSV\r\n' }))).toMatchObject({ right: true });
  });

  test('FTP with selective acknowledgments at an odd place: the checksum is right', () => {
    const session = new Session().open();
    session.toServer({ text: 'PASV\r\n' });
    session.toClient({ text: `${passive})` });
    const edges = new Uint8Array(8);
    new DataView(edges.buffer).setUint32(0, SERVER_ISN + 100);
    new DataView(edges.buffer).setUint32(4, SERVER_ISN + 200);
    const got = left(session.toServer({ tcpOptions: Uint8Array.of(1, 5, 10, ...edges, 0) }));
    new DataView(edges.buffer).setUint32(0, SERVER_ISN + 99);
    new DataView(edges.buffer).setUint32(4, SERVER_ISN + 199);
    expect(got).toMatchObject({ right: true, options: Uint8Array.of(1, 5, 10, ...edges, 0) });
  });
});

test('every row of the document names a test of this file', () => {
  const document = readFileSync(new URL('../../docs/deviations.md', import.meta.url), 'utf8');
  const own = readFileSync(new URL(import.meta.url), 'utf8');
  const rows = document.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what'));
  expect(rows.length).toBeGreaterThan(8);
  for (const row of rows) {
    const name = row.split('|').at(-2)?.trim() ?? '';
    expect(own, row).toContain(`test('${name}`);
  }
});
