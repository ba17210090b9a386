/** Queries of ICMP by SNAT: pings and timestamps, and their replies (RFC 5508 §3). */
import { describe, expect, it } from 'vitest';
import { poolOf } from '../../src/reference/fullnat/pools.js';
import {
  type IpPacket,
  internetChecksum,
  isIpv6,
  parseAnyAddress,
  parseIcmp,
  type ReferenceOutcome,
  serialiseIp,
} from '../../src/reference/index.js';
import { pseudoHeader } from '../../src/reference/packet/checksum.js';
import { serialiseGue } from '../../src/reference/packet/gue.js';
import { judged } from './builders.js';
import { ENDS, fragment4, fragment6, frame, icmpError, NETWORK, packet, tcp, udp } from './builders6.js';
import { addresses, endsOf, hopsOf, keyOf, NOW, packetIn, SYN } from './fullnat.js';
import { ECHO, error, identifierOf, isRight, message, PROTOCOL, queriesOf } from './queries.js';
import { arrive, LOCALS, leave, MARK, markOf, snat, TALKERS } from './snat.js';

const TIMESTAMP = [13, 14] as const;

/** In GUE to the director, which is to finish the checksum of the message. */
function inGue(inner: IpPacket): IpPacket {
  const start = isIpv6(inner) ? 40 : 20;
  const remoteChecksum = { start, offset: start + 2 };
  const gue = { control: false, protocol: isIpv6(inner) ? 41 : 4, remoteChecksum, payload: serialiseIp(inner) };
  const bytes = serialiseGue(gue);
  const header = [9, 9, 6080, 8 + bytes.length].flatMap((word, i) => (i === 1 ? [] : [word >>> 8, word & 255]));
  return packet(ENDS[4].server, ENDS[4].inner, 17, Uint8Array.from([...header, 0, 0, ...bytes]));
}

