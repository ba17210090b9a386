/** SNAT: servers reach others under an address of the director. */
import { describe, expect, it } from 'vitest';
import type { IpPacket, ReferenceDest, ReferenceService } from '../../src/reference/index.js';
import { judged } from './builders.js';
import {
  checksumIsRight,
  chunk,
  ENDS,
  fragment4,
  fragment6,
  frame,
  NETWORK,
  packet,
  plainDirector,
  sctp,
  tcp,
  udp,
} from './builders6.js';
import { ACK, addresses, endsOf, hopsOf, keyOf, NOW, packetIn, SYN, SYN_ACK, segment } from './fullnat.js';
import { arrive, LOCALS, leave, MARK, markOf, snat, TALKERS } from './snat.js';

const RST = 4;
const DF = 2;

/** Its ports. */
const portsOf = ({ payload }: IpPacket): number[] => [0, 2].map((at) => (payload[at]! << 8) | payload[at + 1]!);

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { inside, outside, far } = TALKERS[family];
  const [local, other] = LOCALS[family];

  it('leaves from the local end, and what comes back goes to the one who began', () => {
    const made = snat();
    const [there] = leave(made, segment([inside, 40_001], [outside, 80], { flags: SYN, seq: 100 }));
    expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in', outInterface: 'cli' });
    const asked = packetIn(there!);
    expect([endsOf(asked), portsOf(asked), hopsOf(asked)]).toEqual([addresses(local, outside), [1024, 80], 63]);
    const begun = new DataView(asked.payload.buffer, asked.payload.byteOffset).getUint32(4);
    expect(begun).not.toBe(100);
    const answer = segment([outside, 80], [local, 1024], { flags: SYN_ACK, seq: 7, ack: (begun + 1) >>> 0 });
    const [back] = arrive(made, answer);
    expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'srv' });
    const heard = packetIn(back!);
    expect([endsOf(heard), portsOf(heard), hopsOf(heard)]).toEqual([addresses(outside, inside), [80, 40_001], 63]);
    expect(new DataView(heard.payload.buffer, heard.payload.byteOffset).getUint32(8)).toBe(101);
    for (const each of [asked, heard]) expect(checksumIsRight(each)).toBe(true);
    const ends = { clientAddress: inside, clientPort: 40_001, virtualAddress: outside, virtualPort: 80 };
    const dest = { destAddress: outside, destPort: 80, localAddress: local, localPort: 1024, method: 'snat' };
    expect(made.connections(NOW)).toMatchObject([{ ...ends, ...dest, state: 'SYN_RECV', inPackets: 1 }]);
    const counts = { connections: 1n, inPackets: 1n, outPackets: 1n };
    const service = made.services().find((each) => 'fwmark' in each && each.family === family);
    expect(service).toMatchObject({
      stats: counts,
      dests: [{ address: local, port: 0, method: 'snat', stats: counts }],
    });
  });

  it('carries datagrams and SCTP alike, each to where it is addressed', () => {
    const made = snat();
    for (const to of [outside, far]) {
      for (const asked of [udp([inside, 7], [to, 53]), sctp([inside, 7], [to, 53], chunk(1))]) {
        const [there] = leave(made, asked);
        expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in' });
        expect(endsOf(packetIn(there!))).toEqual(addresses(local, to));
      }
      const [back] = arrive(made, udp([to, 53], [local, 1024]));
      expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out' });
      expect([endsOf(packetIn(back!)), portsOf(packetIn(back!))]).toEqual([addresses(to, inside), [53, 7]]);
    }
  });

  it('tells apart by ports who asks the same one, and gives the same port for different ones', () => {
    const made = snat();
    const second = family === 4 ? '10.1.0.12' : 'fd00:1::12';
    const sent = [
      [inside, outside, 53],
      [second, outside, 53],
      [inside, far, 53],
    ] as const;
    const ports = sent.map(([from, to, port]) => portsOf(packetIn(leave(made, udp([from, 9], [to, port]))[0]!))[0]);
    expect(ports).toEqual([1024, 1025, 1024]);
  });

  it('has as many ports for one as there are, and asks the scheduler once', () => {
    const made = snat({}, { localPorts: { first: 5000, last: 5000 } });
    const ask = (port: number, to = 53) => judged(leave(made, udp([inside, port], [outside, to])));
    expect(ask(1)).toEqual(['forward snat-in']);
    expect(ask(2)).toEqual(['drop no-local-port']);
    made.addDest(markOf(family), { address: other, method: 'snat', weight: 1 });
    // By turns: one of the two has a port, and the other is not asked in its place.
    expect([3, 4, 5].flatMap((port) => ask(port)).sort()).toEqual([
      'drop no-local-port',
      'drop no-local-port',
      'forward snat-in',
    ]);
    expect(made.connections(NOW)).toHaveLength(2);
  });

  it('shares the pools of FullNAT', () => {
    const made = snat({}, { localAddresses: 2 });
    const key = keyOf(family, 'udp');
    made.addService({ ...key, localAddresses: [local] });
    made.addDest(key, { address: outside, port: 53, method: 'fullnat' });
    leave(made, udp([inside, 9], [outside, 53]));
    const [there] = arrive(made, udp([far, 9], [ENDS[family].vip, 80]));
    expect(portsOf(packetIn(there!))).toEqual([1025, 53]);
  });

  it('opens nothing from port 0', () => {
    expect(judged(leave(snat(), udp([inside, 0], [outside, 53])))).toEqual(['drop client-port-zero']);
  });

  it('lets nothing out that came too late, nor past it', () => {
    const made = snat({}, { sysctl: { cache_bypass: 1 } });
    for (const flags of [ACK, SYN_ACK | RST, RST]) {
      expect(judged(leave(made, tcp([inside, 9], [outside, 80], flags)))).toEqual(['drop no-connection']);
    }
    expect(judged(leave(made, sctp([inside, 9], [outside, 80], chunk(0))))).toEqual(['drop no-connection']);
    expect(judged(leave(made, packet(inside, outside, 6, new Uint8Array(3))))).toEqual(['drop transport-truncated']);
    expect(judged(leave(made, packet(inside, outside, 6, new Uint8Array(9))))).toEqual(['drop transport-truncated']);
    made.editDest(markOf(family), { address: local, method: 'snat', weight: 0 });
    const outcomes = leave(made, tcp([inside, 9], [outside, 80], SYN, 0, { ttl: 9 }));
    expect(judged(outcomes)).toEqual(['drop no-dest', 'forward port-unreachable']);
    const told = packetIn(outcomes[1]!);
    expect(endsOf(told)).toEqual(addresses(ENDS[family].inner, inside));
    // As it came.
    expect(told.payload[8 + (family === 4 ? 8 : 7)]).toBe(9);
    expect(made.connections(NOW)).toEqual([]);
  });

  it('takes what is sloppy, and FTP’s data connections as any', () => {
    const made = snat({}, { sysctl: { sloppy_tcp: 1 } });
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], ACK)))).toEqual(['forward snat-in']);
    expect(judged(leave(made, tcp([inside, 20], [outside, 80], SYN)))).toEqual(['forward snat-in']);
  });

  it('leaves alone what has no mark, no ports, or is for the director or for many', () => {
    const made = snat();
    const solicitation = packet(
      inside,
      outside,
      family === 4 ? 1 : 58,
      Uint8Array.of(family === 4 ? 10 : 133, 0, 0, 0, 0, 0, 0, 0),
    );
    const secured = packet(inside, outside, 50, new Uint8Array(16));
    for (const each of [solicitation, secured]) {
      const [outcome] = leave(made, each);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'routed' });
      expect(endsOf(packetIn(outcome!))).toEqual(addresses(inside, outside));
    }
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], SYN), 0))).toEqual(['forward routed']);
    expect(judged(leave(made, tcp([inside, 9], [local, 80], SYN)))).toEqual(['local local-delivery']);
    const many = family === 4 ? ['10.0.0.255', '224.0.0.5', '255.255.255.255'] : ['ff02::1', 'ff05::2'];
    for (const to of many) {
      expect(judged(leave(made, udp([inside, 9], [to, 80])))).toEqual(['local local-delivery']);
    }
    expect(made.connections(NOW)).toEqual([]);
  });

  it('leaves services by address what is for them', () => {
    const made = snat();
    const key = keyOf(family);
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: inside, port: 8080, method: 'nat' });
    const [asked] = made.send(frame(tcp([outside, 9], [ENDS[family].vip, 80], SYN)), 'cli', NOW, { mark: MARK });
    expect(judged([asked!])).toEqual(['forward nat-in']);
    // Servers are inside, too, and have the mark.
    expect(judged(leave(made, tcp([inside, 8080], [outside, 9], SYN_ACK)))).toEqual(['forward nat-out']);
    made.setSysctl({ nat_icmp_send: 1 });
    const stray = leave(made, tcp([inside, 8080], [outside, 10], SYN));
    expect(judged(stray)).toEqual(['drop no-connection', 'forward port-unreachable']);
  });

  it('is a router before', () => {
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, mtu: each.name === 'cli' ? 1300 : 1500 }));
    const made = snat({}, { network: { ...NETWORK, interfaces } });
    const told = (outcomes: ReturnType<typeof leave>) => [judged(outcomes), ...endsOf(packetIn(outcomes[1]!))];
    const inner = addresses(ENDS[family].inner, inside);
    const long = tcp([inside, 9], [outside, 80], SYN, 1400, { flags: DF });
    expect(told(leave(made, long))).toEqual([['drop too-big', 'forward fragmentation-needed'], ...inner]);
    const last = tcp([inside, 9], [outside, 80], SYN, 0, { ttl: 1 });
    expect(told(leave(made, last))).toEqual([['drop ttl-exceeded', 'forward time-exceeded'], ...inner]);
    const nowhere = family === 4 ? '198.51.100.7' : '2001:db8:7::7';
    const lost = tcp([inside, 9], [nowhere, 80], SYN);
    expect(told(leave(made, lost))).toEqual([['drop no-route', 'forward net-unreachable'], ...inner]);
    expect(made.connections(NOW)).toEqual([]);
    made.setSysctl({ ip_forward: 0, ipv6_forwarding: 0 });
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], SYN)))).toEqual(['pass not-forwarding']);
  });

  it.each([
    ['linux', 8],
    ['alibaba', 9],
    ['dpvs', 9],
  ] as const)('counts hops as the profile does: %s', (profile, hops) => {
    const made = snat({ profile });
    const sent = leave(made, tcp([inside, 9], [outside, 80], SYN, 0, { ttl: 9 }));
    const back = arrive(made, tcp([outside, 80], [local, 1024], SYN_ACK, 0, { ttl: 9 }));
    expect([sent, back].map(([each]) => hopsOf(packetIn(each!)))).toEqual([hops, hops]);
  });

  it('puts fragments together', () => {
    const made = snat();
    const whole = udp([inside, 9], [outside, 53], 600);
    const cut = family === 4 ? fragment4 : fragment6;
    const pieces = [cut(whole, 0, 304, true), cut(whole, 304, 304, false)];
    const outcomes = pieces.flatMap((piece) => leave(made, piece));
    expect(judged(outcomes)).toEqual(['held fragment-held', 'forward snat-in', 'forward fragment']);
    for (const each of outcomes.slice(1)) expect(endsOf(packetIn(each))).toEqual(addresses(local, outside));
  });

  it('lets one who is persistent keep its address, in all protocols', () => {
    const made = snat({ persistent: 300 });
    made.addDest(markOf(family), { address: other, method: 'snat' });
    const asked = [1, 2, 3].map((port) => leave(made, udp([inside, port], [outside, 52 + port]))[0]!);
    asked.push(leave(made, tcp([inside, 1], [far, 80], SYN))[0]!);
    expect(new Set(asked.map((each) => packetIn(each).source)).size).toBe(1);
    const template = made.connections(NOW).find((each) => each.template);
    const at = family === 4 ? '0.0.0.7' : '0:7::';
    expect(template).toMatchObject({ protocol: 'ip', virtualAddress: at, destPort: 0, method: 'snat' });
    expect(LOCALS[family]).toContain(template!.destAddress);
  });

  it('keeps connections apart from what becomes of their dest', () => {
    const made = snat();
    leave(made, tcp([inside, 9], [outside, 80], SYN));
    made.deleteDest(markOf(family), { address: local });
    // Without any dest it is a service like any other.
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], ACK)))).toEqual(['drop dest-unavailable']);
    made.addDest(markOf(family), { address: other, method: 'snat' });
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], ACK)))).toEqual(['drop dest-unavailable']);
    expect(judged(arrive(made, tcp([outside, 80], [local, 1024], SYN_ACK)))).toEqual(['forward snat-out']);
    made.addDest(markOf(family), { address: local, method: 'snat' });
    expect(judged(leave(made, tcp([inside, 9], [outside, 80], ACK)))).toEqual(['forward snat-in']);
  });

  it('gives a new local end to who begins again', () => {
    const made = snat();
    const ask = (flags: number) => portsOf(packetIn(leave(made, tcp([inside, 9], [outside, 80], flags))[0]!))[0];
    expect(ask(SYN)).toBe(1024);
    arrive(made, tcp([outside, 80], [local, 1024], SYN_ACK));
    ask(ACK);
    arrive(made, tcp([outside, 80], [local, 1024], RST));
    expect(ask(SYN)).toBe(1025);
    expect(made.connections(NOW)).toHaveLength(1);
  });

  it('finds answers to a local address that is routed to the director', () => {
    const elsewhere = family === 4 ? '10.9.0.77' : 'fd00:9::77';
    const made = snat();
    made.addDest(markOf(family), { address: elsewhere, method: 'snat' });
    made.deleteDest(markOf(family), { address: local });
    leave(made, tcp([inside, 9], [outside, 80], SYN));
    const [back] = arrive(made, tcp([outside, 80], [elsewhere, 1024], SYN_ACK, 0, { ttl: 9 }));
    expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'srv' });
    expect(hopsOf(packetIn(back!))).toBe(8);
  });

  it('serves itself once it has the address of the one who is asked', () => {
    const made = snat();
    leave(made, tcp([inside, 9], [outside, 80], SYN));
    const interfaces = NETWORK.interfaces.map((each) =>
      each.name === 'cli'
        ? { ...each, addresses: [...(each.addresses ?? []), `${outside}/${family === 4 ? 32 : 128}`] }
        : each,
    );
    made.setNetwork({ ...NETWORK, interfaces });
    const [outcome] = leave(made, tcp([inside, 9], [outside, 80], ACK));
    expect(outcome).toMatchObject({ verdict: 'local', reason: 'local-dest' });
    expect(endsOf(packetIn(outcome!))).toEqual(addresses(local, outside));
  });

  it('tells both ends of one that has timed out', () => {
    const made = snat({}, { sysctl: { conn_expire_tcp_rst: 1 } });
    const [there] = leave(made, segment([inside, 9], [outside, 80], { flags: SYN, seq: 100 }));
    const begun = new DataView(packetIn(there!).payload.buffer, packetIn(there!).payload.byteOffset).getUint32(4);
    arrive(made, segment([outside, 80], [local, 1024], { flags: SYN_ACK, seq: 7, ack: (begun + 1) >>> 0 }));
    leave(made, segment([inside, 9], [outside, 80], { flags: ACK, seq: 101, ack: 8 }));
    const outcomes = leave(made, udp([inside, 1], [local, 1]), 0, NOW + 901_000);
    expect(judged(outcomes)).toEqual(['local local-delivery', 'forward expired-reset', 'forward expired-reset']);
    expect(outcomes.slice(1).map((each) => endsOf(packetIn(each)))).toEqual([
      addresses(local, outside),
      addresses(outside, inside),
    ]);
    expect(outcomes.slice(1).map(({ outInterface }) => outInterface)).toEqual(['cli', 'srv']);
  });
});

