/** FullNAT: where packets go, how they look, errors, timeouts, what is refused. */
import { describe, expect, it } from 'vitest';
import { BINARIES, createDirector } from '../support/core.js';
import {
  answer,
  CPORT,
  DPORT,
  ENDS,
  FAMILIES,
  FULLNAT_NETWORK,
  fullNat,
  keyOf,
  NOW,
  PLAN,
  portOf,
  read,
  request,
  send,
  VPORT,
} from '../support/fullnat.js';
import { ACK, counting, FIN, icmp, join, SYN } from '../support/packets.js';
import { entriesOf } from '../support/snapshot.js';

describe.each(FAMILIES)('FullNAT of IPv%i', (family) => {
  const { client, vip, server, local, router } = ENDS[family];

  it.each(['tcp', 'udp', 'sctp'] as const)('goes from the local end to the server and back, for %s', (protocol) => {
    const director = fullNat();
    // Twice: the long way, then the short one.
    for (const _ of [1, 2]) {
      const there = send(director, request(family, { protocol, ttl: 9 }), 'cli');
      expect(there).toMatchObject({ verdict: 'forward', reason: 'fullnat-in', outInterface: 'srv' });
      const ends = { source: local, sport: 1024, destination: server, dport: DPORT };
      expect(read(there.frame)).toMatchObject({ ...ends, ttl: 8 });
      const back = send(director, answer(family, 1024, { protocol, ttl: 9 }), 'srv');
      expect(back).toMatchObject({ verdict: 'forward', reason: 'fullnat-out', outInterface: 'cli' });
      expect(read(back.frame)).toMatchObject({ source: vip, sport: VPORT, destination: client, dport: CPORT, ttl: 8 });
      if (protocol !== 'sctp') expect([there, back].map(({ frame }) => read(frame).isRight)).toEqual([true, true]);
    }
    expect(director.connections(NOW)).toEqual([
      expect.objectContaining({ method: 'fullnat', localAddress: local, localPort: 1024, inPackets: 2 }),
    ]);
    expect(director.services()[0]).toMatchObject({ localAddresses: [expect.any(String)] });
  });

  it.each([
    ['linux', 8, 900],
    ['alibaba', 9, 90],
    ['dpvs', 9, 90],
  ] as const)('counts hops and time by the profile %s', (profile, ttl, established) => {
    const director = fullNat({ profile });
    const there = send(director, request(family, { ttl: 9 }), 'cli');
    expect(read(there.frame)).toMatchObject({ ttl, isRight: true });
    const expires = () => director.connections(NOW)[0]?.expires;
    expect(expires()).toBe(profile === 'linux' ? 60 : 30);
    const back = send(director, answer(family, 1024, { ttl: 9 }), 'srv');
    expect(read(back.frame)).toMatchObject({ ttl, isRight: true });
    send(director, request(family, { flags: ACK }), 'cli');
    send(director, request(family, { flags: ACK }), 'cli');
    expect(expires()).toBe(established);
    send(director, request(family, { flags: FIN | ACK }), 'cli');
    expect(expires()).toBe(profile === 'linux' ? 60 : 7);
    send(director, request(family, { protocol: 'udp' }), 'cli');
    expect(director.connections(NOW).find(({ protocol }) => protocol === 'udp')?.expires).toBe(300);
    const last = director.send(request(family, { ttl: 1 }), 'cli', NOW);
    expect(last.map(({ reason }) => reason)).toEqual(['ttl-exceeded', 'time-exceeded']);
  });

  it('takes an error of the client to the server, as from the local address, whoever sent it', () => {
    const director = fullNat();
    send(director, request(family), 'cli');
    const reply = send(director, answer(family, 1024), 'srv').frame;
    const [type, code] = family === 4 ? [3, 1] : [1, 3];
    for (const source of [client, family === 4 ? '10.0.0.9' : 'fd00::9']) {
      const error = send(director, icmp({ source, destination: vip }, type, code, reply), 'cli');
      expect(error).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'srv' });
      const quoted = error.frame.subarray(family === 4 ? 28 : 48);
      expect(read(error.frame)).toMatchObject({ source: local, destination: server, isRight: family === 6 });
      expect(read(quoted)).toMatchObject({ source: server, sport: DPORT, destination: local, dport: 1024, seq: 1000 });
    }
  });

  it("takes an error of the server's side to the client, in the client's numbers", () => {
    const director = fullNat({ profile: 'dpvs' });
    const there = send(director, request(family), 'cli').frame;
    expect(read(there).seq).not.toBe(1000);
    const [type, code] = family === 4 ? [3, 1] : [1, 3];
    const header = family === 4 ? 20 : 40;
    for (const length of [there.length, header + 8, header + 7]) {
      const words = { source: router, destination: local, ttl: 9 };
      const error = send(director, icmp(words, type, code, there.subarray(0, length)), 'srv');
      expect(error).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'cli' });
      expect(read(error.frame)).toMatchObject({ source: vip, destination: client, ttl: 9 });
      const quoted = read(join(error.frame.subarray(header + 8), new Uint8Array(20)));
      expect(quoted).toMatchObject({ source: client, sport: CPORT, destination: vip, dport: VPORT });
      if (length > header + 7) expect(quoted.seq).toBe(1000);
      else expect(error.frame.subarray(header + 8 + header + 4)).toEqual(there.subarray(header + 4, length));
    }
  });

  it('tells either end what is too long for it, as it came', () => {
    const [cli, srv] = FULLNAT_NETWORK.interfaces as [{ name: string }, { name: string }];
    const network = {
      ...FULLNAT_NETWORK,
      interfaces: [
        { ...cli, mtu: 1300 },
        { ...srv, mtu: 1400 },
      ],
    };
    const director = fullNat({}, { network: network as typeof FULLNAT_NETWORK });
    send(director, request(family), 'cli');
    const long = { payload: counting(1450), df: true };
    const there = director.send(request(family, { ...long, flags: ACK }), 'cli', NOW);
    expect(there.map(({ reason }) => reason)).toEqual(['too-big', 'fragmentation-needed']);
    expect(read(there[1]!.frame)).toMatchObject({ destination: client });
    const back = director.send(answer(family, 1024, { ...long, flags: ACK }), 'srv', NOW);
    expect(back.map(({ reason }) => reason)).toEqual(['too-big', 'fragmentation-needed']);
    expect(read(back[1]!.frame)).toMatchObject({ source: local, destination: server });
  });

  it('finds replies while nothing else is forwarded, and leaves to the host what is no connection’s', () => {
    const director = fullNat({}, { sysctl: { ip_forward: 0, ipv6_forwarding: 0 } });
    send(director, request(family), 'cli');
    for (const _ of [1, 2]) expect(send(director, answer(family, 1024), 'srv').reason).toBe('fullnat-out');
    expect(send(director, answer(family, 1025), 'srv').reason).toBe('local-delivery');
  });

  it('finds replies to an address that is only routed here, if the host forwards', () => {
    const elsewhere = family === 4 ? '10.9.0.7' : 'fd00:9::7';
    for (const forwards of [1, 0]) {
      const director = fullNat({}, { sysctl: { ip_forward: forwards, ipv6_forwarding: forwards } });
      director.editService({ ...keyOf(family), scheduler: 'rr', localAddresses: [elsewhere] });
      send(director, request(family), 'cli');
      for (const _ of [1, 2]) {
        const back = send(director, answer(family, 1024, { destination: elsewhere, ttl: 9 }), 'srv');
        expect(back.reason).toBe(forwards ? 'fullnat-out' : 'not-forwarding');
        if (forwards) expect(read(back.frame)).toMatchObject({ source: vip, destination: client, ttl: 8 });
      }
    }
  });

  it('leaves to the host what comes to the port of a connection that has ended', () => {
    const director = fullNat();
    send(director, request(family), 'cli');
    const port = portOf(director);
    const later = NOW + 100_000;
    director.advance(later);
    expect([director.connectionCount, entriesOf(director)]).toEqual([0, 0]);
    expect(send(director, answer(family, port), 'srv', later).reason).toBe('local-delivery');
    expect(send(director, request(family, { sport: CPORT + 1 }), 'cli', later).reason).toBe('fullnat-in');
    expect(send(director, answer(family, port), 'srv', later).reason).toBe('local-delivery');
    expect(director.connectionCount).toBe(1);
  });

  it('takes no AH and no ESP', () => {
    const director = fullNat();
    const isakmp = { protocol: 'udp', address: vip, port: 500 } as const;
    director.addService({ ...isakmp, localAddresses: [local] });
    director.addDest(isakmp, { address: server, method: 'fullnat' });
    send(director, request(family, { protocol: 'udp', sport: 500, dport: 500 }), 'cli');
    const packet = request(family, { protocol: 'udp' });
    packet[family === 4 ? 9 : 6] = 50;
    if (family === 4) packet.set([0, 0], 10);
    expect(send(director, family === 4 ? fixed(packet) : packet, 'cli').reason).toBe('local-delivery');
  });
});

