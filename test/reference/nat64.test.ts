/** Packets of NAT64: what becomes of headers, lengths and checksums, both ways, and what is refused. */
import { describe, expect, it } from 'vitest';
import {
  internetChecksum,
  isIpv6,
  parseIcmp,
  parseIp,
  parseSctp,
  parseUdp,
  pseudoHeader,
  serialiseIp,
  serialiseSctp,
} from '../../src/reference/index.js';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { judged } from './builders.js';
import { chunk, ENDS, frame as frameOf, icmpError, NETWORK, packet, sctp, tcp, udp } from './builders6.js';
import { ACK, addresses, endsOf, LOCAL, NOW, SYN, SYN_ACK, segment } from './fullnat.js';
import { answer, ask, CLIENT, FIRST, INNER, key, left, mtus, nat64, SERVER, VIP, wholeLeft } from './nat64.js';

const DF = 2;

describe('from IPv6 to IPv4', () => {
  it('is the same segment between local end and server, behind a header without options', () => {
    const director = nat64();
    const sent = tcp([CLIENT, 7], [VIP, 80], SYN, 12, { ttl: 9, tos: 0xb9 });
    const [outcome, ...more] = ask(director, sent);
    expect(more).toEqual([]);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat64-in', outInterface: 'srv' });
    const there = wholeLeft(outcome);
    expect(endsOf(there)).toEqual(addresses(INNER, SERVER));
    expect(there).toMatchObject({ tos: 0xb9, ttl: 8, flags: 0, fragmentOffset: 0, protocol: 6, identification: 1 });
    expect(there).toMatchObject({ options: new Uint8Array(0) });
    expect([...there.payload.slice(0, 4)]).toEqual([FIRST >> 8, FIRST & 0xff, 8080 >> 8, 8080 & 0xff]);
    // All but ports, number and checksum.
    expect(there.payload.slice(8, 16)).toEqual(sent.payload.slice(8, 16));
    expect(there.payload.slice(18)).toEqual(sent.payload.slice(18));
    expect(wholeLeft(ask(director, tcp([CLIENT, 7], [VIP, 80], ACK))[0])).toMatchObject({ identification: 2 });
  });

  it('is listed with ends of both families, and counted as it came', () => {
    const director = nat64();
    ask(director, tcp([CLIENT, 7], [VIP, 80], SYN));
    answer(director, tcp([SERVER, 8080], [INNER, FIRST], SYN_ACK));
    expect(director.connections(NOW)[0]).toMatchObject({
      ...{ clientAddress: CLIENT, virtualAddress: VIP, destAddress: SERVER, destPort: 8080 },
      ...{ localAddress: INNER, localPort: FIRST, method: 'fullnat', state: 'SYN_RECV' },
    });
    expect(director.services()[0]?.stats).toMatchObject({ inBytes: 60n, outBytes: 40n });
  });

  it('may be cut up to 1260 bytes, and not beyond', () => {
    const director = nat64();
    const [short, long] = [1260, 1261].map((total) => ask(director, udp([CLIENT, 7], [VIP, 80], total - 28))[0]);
    expect(wholeLeft(short)).toMatchObject({ flags: 0, identification: 1 });
    expect(wholeLeft(long)).toMatchObject({ flags: DF, identification: 0 });
  });

  it.each(['alibaba', 'dpvs'] as const)(
    'has DF, no number, no service and the hops as they came with %s',
    (profile) => {
      const sent = tcp([CLIENT, 7], [VIP, 80], SYN, 0, { ttl: 9, tos: 0xb9 });
      expect(wholeLeft(ask(nat64({ profile }), sent)[0])).toMatchObject({
        tos: 0,
        ttl: 9,
        flags: DF,
        identification: 0,
      });
    },
  );

  it('leaves extension headers out', () => {
    const datagram = udp([CLIENT, 7], [VIP, 80], 5);
    // Hop-by-hop, destination options, routing with no segments left, authentication.
    const headers = [0, 60, 43, 51].map((_, i, all) => {
      const next = all[i + 1] ?? 17;
      return all[i] === 43 ? [43, 0, 4, 0, 0, 0, 0, 0].with(0, next) : [next, 0, 1, 4, 0, 0, 0, 0];
    });
    headers[3] = [17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    const payload = Uint8Array.from([...headers.flat(), ...datagram.payload]);
    const [outcome] = ask(nat64(), { ...datagram, nextHeader: 0, payload } as typeof datagram);
    const there = wholeLeft(outcome);
    expect(there).toMatchObject({ protocol: 17 });
    expect(there.payload).toHaveLength(13);
  });

  it('is refused while a routing header leads elsewhere', () => {
    const datagram = udp([CLIENT, 7], [VIP, 80], 5);
    const routing = [17, 0, 4, 1, 0, 0, 0, 0];
    const destination = [43, 0, 1, 4, 0, 0, 0, 0];
    const payload = Uint8Array.from([...destination, ...routing, ...datagram.payload]);
    const outcomes = ask(nat64(), { ...datagram, nextHeader: 60, payload } as typeof datagram);
    expect(judged(outcomes)).toEqual(['drop ipv6-extension', 'forward parameter-problem']);
    const told = wholeLeft(outcomes[1]);
    expect(endsOf(told)).toEqual(addresses(VIP, CLIENT));
    expect([...told.payload.slice(0, 2), ...told.payload.slice(4, 8)]).toEqual([4, 0, 0, 0, 0, 40 + 8 + 3]);
  });

  it('tells the client of its hops, and of the room that IPv4 has', () => {
    const director = nat64({}, { network: mtus(1500, 1400) });
    const spent = ask(director, udp([CLIENT, 7], [VIP, 80], 5, { ttl: 1 }));
    expect(judged(spent)).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
    expect(endsOf(wholeLeft(spent[1]))).toEqual(addresses(VIP, CLIENT));
    expect(judged(ask(director, udp([CLIENT, 7], [VIP, 80], 1372)))).toEqual(['forward nat64-in']);
    const long = ask(director, udp([CLIENT, 7], [VIP, 80], 1373));
    expect(judged(long)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    expect([...wholeLeft(long[1]).payload.slice(0, 8)]).toMatchObject({ 0: 2, 1: 0, 6: 1420 >> 8, 7: 1420 & 0xff });
  });

  it('never asks for less than IPv6 carries, and cuts what is short', () => {
    const director = nat64({}, { network: mtus(1500, 1000) });
    const long = ask(director, udp([CLIENT, 7], [VIP, 80], 1233));
    expect([...wholeLeft(long[1]).payload.slice(6, 8)]).toEqual([1280 >> 8, 1280 & 0xff]);
    const cut = ask(director, udp([CLIENT, 7], [VIP, 80], 1232));
    expect(judged(cut)).toEqual(['forward nat64-in', 'forward fragment']);
    const pieces = cut.map(left);
    expect(pieces.map(({ payload }) => payload.length)).toEqual([976, 264]);
    expect(pieces[0]).toMatchObject({ flags: 1, fragmentOffset: 0, identification: 1 });
    expect(pieces[1]).toMatchObject({ flags: 0, fragmentOffset: 122, identification: 1 });
  });

  it('has SCTP with its checksum anew', () => {
    const there = left(ask(nat64(), sctp([CLIENT, 7], [VIP, 80], chunk(1)))[0]);
    expect(there).toMatchObject({ protocol: 132, flags: 0 });
    const parsed = parseSctp(there.payload);
    expect(parsed).toMatchObject({ sourcePort: FIRST, destinationPort: 8080 });
    expect(serialiseSctp(parsed)).toEqual(there.payload);
  });

  it('gives a datagram without checksum one, and keeps a wrong one wrong', () => {
    const none = udp([CLIENT, 7], [VIP, 80]);
    none.payload.set([0, 0], 6);
    const director = nat64();
    expect(parseUdp(wholeLeft(ask(director, none)[0]).payload).checksum).not.toBe(0);
    const wrong = udp([CLIENT, 7], [VIP, 80]);
    wrong.payload[6] = wrong.payload[6]! ^ 0x40;
    expect(() => wholeLeft(ask(director, wrong)[0])).toThrow('checksum');
  });

  it('hands on a checksum that is only begun, over the ends of IPv4', () => {
    const sent = segment([CLIENT, 7], [VIP, 80], { flags: SYN });
    const begun = (source: string, destination: string) =>
      0xffff -
      internetChecksum(pseudoHeader(parseAnyAddress(source), parseAnyAddress(destination), 6, sent.payload.length));
    new DataView(sent.payload.buffer).setUint16(16, begun(CLIENT, VIP));
    const [outcome] = nat64().send(frameOf(sent), 'cli', NOW, { partialChecksum: true });
    expect(outcome).toMatchObject({ reason: 'nat64-in', partialChecksum: true });
    expect(new DataView(left(outcome).payload.slice().buffer).getUint16(16)).toBe(begun(INNER, SERVER));
  });

  it('is the host’s, translated, where the director is the server', () => {
    const director = nat64();
    director.addDest(key('udp'), { address: '10.0.0.1', port: 53, method: 'fullnat' });
    director.deleteDest(key('udp'), { address: SERVER, port: 8080 });
    const [outcome] = ask(director, udp([CLIENT, 7], [VIP, 80], 5, { ttl: 9 }));
    expect(outcome).toMatchObject({ verdict: 'local', reason: 'local-dest' });
    // From the header of IP on.
    expect([...outcome!.frame.slice(0, 10)]).toEqual([0x45, 0, 0, 33, 0, 1, 0, 0, 9, 17]);
  });
});

describe('from IPv4 to IPv6', () => {
  function opened(words = {}, options = {}) {
    const director = nat64(words, options);
    ask(director, tcp([CLIENT, 7], [VIP, 80], SYN));
    ask(director, udp([CLIENT, 7], [VIP, 80]));
    return director;
  }

  it('is the same segment between virtual end and client, without options', () => {
    const sent = tcp([SERVER, 8080], [INNER, FIRST], SYN_ACK, 12, { ttl: 9, tos: 0xb9 });
    const [outcome] = answer(opened(), { ...sent, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) } as typeof sent);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat64-out', outInterface: 'cli' });
    const back = wholeLeft(outcome);
    expect(endsOf(back)).toEqual(addresses(VIP, CLIENT));
    expect(back).toMatchObject({ trafficClass: 0xb9, flowLabel: 0, hopLimit: 8, nextHeader: 6 });
    expect(back.payload.length).toBe(32);
    expect(back.payload.slice(20)).toEqual(sent.payload.slice(20));
  });

  it('keeps its hops by the other profiles, and its service in any', () => {
    const sent = tcp([SERVER, 8080], [INNER, FIRST], SYN_ACK, 0, { ttl: 9, tos: 0xb9 });
    const back = wholeLeft(answer(opened({ profile: 'dpvs' }), sent)[0]);
    expect(back).toMatchObject({ trafficClass: 0xb9, hopLimit: 9 });
  });

  it('gives a datagram without checksum one', () => {
    const none = udp([SERVER, 8080], [INNER, FIRST]);
    none.payload.set([0, 0], 6);
    expect(parseUdp(wholeLeft(answer(opened(), none)[0]).payload).checksum).not.toBe(0);
  });

  it('tells the server of its hops, and of the room that IPv6 has', () => {
    const director = opened({}, { network: mtus(1400, 1500) });
    const spent = answer(director, udp([SERVER, 8080], [INNER, FIRST], 5, { ttl: 1 }));
    expect(judged(spent)).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
    expect(endsOf(left(spent[1]))).toEqual(addresses(INNER, SERVER));
    const fits = answer(director, udp([SERVER, 8080], [INNER, FIRST], 1352, { flags: DF }));
    expect(judged(fits)).toEqual(['forward nat64-out']);
    const long = answer(director, udp([SERVER, 8080], [INNER, FIRST], 1353, { flags: DF }));
    expect(judged(long)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    expect([...left(long[1]).payload.slice(0, 8)]).toMatchObject({ 0: 3, 1: 4, 6: 1380 >> 8, 7: 1380 & 0xff });
  });

  it('is cut where it may be, with its number', () => {
    const director = opened({}, { network: mtus(1400, 1500) });
    const cut = answer(director, udp([SERVER, 8080], [INNER, FIRST], 1353));
    expect(judged(cut)).toEqual(['forward nat64-out', 'forward fragment']);
    const pieces = cut.map(left);
    expect(pieces.map((each) => serialiseIp(each).length)).toEqual([1400, 57]);
    expect(pieces.map((each) => isIpv6(each) && each.nextHeader)).toEqual([44, 44]);
    expect([...pieces[1]!.payload.slice(0, 8)]).toEqual([17, 0, 1352 >> 8, 1352 & 0xff, 0, 0, 0x12, 0x34]);
  });

  it('finds the way although neither family forwards', () => {
    const director = opened({}, { sysctl: { ip_forward: 0, ipv6_forwarding: 0 } });
    expect(judged(answer(director, udp([SERVER, 8080], [INNER, FIRST])))).toEqual(['forward nat64-out']);
  });

  it('is found where the local address is only routed to the director, and its hop counted once', () => {
    const elsewhere = '10.9.0.77';
    const director = nat64({ localAddresses: [elsewhere] });
    ask(director, tcp([CLIENT, 7], [VIP, 80], SYN));
    const [outcome] = answer(director, tcp([SERVER, 8080], [elsewhere, FIRST], SYN_ACK, 0, { ttl: 9 }));
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat64-out' });
    expect(wholeLeft(outcome)).toMatchObject({ hopLimit: 8 });
  });

  it('is the host’s, with its hops as they came, where the director is the client, be the local address its own or not', () => {
    for (const local of [INNER, '10.9.0.77']) {
      const director = nat64({ localAddresses: [local] });
      director.send(serialiseIp(udp([ENDS[6].own, 7], [VIP, 80])), 'lo', NOW);
      const back = udp([SERVER, 8080], [local, FIRST], 8, { ttl: 9 });
      const [outcome] = answer(director, back);
      expect(judged([outcome!])).toEqual(['local local-client']);
      const packet = parseIp(outcome!.frame);
      expect(endsOf(packet)).toEqual(addresses(VIP, ENDS[6].own));
      expect(packet).toMatchObject({ hopLimit: 9 });
      const error = icmpError([SERVER, local], [3, 1, 0], serialiseIp(udp([local, FIRST], [SERVER, 8080])), { ttl: 9 });
      const [told] = answer(director, error);
      expect(judged([told!])).toEqual(['local local-client']);
      expect(parseIp(told!.frame)).toMatchObject({ hopLimit: 9, nextHeader: 58 });
    }
  });

  it.each(['linux', 'dpvs'] as const)('tells a server of its packet as it came, routed or not, by %s', (profile) => {
    for (const local of ['10.9.0.77', INNER]) {
      const director = nat64({ localAddresses: [local], profile }, { network: mtus(1280, 1500) });
      ask(director, tcp([CLIENT, 7], [VIP, 80], SYN));
      const long = segment(
        [SERVER, 8080],
        [local, FIRST],
        { flags: ACK, data: new Uint8Array(1235) },
        { ttl: 9, flags: 2 },
      );
      const outcomes = answer(director, long);
      expect(judged(outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
      expect(parseIcmp(left(outcomes[1]).payload).payload[8]).toBe(9);
    }
  });

  it('says over IPv4 that there is no way to the client any more', () => {
    const director = opened();
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, up: each.name !== 'cli' }));
    director.setNetwork({ ...NETWORK, interfaces });
    const outcomes = answer(director, udp([SERVER, 8080], [INNER, FIRST]));
    expect(judged(outcomes)).toEqual(['drop no-route', 'forward net-unreachable']);
    expect(endsOf(left(outcomes[1]))).toEqual(addresses(INNER, SERVER));
  });
});

describe('rules of NAT64', () => {
  const six = { address: VIP, port: 80, protocol: 'tcp' } as const;

  it('take turns among the local addresses of the server’s family', () => {
    const localAddresses = [LOCAL[6], INNER, ENDS[6].own, '10.0.0.1'];
    const director = nat64({ localAddresses });
    director.addDest(six, { address: ENDS[6].server, port: 8080, method: 'fullnat' });
    for (const port of [1, 2, 3, 4, 5]) ask(director, tcp([CLIENT, port], [VIP, 80], SYN));
    expect(director.connections(NOW).map(({ localAddress }) => localAddress)).toEqual([
      ...[LOCAL[6], INNER, ENDS[6].own, '10.0.0.1', LOCAL[6]],
    ]);
  });

  it('have no port without a local address of IPv4', () => {
    const director = nat64({ localAddresses: [LOCAL[6]] });
    expect(judged(ask(director, tcp([CLIENT, 7], [VIP, 80], SYN)))).toEqual(['drop no-local-port']);
  });

  it('refuse a server of IPv6 for clients of IPv4', () => {
    const director = nat64();
    const four = { protocol: 'tcp', address: ENDS[4].vip, port: 80 } as const;
    director.addService(four);
    expect(() => director.addDest(four, { address: ENDS[6].server, method: 'fullnat' })).toThrow(/NAT46/);
    expect(() => director.addDest(six, { address: '10.1.0.12', method: 'nat' })).toThrow(/tunnels and fullnat/);
  });

  it.each(['uoa-protocol', 'uoa-option'] as const)('refuse %s, whichever comes first', (carry) => {
    const director = nat64();
    const udpKey = key('udp');
    expect(() => director.editService({ ...udpKey, carry })).toThrow(/uoa/);
    const mark = { fwmark: 7, family: 6 } as const;
    if (carry === 'uoa-option') return;
    director.addService({ ...mark, carry });
    expect(() => director.addDest(mark, { address: SERVER, method: 'fullnat' })).toThrow(/uoa-protocol.*10\.1\.0\.11/);
    director.addDest(mark, { address: SERVER, method: 'tun' });
    expect(() => director.editDest(mark, { address: SERVER, method: 'fullnat' })).toThrow(/uoa-protocol/);
  });

  it('work by firewall mark, and with persistence', () => {
    const director = nat64();
    const mark = { fwmark: 7, family: 6 } as const;
    director.addService({ ...mark, persistent: 60, localAddresses: [INNER] });
    director.addDest(mark, { address: SERVER, method: 'fullnat' });
    const [outcome] = director.send(frameOf(udp([CLIENT, 7], ['fd00:7::1', 99])), 'cli', NOW, { mark: 7 });
    expect(outcome).toMatchObject({ reason: 'nat64-in' });
    expect(endsOf(wholeLeft(outcome))).toEqual(addresses(INNER, SERVER));
    const back = answer(director, udp([SERVER, 99], [INNER, FIRST]));
    expect(endsOf(wholeLeft(back[0]))).toEqual(addresses('fd00:7::1', CLIENT));
  });

  it('take neither AH nor ESP of the server', () => {
    const director = nat64();
    ask(director, udp([CLIENT, 7], [VIP, 80]));
    const secured = packet(SERVER, INNER, 50, new Uint8Array(16));
    expect(judged(answer(director, secured))).toEqual(['local local-delivery']);
  });
});