/** The identifiers with which packets leave. */
const given = (outcomes: ReferenceOutcome[]): number[] => outcomes.map((each) => identifierOf(packetIn(each)));

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { inside, outside, far, local, other, second, query, reply, header, ask, answer } = queriesOf(family);
  const protocol = family === 4 ? 'icmp' : 'icmpv6';
  const pool = poolOf(protocol, parseAnyAddress(outside), 0);
  /** A port of UDP there whose pool is that of identifiers. */
  const port = Array.from({ length: 0x100 }, (_, i) => i + 1).find(
    (each) => poolOf('udp', parseAnyAddress(outside), each) === pool,
  )!;

  it('leaves from the local end, and comes back to the one who asks', () => {
    const made = snat();
    const [there] = leave(made, ask(77));
    expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in', outInterface: 'cli' });
    const asked = packetIn(there!);
    expect([endsOf(asked), identifierOf(asked), hopsOf(asked)]).toEqual([addresses(local, outside), 1024, 63]);
    const [back] = arrive(made, answer(1024));
    expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'srv' });
    const heard = packetIn(back!);
    expect([endsOf(heard), identifierOf(heard), hopsOf(heard)]).toEqual([addresses(outside, inside), 77, 63]);
    for (const [each, type] of [
      [asked, query],
      [heard, reply],
    ] as const) {
      expect(isRight(each)).toBe(true);
      // All but checksum and identifier is as it was said.
      const said = message(inside, outside, type, 77).payload;
      expect([each.payload[0], each.payload[1], ...each.payload.slice(6)]).toEqual([type, 0, ...said.slice(6)]);
    }
    const ends = { clientAddress: inside, clientPort: 77, virtualAddress: outside, virtualPort: 0 };
    const dest = { destAddress: outside, destPort: 0, localAddress: local, localPort: 1024, method: 'snat' };
    expect(made.connections(NOW)).toMatchObject([{ protocol, ...ends, ...dest, state: 'UDP', inPackets: 1 }]);
    const bytes = BigInt(header + 20);
    const stats = { connections: 1n, inPackets: 1n, outPackets: 1n, inBytes: bytes, outBytes: bytes };
    const service = made.services().find((each) => 'fwmark' in each && each.family === family);
    expect(service).toMatchObject({ stats, dests: [{ stats, activeConnections: 0, inactiveConnections: 1 }] });
  });

  it('is one connection as long as somebody asks the same one by the same identifier', () => {
    const neighbours = [...NETWORK.neighbours!, { dst: second, dev: 'srv', lladdr: '02:00:00:00:01:12' }];
    const made = snat({}, { network: { ...NETWORK, neighbours } });
    const sent = [ask(7), ask(7), ask(8), ask(7, far), ask(7, outside, second)].flatMap((each) => leave(made, each));
    expect(given(sent)).toEqual([1024, 1024, 1025, poolsDiffer ? 1024 : 1026, poolsDiffer ? 1026 : 1027]);
    expect(made.connections(NOW)).toHaveLength(4);
    // Each gets its own.
    const heard = arrive(made, answer(poolsDiffer ? 1026 : 1027)).map(packetIn);
    expect([endsOf(heard[0]!), identifierOf(heard[0]!)]).toEqual([addresses(outside, second), 7]);
  });

  /** Whether those who are asked have their identifiers from different pools. */
  const poolsDiffer = pool !== poolOf(protocol, parseAnyAddress(far), 0);

  it('has 0 for an identifier like any other', () => {
    const made = snat();
    expect(given([ask(0), ask(0)].flatMap((each) => leave(made, each)))).toEqual([1024, 1024]);
    const [back] = arrive(made, answer(1024));
    expect(back).toMatchObject({ reason: 'snat-out' });
    expect([identifierOf(packetIn(back!)), isRight(packetIn(back!))]).toEqual([0, true]);
    // Its own reply to the other, who asks by 0, too, is none of that.
    expect(judged(leave(made, answer(0, inside, outside)))).toEqual(['forward routed']);
    const [, told] = [ask(0, inside, outside), answer(0, outside, inside)].map((about) =>
      leave(made, error(inside, outside, about)),
    );
    expect(judged(told!)).toEqual(['forward icmp-in']);
    expect(judged(leave(made, error(inside, outside, ask(0, inside, outside))))).toEqual(['forward routed']);
    expect(made.connections(NOW)).toMatchObject([{ clientPort: 0, inPackets: 2 }]);
  });

  it('shares pools with what has ports, by its own protocol and port 0', () => {
    const made = snat();
    leave(made, udp([inside, 9], [outside, port]));
    expect(given(leave(made, ask(9)))).toEqual([1025]);
    leave(made, udp([inside, 10], [outside, port]));
    expect(made.connections(NOW).map(({ localPort }) => localPort)).toEqual([1024, 1025, 1026]);
  });

  it('is dropped where identifiers are exhausted, and has them again when others have expired', () => {
    const made = snat({}, { localPorts: { first: 5000, last: 5001 } });
    const reasons = [1, 2, 3, 1].flatMap((identifier) => judged(leave(made, ask(identifier))));
    expect(reasons).toEqual(['forward snat-in', 'forward snat-in', 'drop no-local-port', 'forward snat-in']);
    // UDP's time.
    made.setTimeouts({ udp: 20 });
    const later = NOW + 1000;
    leave(made, ask(1), MARK, later);
    arrive(made, answer(5000), later + 1000);
    expect(made.connections(later + 1000).map(({ expires }) => expires)).toEqual([20, 298]);
    expect(judged(leave(made, ask(3), MARK, later + 20_999))).toEqual(['drop no-local-port']);
    expect(given(leave(made, ask(3), MARK, later + 21_000))).toEqual([5000]);
    expect(judged(arrive(made, answer(5000), later + 330_000))).toEqual(['local local-delivery']);
    expect(made.connections(later + 330_000)).toEqual([]);
  });

  it('is dropped without a dest, with an answer that quotes it as it came', () => {
    const made = snat({}, { sysctl: { cache_bypass: 1 } });
    made.editDest(markOf(family), { address: local, method: 'snat', weight: 0 });
    const outcomes = leave(made, message(inside, outside, query, 7, { ttl: 9 }));
    expect(judged(outcomes)).toEqual(['drop no-dest', 'forward port-unreachable']);
    const quoted = packetIn(outcomes[1]!).payload.slice(8);
    expect([...quoted.slice(header)]).toEqual([...ask(7).payload]);
    expect(quoted[family === 4 ? 8 : 7]).toBe(9);
    expect(made.connections(NOW)).toEqual([]);
  });

  it('keeps what is damaged so, both ways', () => {
    const made = snat();
    for (const [each, send] of [
      [ask(77), (sent: IpPacket) => leave(made, sent)],
      [answer(1024), (sent: IpPacket) => arrive(made, sent)],
    ] as const) {
      const sum = parseIcmp(packetIn(send(each)[0]!).payload).checksum;
      const bad = each.payload.slice();
      new DataView(bad.buffer).setUint16(2, (parseIcmp(bad).checksum + 0x101) % 0xffff);
      const [outcome] = send({ ...each, payload: bad } as IpPacket);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: expect.stringMatching('snat') });
      expect(parseIcmp(packetIn(outcome!).payload).checksum).toBe((sum + 0x101) % 0xffff);
    }
  });

  it('leaves other messages, and those of the other direction, as they are', () => {
    const made = snat();
    const stays = (from: string, to: string, type: number, code: number, mark: number) => {
      const sent = message(from, to, type, 7, { code });
      const [outcome] = leave(made, sent, mark);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'routed' });
      expect([endsOf(packetIn(outcome!)), [...packetIn(outcome!).payload]]).toEqual([endsOf(sent), [...sent.payload]]);
    };
    leave(made, ask(7));
    for (const mark of [0, MARK]) {
      stays(inside, outside, reply, 0, mark);
      stays(inside, outside, query, 1, mark);
      for (const type of family === 4 ? [10, 15, 17, 42] : [133, 139, 8, 160]) stays(inside, outside, type, 0, mark);
    }
    stays(inside, outside, query, 0, 0);
    for (const [type, code] of [
      [query, 0],
      [reply, 1],
    ]) {
      expect(judged(arrive(made, message(outside, local, type!, 1024, { code: code! })))).toEqual([
        'local local-delivery',
      ]);
    }
    // From another one, or by another identifier.
    for (const each of [answer(1024, far), answer(7), answer(0)]) {
      expect(judged(arrive(made, each))).toEqual(['local local-delivery']);
    }
    expect(made.connections(NOW)).toMatchObject([{ inPackets: 1 }]);
  });

  it('to the director or to many is none', () => {
    const made = snat();
    const many = family === 4 ? ['10.0.0.255', '224.0.0.5'] : ['ff02::1'];
    for (const to of [local, ENDS[family].inner, ...many]) {
      expect(judged(leave(made, ask(7, to)))).toEqual(['local local-delivery']);
    }
    expect(made.connections(NOW)).toEqual([]);
  });

  it('is nobody’s else: not of NAT, nor refused as a stray', () => {
    const made = snat({}, { sysctl: { nat_icmp_send: 1 } });
    const key = { fwmark: MARK + 1, family } as const;
    made.addService(key);
    made.addDest(key, { address: inside, method: 'nat' });
    expect(judged(leave(made, ask(7, local), MARK + 1))).toEqual(['local local-delivery']);
    expect(judged(leave(made, ask(0)))).toEqual(['forward snat-in']);
    expect(judged(leave(made, answer(7, inside, outside)))).toEqual(['forward routed']);
  });

  it.each([0, 1, 4, 7])('is too short with %i bytes', (length) => {
    const made = snat();
    leave(made, ask(7));
    const short = (whole: IpPacket) => ({ ...whole, payload: whole.payload.slice(0, length) }) as IpPacket;
    const sent = [leave(made, short(ask(7))), arrive(made, short(answer(1024)))];
    expect(sent.map(judged)).toEqual([['drop transport-truncated'], ['drop transport-truncated']]);
    const stats = { inPackets: 1n, outPackets: 0n };
    expect(made.services().find((each) => 'fwmark' in each && each.family === family)).toMatchObject({ stats });
  });

  it('is whole with 8 bytes', () => {
    const made = snat();
    const bare = leave(made, message(inside, outside, query, 7, { data: 0 }))[0]!;
    expect([bare.reason, isRight(packetIn(bare))]).toEqual(['snat-in', true]);
    expect(judged(arrive(made, message(outside, local, reply, 1024, { data: 0 })))).toEqual(['forward snat-out']);
  });

  it('in fragments is put together, and leaves as it came, both ways', () => {
    const made = snat();
    const cut = (whole: IpPacket) => {
      const piece = family === 4 ? fragment4 : fragment6;
      return [piece(whole, 0, 304, true), piece(whole, 304, 304, false)];
    };
    const data = { data: 600 };
    const there = cut(message(inside, outside, query, 77, data)).flatMap((each) => leave(made, each));
    expect(judged(there)).toEqual(['held fragment-held', 'forward snat-in', 'forward fragment']);
    const back = cut(message(outside, local, reply, 1024, data)).flatMap((each) => arrive(made, each));
    expect(judged(back)).toEqual(['held fragment-held', 'forward snat-out', 'forward fragment']);
    for (const [outcomes, whole] of [
      [there, message(local, outside, query, 1024, data)],
      [back, message(outside, inside, reply, 77, data)],
    ] as const) {
      const pieces = outcomes.slice(1).map(packetIn);
      for (const each of pieces) expect(endsOf(each)).toEqual(endsOf(whole));
      const bytes = pieces.flatMap((each) => [...(isIpv6(each) ? each.payload.slice(8) : each.payload)]);
      expect(bytes).toEqual([...whole.payload]);
    }
  });

  it('keeps hops as its profile does', () => {
    const made = snat({ profile: 'dpvs' });
    const sent = leave(made, message(inside, outside, query, 7, { ttl: 9 }));
    const back = arrive(made, message(outside, local, reply, 1024, { ttl: 9 }));
    expect([sent, back].map(([each]) => hopsOf(packetIn(each!)))).toEqual([9, 9]);
  });

  it('has the address that its client has for all else, where that is persistent', () => {
    const made = snat({ persistent: 300 });
    made.addDest(markOf(family), { address: other, method: 'snat' });
    const asked = [ask(1), tcp([inside, 1], [far, 80], SYN), ask(2, far), ask(3)].map((each) => leave(made, each)[0]!);
    expect(new Set(asked.map((each) => packetIn(each).source)).size).toBe(1);
    const templates = () => made.connections(NOW).filter((each) => each.template);
    expect(templates()).toMatchObject([{ protocol: 'ip', virtualPort: 0, destPort: 0, state: 'NONE' }]);
    expect(
      judged(
        arrive(
          made,
          answer(
            1024,
            outside,
            LOCALS[family].find((each) => parseAnyAddress(each) === packetIn(asked[0]!).source),
          ),
        ),
      ),
    ).toEqual(['forward snat-out']);
    // As by a datagram.
    expect(templates()).toMatchObject([{ state: 'ASSURED' }]);
  });

  it('is scheduled by its identifier where ports are', () => {
    const made = snat({ scheduler: 'sh', flags: ['sh-port'] });
    made.addDest(markOf(family), { address: other, method: 'snat' });
    const sources = Array.from({ length: 32 }, (_, i) => packetIn(leave(made, ask(i))[0]!).source);
    expect(new Set(sources).size).toBe(2);
    const same = snat({ scheduler: 'sh' });
    same.addDest(markOf(family), { address: other, method: 'snat' });
    expect(new Set(Array.from({ length: 32 }, (_, i) => packetIn(leave(same, ask(i))[0]!).source)).size).toBe(1);
  });

  it('stands apart from what becomes of its dest', () => {
    const made = snat();
    leave(made, ask(7));
    made.deleteDest(markOf(family), { address: local });
    made.addDest(markOf(family), { address: other, method: 'snat' });
    expect(judged(leave(made, ask(7)))).toEqual(['drop dest-unavailable']);
    expect(judged(arrive(made, answer(1024)))).toEqual(['forward snat-out']);
    made.setSysctl({ expire_nodest_conn: 1 });
    const [next] = leave(made, ask(7));
    expect([next!.reason, packetIn(next!).source]).toEqual(['snat-in', parseAnyAddress(other)]);
  });

  it('finds replies to a local address that is routed to the director', () => {
    const elsewhere = family === 4 ? '10.9.0.77' : 'fd00:9::77';
    const made = snat();
    made.addDest(markOf(family), { address: elsewhere, method: 'snat' });
    made.deleteDest(markOf(family), { address: local });
    leave(made, ask(7));
    const [back] = arrive(made, message(outside, elsewhere, reply, 1024, { ttl: 9 }));
    expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'srv' });
    expect([hopsOf(packetIn(back!)), identifierOf(packetIn(back!))]).toEqual([8, 7]);
    expect(judged(arrive(made, message(outside, elsewhere, query, 1024)))).toEqual(['forward routed']);
  });

  it('is answered by the director once that has the address', () => {
    const made = snat();
    leave(made, ask(7));
    const addressed = { addresses: [...NETWORK.interfaces[1]!.addresses!, `${outside}/${family === 4 ? 32 : 128}`] };
    const interfaces = NETWORK.interfaces.map((each) => (each.name === 'cli' ? { ...each, ...addressed } : each));
    made.setNetwork({ ...NETWORK, interfaces });
    const [outcome] = leave(made, ask(7));
    expect(outcome).toMatchObject({ verdict: 'local', reason: 'local-dest' });
    const got = packetIn(outcome!);
    expect([endsOf(got), identifierOf(got), isRight(got)]).toEqual([addresses(local, outside), 1024, true]);
    expect(judged(leave(made, ask(8)))).toEqual(['local local-delivery']);
  });

  it('comes in a tunnel with its checksum to be finished, or does not', () => {
    const made = snat();
    const whole = ask(77);
    const [note] = made.send(frame(whole, 'srv'), 'srv', NOW, { mark: MARK, partialChecksum: true });
    // No network card finishes that of ICMP.
    expect([note!.partialChecksum, isRight(packetIn(note!))]).toEqual([false, true]);
    const begun = whole.payload.slice();
    const sum = internetChecksum(pseudoHeader(whole.source, whole.destination, PROTOCOL[family], begun.length));
    const covered = family === 4 ? 0 : 0xffff - sum;
    new DataView(begun.buffer).setUint16(2, covered);
    const [outcome] = made.send(frame(inGue({ ...whole, payload: begun } as IpPacket), 'srv'), 'srv', NOW, {
      mark: MARK,
    });
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'snat-in', partialChecksum: false });
    expect([identifierOf(packetIn(outcome!)), isRight(packetIn(outcome!))]).toEqual([1024, true]);
  });

  it('shares the pools of FullNAT', () => {
    const made = snat({}, { localAddresses: 2 });
    const key = keyOf(family, 'udp');
    made.addService({ ...key, localAddresses: [local] });
    made.addDest(key, { address: outside, port, method: 'fullnat' });
    leave(made, ask(9));
    arrive(made, udp([far, 9], [ENDS[family].vip, 80]));
    expect(made.connections(NOW).map(({ method, localPort }) => [method, localPort])).toEqual([
      ['snat', 1024],
      ['fullnat', 1025],
    ]);
  });
});