function fixed(packet: Uint8Array): Uint8Array {
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += packet[i]! * 256 + packet[i + 1]!;
  sum = (sum & 0xffff) + (sum >> 16);
  packet.set([(~sum >> 8) & 255, ~sum & 255], 10);
  return packet;
}

it.each(BINARIES)('the %s core sends a burst of both directions the short way as the long one', (binary) => {
  const made = createDirector(binary, { network: FULLNAT_NETWORK, plan: PLAN });
  made.addService({ ...keyOf(4), scheduler: 'rr', localAddresses: ['10.1.0.1'] });
  made.addDest(keyOf(4), { address: '10.1.0.11', port: DPORT, method: 'fullnat' });
  for (let n = 0; n < 20; n++) send(made, request(4, { sport: 2000 + n }), 'cli');
  const [cli, srv] = ['cli', 'srv'].map((name) => made.interfaceIndex(name)) as [number, number];
  made.burst.reset();
  for (let n = 0; n < 20; n++) {
    for (const [packet, wire] of [
      [request(4, { sport: 2000 + n, flags: ACK }), cli],
      [answer(4, 1024 + n, { flags: ACK }), srv],
    ] as const) {
      made.burst.reserve(packet.length, wire).set(packet);
      made.burst.commit(packet.length);
    }
  }
  expect(made.process(NOW)).toBe(40);
  for (let n = 0; n < 20; n++) {
    expect(read(made.burst.frame(2 * n))).toMatchObject({ sport: 1024 + n, dport: DPORT, isRight: true });
    expect(read(made.burst.frame(2 * n + 1))).toMatchObject({ sport: VPORT, dport: 2000 + n, isRight: true });
  }
});