it('sends on as they came fragments that must not be cut, however long they are together', () => {
  const { inside, outside } = TALKERS[4];
  const whole = udp([inside, 9], [outside, 53], 2000);
  const pieces = [fragment4(whole, 0, 1208, true, DF), fragment4(whole, 1208, 800, false, DF)];
  const made = snat();
  const outcomes = pieces.flatMap((piece) => leave(made, piece));
  expect(judged(outcomes)).toEqual(['held fragment-held', 'forward snat-in', 'forward fragment']);
  expect(outcomes.slice(1).map((each) => packetIn(each).payload.length)).toEqual([1208, 800]);
});

describe('what cannot be configured', () => {
  const dest: ReferenceDest = { address: '10.0.0.1', method: 'snat' };
  const mark: ReferenceService = { fwmark: 7, scheduler: 'rr' };

  it.each<[string, ReferenceService, ReferenceDest]>([
    ['in a service by address', { protocol: 'tcp', address: '10.0.0.100', port: 80 }, dest],
    ['a port', mark, { ...dest, port: 80 }],
    ['another family', mark, { ...dest, address: 'fd00::1' }],
    ['the other way round', { ...mark, family: 6 }, dest],
    ['a group', mark, { ...dest, address: '224.0.0.5' }],
    ['the host alone', mark, { ...dest, address: '127.0.0.1' }],
    ['the host alone, IPv6', { ...mark, family: 6 }, { ...dest, address: '::1' }],
    ['with one-packet scheduling', { ...mark, ops: true }, dest],
    ['with something to carry', { ...mark, carry: 'toa' }, dest],
  ])('%s', (_, service, refused) => {
    const made = plainDirector();
    made.addService(service);
    expect(() => made.addDest(service, refused)).toThrow(RangeError);
    expect(made.services()).toMatchObject([{ dests: [] }]);
  });

  it.each([{ ops: true }, { carry: 'proxy-v1' }] as const)('later: %o', (words) => {
    const made = plainDirector();
    made.addService(mark);
    made.addDest(mark, dest);
    expect(() => made.editService({ ...mark, ...words })).toThrow(RangeError);
    made.editService({ ...mark, profile: 'dpvs' });
    expect(made.services()).toMatchObject([{ profile: 'dpvs' }]);
  });

  it('two kinds of dests in one service; one alone may change', () => {
    const made = plainDirector();
    made.addService(mark);
    made.addDest(mark, { address: '10.0.0.1', method: 'nat' });
    const second = { address: '10.0.0.100', method: 'snat' } as const;
    expect(() => made.addDest(mark, second)).toThrow(RangeError);
    made.editDest(mark, dest);
    made.addDest(mark, second);
    expect(() => made.editDest(mark, { ...dest, method: 'nat' })).toThrow(RangeError);
    expect(() => made.addDest(mark, { address: '10.1.0.11', method: 'nat' })).toThrow(RangeError);
    expect(made.services()[0]!.dests.map(({ method }) => method)).toEqual(['snat', 'snat']);
  });

  it('more local addresses than were planned, until one is given up', () => {
    const made = plainDirector({ localAddresses: 1 });
    made.addService(mark);
    made.addDest(mark, dest);
    const second = { address: '10.0.0.100', method: 'snat' } as const;
    expect(() => made.addDest(mark, second)).toThrow(RangeError);
    made.editDest(mark, { ...dest, method: 'nat' });
    expect(() => made.addDest(mark, second)).toThrow('no others');
    made.deleteDest(mark, dest);
    made.addDest(mark, second);
    made.deleteService(mark);
    made.addService({ ...mark, localAddresses: ['10.0.0.1'] });
    expect(made.services()).toMatchObject([{ localAddresses: ['10.0.0.1'] }]);
  });
});