it('carries timestamps as echoes, of the same connection', () => {
  const { inside, outside } = TALKERS[4];
  const [local] = LOCALS[4];
  const made = snat();
  const sent = [TIMESTAMP[0], ECHO[4][0]].flatMap((type) => leave(made, message(inside, outside, type, 77)));
  expect(judged(sent)).toEqual(['forward snat-in', 'forward snat-in']);
  expect(given(sent)).toEqual([1024, 1024]);
  const back = [ECHO[4][1], TIMESTAMP[1]].flatMap((type) => arrive(made, message(outside, local, type, 1024)));
  expect(judged(back)).toEqual(['forward snat-out', 'forward snat-out']);
  expect(given(back)).toEqual([77, 77]);
  for (const each of [...sent, ...back]) expect(isRight(packetIn(each))).toBe(true);
  expect(made.connections(NOW)).toMatchObject([{ protocol: 'icmp', inPackets: 2 }]);
  const [told] = arrive(made, icmpError([outside, local], [11, 0, 0], serialiseIp(message(local, outside, 13, 1024))));
  expect(told).toMatchObject({ reason: 'icmp-out' });
  expect([...packetIn(told!).payload.slice(28)]).toEqual([...message(inside, outside, 13, 77).payload]);
});

it('is a query only in the ICMP of its own family', () => {
  const made = snat();
  for (const [family, protocol] of [
    [4, 58],
    [6, 1],
  ] as const) {
    const { inside, outside } = TALKERS[family];
    const bytes = message(inside, outside, ECHO[family][0], 7).payload;
    expect(judged(leave(made, packet(inside, outside, protocol, bytes)))).toEqual(['forward routed']);
  }
});