describe('a service', () => {
  const key = keyOf(4);

  it('refuses local addresses that cannot be', () => {
    const director = fullNat();
    const give = (...localAddresses: string[]) => director.editService({ ...key, localAddresses });
    expect(() => give('fd00::1')).toThrow("service.localAddresses[0]: expected an address of the service's family");
    expect(() => give('10.1.0.1', '224.0.0.1')).toThrow('service.localAddresses[1]: expected the address of a host');
    expect(() => give('127.0.0.2')).toThrow('service.localAddresses[0]: expected an address that servers can answer');
    expect(() => director.editService({ ...keyOf(6), localAddresses: ['::1'] })).toThrow('servers can answer, got ::1');
    expect(() => give('10.1.0.1', '10.1.0.1')).toThrow('expected each address once, got 10.1.0.1');
    expect(() => give(...Array.from({ length: 256 }, (_, i) => `10.7.1.${i}`))).toThrow('up to 255');
    expect(() => give('10.7.0.1', '10.7.0.2', '10.7.0.3')).toThrow(
      expect.objectContaining({ code: 'TABLE_FULL', message: expect.stringContaining('room for 4 local addresses') }),
    );
    expect(() => director.editService({ ...key, profile: 'bsd' as 'linux' })).toThrow(
      'service.profile: expected a profile of linux, alibaba, dpvs, got "bsd"',
    );
    expect(() => give('10.1.0.1', '10.1.0.300')).toThrow(
      'service.localAddresses[1]: expected an address such as 10.0.0.1 or fd00::1, got "10.1.0.300"',
    );
    expect(() => director.editService({ ...key, carry: 'tao' as 'toa' })).toThrow('service.carry: expected a carry of');
    expect(() => director.editService({ ...keyOf(4, 'udp'), synproxy: true })).toThrow(
      'service.synproxy: expected TCP or a firewall mark, got udp',
    );
    const settings = director.services().find(({ address, protocol }) => address === key.address && protocol === 'tcp');
    expect(settings).toMatchObject({ localAddresses: ['10.1.0.1'] });
  });

  it('has no dest by FullNAT whose connections live for a packet, whichever comes first', () => {
    const director = fullNat();
    const dns = keyOf(4, 'udp');
    expect(() => director.editService({ ...dns, ops: true })).toThrow('fullnat with one-packet scheduling');
    director.editDest(dns, { address: '10.1.0.11', port: DPORT, method: 'nat' });
    director.editService({ ...dns, ops: true });
    const dest = { address: '10.1.0.11', port: DPORT, method: 'fullnat' } as const;
    expect(() => director.editDest(dns, dest)).toThrow('ops');
    expect(() => director.addDest(dns, { ...dest, port: 1 })).toThrow('ops');
    expect(() => director.replaceRules([{ service: { ...dns, ops: true }, added: [dest] }])).toThrow('ops');
    director.replaceRules([{ service: dns, added: [dest] }]);
  });

  it('keeps the profile of a connection that lives', () => {
    const director = fullNat();
    send(director, request(4), 'cli');
    director.editService({ ...key, scheduler: 'rr', localAddresses: ['10.1.0.2'], profile: 'dpvs' });
    expect(read(send(director, request(4, { ttl: 9 }), 'cli').frame)).toMatchObject({ source: '10.1.0.1', ttl: 8 });
    const other = send(director, request(4, { sport: 7, ttl: 9, flags: SYN }), 'cli');
    expect(read(other.frame)).toMatchObject({ source: '10.1.0.2', ttl: 9 });
    expect(portOf(director)).toBe(1024);
  });
});
