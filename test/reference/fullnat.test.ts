/** Packets of connections by FullNAT: ends, hops, lengths, timeouts, and what is none of theirs. */
import { describe, expect, it } from 'vitest';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { judged } from './builders.js';
import { checksumIsRight, chunk, ENDS, frame, NETWORK, packet, sctp, tcp, udp } from './builders6.js';
import { ACK, addresses, endsOf, fullnat, hopsOf, keyOf, LOCAL, NOW, packetIn, SYN, SYN_ACK, Talk } from './fullnat.js';

const DF = 2;

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, vip, server, own, far } = ENDS[family];
  const talkOf = (...words: Parameters<typeof fullnat>) => new Talk(fullnat(...words), family);

  it('goes from the local end to the server, and back from the virtual end to the client', () => {
    const talk = talkOf();
    const there = talk.client({ flags: SYN });
    expect(there.outcome).toMatchObject({ verdict: 'forward', reason: 'fullnat-in', outInterface: 'srv' });
    expect(endsOf(there.packet)).toEqual(addresses(LOCAL[family], server));
    expect(there.segment).toMatchObject({ sourcePort: 1024, destinationPort: 8080 });
    const back = talk.server({ flags: SYN_ACK }, 1024);
    expect(back.outcome).toMatchObject({ verdict: 'forward', reason: 'fullnat-out', outInterface: 'cli' });
    expect(endsOf(back.packet)).toEqual(addresses(vip, client));
    expect(back.segment).toMatchObject({ sourcePort: 80, destinationPort: 40_001 });
    for (const sent of [there.packet, back.packet]) expect(checksumIsRight(sent)).toBe(true);
    const [connection] = talk.director.connections(NOW);
    const ends = { clientAddress: client, virtualAddress: vip, destAddress: server, destPort: 8080 };
    expect(connection).toMatchObject({ ...ends, method: 'fullnat', state: 'SYN_RECV', inPackets: 1 });
  });

  it('carries datagrams and SCTP alike', () => {
    const director = fullnat();
    const [datagram, init] = [udp([client, 7], [vip, 80]), sctp([client, 7], [vip, 80], chunk(1))];
    for (const [asked, make] of [
      [datagram, udp],
      [init, (from: [string, number], to: [string, number]) => sctp(from, to, chunk(2))],
    ] as const) {
      const [there] = director.send(frame(asked), 'cli', NOW);
      expect(endsOf(packetIn(there!))).toEqual(addresses(LOCAL[family], server));
      const answer = make([server, 8080], [LOCAL[family], 1024]);
      const [back] = director.send(frame(answer, 'srv'), 'srv', NOW);
      expect(back).toMatchObject({ verdict: 'forward', reason: 'fullnat-out' });
      expect(endsOf(packetIn(back!))).toEqual(addresses(vip, client));
    }
  });

  it('counts hops down as Linux does, or leaves them as the others do', () => {
    const hops = (profile: 'linux' | 'alibaba' | 'dpvs') => {
      const talk = talkOf({ profile });
      return [
        talk.client({ flags: SYN }, 1, { ttl: 9 }).packet,
        talk.server({ flags: SYN_ACK }, 1024, { ttl: 7 }).packet,
      ];
    };
    expect(hops('linux').map(hopsOf)).toEqual([8, 6]);
    expect(hops('alibaba').map(hopsOf)).toEqual([9, 7]);
    expect(hops('dpvs').map(hopsOf)).toEqual([9, 7]);
  });

  it.each(['linux', 'alibaba', 'dpvs'] as const)('tells who has used up its hops (%s)', (profile) => {
    const talk = talkOf({ profile });
    talk.client({ flags: SYN });
    const there = talk.client({ flags: ACK }, 40_001, { ttl: 1 });
    const back = talk.server({ flags: SYN_ACK }, 1024, { ttl: 1 });
    for (const [{ outcomes }, to] of [
      [there, client],
      [back, server],
    ] as const) {
      expect(judged(outcomes)).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
      expect(packetIn(outcomes[1]!).destination).toBe(parseAnyAddress(to));
    }
    // Nobody has heard the server.
    expect(talk.director.connections(NOW)[0]?.state).toBe('ESTABLISHED');
    expect(talk.director.services()[0]?.stats.outPackets).toBe(0n);
  });

  it('tells both sides what is too long for the other, before anything is counted', () => {
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, mtu: each.name === 'cli' ? 1400 : 1300 }));
    const talk = talkOf({}, { network: { ...NETWORK, interfaces } });
    talk.client({ flags: SYN });
    const there = talk.client({ flags: ACK, data: new Uint8Array(1350) }, 40_001, { flags: DF });
    expect(judged(there.outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const back = talk.server({ flags: ACK, data: new Uint8Array(1450) }, 1024, { flags: DF });
    expect(judged(back.outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const told = packetIn(back.outcomes[1]!);
    expect(endsOf(told)).toEqual(addresses(LOCAL[family], server));
  });

  it('answers through the director although it forwards nothing else', () => {
    const talk = talkOf({}, { sysctl: { ip_forward: 0, ipv6_forwarding: 0 } });
    talk.client({ flags: SYN });
    expect(judged(talk.server({ flags: SYN_ACK }, 1024).outcomes)).toEqual(['forward fullnat-out']);
    const stray = tcp([server, 8080], [client, 1], ACK);
    expect(judged(talk.director.send(frame(stray, 'srv'), 'srv', NOW))).toEqual(['pass not-forwarding']);
  });

  it('leaves to the host what is no connection’s', () => {
    const talk = talkOf({}, { sysctl: { nat_icmp_send: 1 } });
    talk.client({ flags: SYN });
    expect(judged(talk.server({ flags: ACK }, 1025).outcomes)).toEqual(['local local-delivery']);
    const other = tcp([server, 8081], [LOCAL[family], 1024], ACK);
    expect(judged(talk.director.send(frame(other, 'srv'), 'srv', NOW))).toEqual(['local local-delivery']);
  });

  it('says that there is no way to the client any more', () => {
    const talk = talkOf();
    talk.client({ flags: SYN });
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, up: each.name !== 'cli' }));
    talk.director.setNetwork({ ...NETWORK, interfaces });
    expect(judged(talk.server({ flags: SYN_ACK }, 1024).outcomes)).toEqual([
      'drop no-route',
      'forward net-unreachable',
    ]);
  });

  it('finds replies to a local address that is routed to the director without being its own', () => {
    const elsewhere = family === 4 ? '10.9.0.77' : 'fd00:9::77';
    for (const [profile, hops] of [
      ['linux', 8],
      ['dpvs', 9],
    ] as const) {
      const talk = talkOf();
      talk.director.editService({ ...keyOf(family), scheduler: 'rr', localAddresses: [elsewhere], profile });
      talk.client({ flags: SYN });
      const answer = tcp([server, 8080], [elsewhere, 1024], SYN_ACK, 0, { ttl: 9 });
      const [back] = talk.director.send(frame(answer, 'srv'), 'srv', NOW);
      expect(back).toMatchObject({ verdict: 'forward', reason: 'fullnat-out' });
      expect(endsOf(packetIn(back!))).toEqual(addresses(vip, client));
      expect(hopsOf(packetIn(back!))).toBe(hops);
    }
  });

  it('quotes such a reply as it came, by whichever of its two ways it does not fit', () => {
    const elsewhere = family === 4 ? '10.9.0.77' : 'fd00:9::77';
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, mtu: each.name === 'cli' ? 1300 : 1500 }));
    const routes = [{ dst: elsewhere, dev: 'srv', gateway: server }, ...(NETWORK.routes ?? [])];
    const talk = talkOf({}, { network: { ...NETWORK, interfaces, routes } });
    talk.director.editService({ ...keyOf(family), scheduler: 'rr', localAddresses: [elsewhere] });
    talk.client({ flags: SYN });
    const long = tcp([server, 8080], [elsewhere, 1024], ACK, 1400, { ttl: 9, flags: DF });
    const outcomes = talk.director.send(frame(long, 'srv'), 'srv', NOW);
    expect(judged(outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    expect(packetIn(outcomes[1]!).payload[8 + (family === 4 ? 8 : 7)]).toBe(9);
  });

  it('keeps its local end and its profile when the service gets others', () => {
    const talk = talkOf();
    talk.client({ flags: SYN });
    talk.director.editService({ ...keyOf(family), localAddresses: [own], profile: 'dpvs' });
    const again = talk.client({ flags: ACK }, 40_001, { ttl: 9 });
    expect(endsOf(again.packet)).toEqual(addresses(LOCAL[family], server));
    expect(hopsOf(again.packet)).toBe(8);
    expect(talk.director.connections(NOW)[0]?.expires).toBe(900);
  });

  it('has shorter timeouts of TCP by the other profiles, and those of the director for the rest', () => {
    const seconds = (profile: 'linux' | 'alibaba' | 'dpvs') => {
      const talk = talkOf({ profile });
      talk.director.setTimeouts({ tcp: 500, udp: 40 });
      talk.client({ flags: SYN });
      const [opened] = talk.director.connections(NOW);
      talk.client({ flags: ACK });
      const [established] = talk.director.connections(NOW);
      talk.director.send(frame(udp([client, 7], [vip, 80])), 'cli', NOW);
      return [opened, established, talk.director.connections(NOW)[1]].map((each) => each?.expires);
    };
    expect(seconds('linux')).toEqual([60, 500, 40]);
    expect(seconds('alibaba')).toEqual([30, 90, 40]);
    expect(seconds('dpvs')).toEqual([30, 90, 40]);
  });

  it('takes neither AH nor ESP', () => {
    const director = fullnat();
    const key = { protocol: 'udp', address: vip, port: 500 } as const;
    director.addService({ ...key, localAddresses: [LOCAL[family]] });
    director.addDest(key, { address: server, method: 'fullnat' });
    director.send(frame(udp([client, 500], [vip, 500])), 'cli', NOW);
    const secured = packet(client, vip, 50, new Uint8Array(16));
    expect(judged(director.send(frame(secured), 'cli', NOW))).toEqual(['local local-delivery']);
  });

  it('gives a new local end to a client that begins again', () => {
    const talk = talkOf();
    talk.client({ flags: SYN });
    talk.server({ flags: SYN_ACK }, 1024);
    talk.client({ flags: ACK });
    talk.server({ flags: 4 }, 1024);
    expect(talk.client({ flags: SYN }).segment.sourcePort).toBe(1025);
    expect(talk.director.connections(NOW)).toHaveLength(1);
  });

  it('goes by way of a router as NAT does', () => {
    const talk = talkOf();
    const asked = tcp([far, 9], [vip, 80], SYN);
    talk.director.send(frame(asked), 'cli', NOW);
    const back = talk.server({ flags: SYN_ACK }, 1024);
    expect(endsOf(back.packet)).toEqual(addresses(vip, far));
  });
});
