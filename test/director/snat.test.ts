/** SNAT: what is taken, where it goes and how it looks, byte by byte. */
import { describe, expect, it } from 'vitest';
import { fragmentsOf } from '../support/fragments.js';
import { CPORT, FAMILIES, NOW, PROTOCOLS, portOf, restored } from '../support/fullnat.js';
import { reasonsOf } from '../support/lab.js';
import { ACK, counting, FIN, fixIpv4, hex, icmp, packet, RST, SYN, toHex, u32, udp } from '../support/packets.js';
import {
  addSnat,
  atInner,
  atOuter,
  fromInner,
  fromOuter,
  MARK,
  markOf,
  OPORT,
  opened,
  PLACES,
  type Says,
  SNAT_NETWORK,
  send,
  sendAll,
  serviceOf,
  snat,
} from '../support/snat.js';

describe.each(FAMILIES)('SNAT of IPv%i', (family) => {
  const { inner, inside, outer, own } = PLACES[family];
  const [otherInner, nobody] = family === 4 ? ['10.1.0.12', '10.1.0.99'] : ['fd00:1::12', 'fd00:1::99'];

  it.each(PROTOCOLS)('takes %s out by the own address, and its answer back in', (protocol) => {
    const director = snat();
    const { port, delta } = opened(director, family, { protocol });
    expect(port).toBe(1024);
    for (const [i, payload] of [counting(0), counting(1), counting(17), counting(100, 0xf0)].entries()) {
      const words = { protocol, payload, flags: ACK, tos: 0xb8, ttl: 9, id: 77 + i };
      const there = send(director, fromInner(family, { ...words, seq: 0xffff_fff0 + i }), 'in');
      expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in', outInterface: 'out' });
      const out = { ...words, ttl: 8, seq: u32(0xffff_fff0 + i + delta) };
      expect(toHex(there.frame)).toBe(toHex(atOuter(family, port, out)));
      const back = send(director, fromOuter(family, port, { ...words, ack: u32(5000 + delta) }), 'out');
      expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'in' });
      expect(toHex(back.frame)).toBe(toHex(atInner(family, { ...words, ttl: 8, ack: 5000 })));
    }
    expect(director.connections(NOW)).toEqual([
      expect.objectContaining({
        ...{ method: 'snat', clientAddress: inner, clientPort: CPORT, virtualAddress: outer, virtualPort: OPORT },
        ...{ destAddress: outer, destPort: OPORT, localAddress: own[0], localPort: port, inPackets: 5 },
      }),
    ]);
  });

  it('counts for service and dest what the server sends as in, and what comes back as out', () => {
    const director = snat();
    const { port } = opened(director, family);
    send(director, fromInner(family, { flags: ACK, payload: counting(7) }), 'in');
    send(director, fromOuter(family, port, { payload: counting(9) }), 'out');
    const [size] = [family === 4 ? 40 : 60];
    const stats = {
      ...{ connections: 1n, inPackets: 2n, inBytes: BigInt(2 * size + 7) },
      ...{ outPackets: 1n, outBytes: BigInt(size + 9) },
    };
    const service = serviceOf(director, family);
    expect(service.stats).toEqual(stats);
    expect(service.dests[0]).toMatchObject({ address: own[0], port: 0, method: 'snat', stats, activeConnections: 1 });
  });

  it('leaves alone what has no mark, and what is no TCP, UDP, SCTP or query', () => {
    const director = snat();
    opened(director, family);
    const says = { flags: ACK };
    const [routed] = director.send(fromInner(family, says), 'in', NOW);
    expect(routed?.reason).toBe('routed');
    expect(toHex(routed!.frame)).toBe(toHex(fromInner(family, { ...says, ttl: 63 })));
    const reply = family === 4 ? 0 : 129;
    for (const frame of [
      icmp({ source: inner, destination: outer }, reply, 0, counting(8)),
      packet({ source: inner, destination: outer }, 50, counting(16)),
      packet({ source: inner, destination: outer }, 47, counting(16)),
    ]) {
      expect(send(director, frame, 'in')).toMatchObject({ reason: 'routed', connection: undefined });
    }
  });

  it('leaves alone what is for the director itself, for all on a link, or for nobody', () => {
    const director = snat();
    const all = family === 4 ? ['10.1.0.255', '255.255.255.255', '224.0.0.1'] : ['ff02::1'];
    for (const destination of [inside, ...own, ...all]) {
      expect([destination, send(director, fromInner(family, { destination }), 'in').reason]).toEqual([
        destination,
        'local-delivery',
      ]);
    }
    const nobodys = family === 4 ? ['0.0.0.0', '127.0.0.1'] : ['::1'];
    for (const destination of nobodys) {
      const outcome = send(director, udp({ source: inner, destination, sport: 1, dport: 2 }), 'in');
      expect([destination, outcome.reason]).toEqual([destination, 'martian-destination']);
    }
    expect(director.connections(NOW)).toEqual([]);
  });

  it('goes to a service of the director without the mark that it has', () => {
    const director = snat();
    const web = { protocol: 'tcp', address: own[1], port: OPORT } as const;
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: otherInner, port: 8443, method: 'nat' });
    expect(send(director, fromInner(family, { destination: own[1] }), 'in').reason).toBe('nat-in');
  });

  it.each([
    ['tcp', ACK, 'no-connection', 'sloppy_tcp'],
    ['tcp', SYN | RST, 'no-connection', undefined],
    ['tcp', SYN | ACK, 'snat-in', undefined],
    ['tcp', SYN | FIN, 'snat-in', undefined],
    ['sctp', ACK, 'no-connection', 'sloppy_sctp'],
    ['sctp', SYN, 'snat-in', undefined],
    ['udp', 0, 'snat-in', undefined],
  ] as const)('of no connection: %s with flags %i is %s, unless %s', (protocol, flags, expected, sloppy) => {
    const director = snat();
    const outcomes = sendAll(director, fromInner(family, { protocol, flags }), 'in');
    expect(reasonsOf(outcomes)).toEqual([expected]);
    if (expected === 'no-connection') expect(outcomes[0]?.verdict).toBe('drop');
    if (sloppy === undefined) return;
    director.setSysctl({ [sloppy]: 1 });
    expect(send(director, fromInner(family, { protocol, flags }), 'in').reason).toBe('snat-in');
  });

  it('begins from any port but 0, be it that of FTP’s data', () => {
    const director = snat();
    expect(reasonsOf(sendAll(director, fromInner(family, { sport: 0 }), 'in'))).toEqual(['client-port-zero']);
    expect(send(director, fromInner(family, { sport: 20 }), 'in').reason).toBe('snat-in');
  });

  it('lets nothing go whose ports are not all there', () => {
    const director = snat();
    for (const protocol of [6, 17, 132]) {
      const cut = packet({ source: inner, destination: outer }, protocol, counting(3));
      expect(reasonsOf(sendAll(director, cut, 'in'))).toEqual(['transport-truncated']);
    }
    // Ports, but no whole header: of no connection, and then of one.
    const cut = packet({ source: inner, destination: outer }, 6, fromInner(family).subarray(-20).slice(0, 19));
    expect(send(director, cut, 'in').reason).toBe('transport-truncated');
    opened(director, family);
    expect(send(director, cut, 'in').reason).toBe('transport-truncated');
  });

  it('drops what has no usable dest, and tells the server, whatever cache_bypass says', () => {
    const director = snat({}, { sysctl: { cache_bypass: 1 } });
    director.editDest(markOf(family), { address: own[0], method: 'snat', weight: 0 });
    const outcomes = sendAll(director, fromInner(family), 'in');
    expect(reasonsOf(outcomes)).toEqual(['no-dest', 'port-unreachable']);
    expect(outcomes[1]?.outInterface).toBe('in');
  });

  it('answers as a router: no route, no hop left, too long', () => {
    const narrow = { ...SNAT_NETWORK.interfaces[1], mtu: 1300 };
    const director = snat({}, { network: { interfaces: [SNAT_NETWORK.interfaces[0], narrow] } });
    expect(reasonsOf(sendAll(director, fromInner(family), 'in'))).toEqual(['no-route', 'net-unreachable']);
    const destination = family === 4 ? '203.0.113.77' : 'fd00:2::77';
    const to = (says: Says) => sendAll(director, fromInner(family, { destination, df: true, ...says }), 'in');
    expect(reasonsOf(to({ ttl: 1 }))).toEqual(['ttl-exceeded', 'time-exceeded']);
    expect(reasonsOf(to({ protocol: 'udp', payload: counting(1400) }))).toEqual(['too-big', 'fragmentation-needed']);
    expect(director.connections(NOW)).toEqual([]);
    expect(reasonsOf(to({}))).toEqual(['snat-in']);
    director.setSysctl({ ip_forward: 0, ipv6_forwarding: 0 });
    expect(reasonsOf(to({}))).toEqual(['not-forwarding']);
  });

  it('goes to the neighbour on the way to whom it addressed', () => {
    const mac = { 1: '02:00:00:00:00:01', 2: '02:00:00:00:00:02' };
    const interfaces = SNAT_NETWORK.interfaces.map((one) =>
      one.name === 'out' ? { ...one, kind: 'ether' as const, mac: mac[1] } : one,
    );
    const network = { ...SNAT_NETWORK, interfaces };
    const director = snat({}, { network });
    expect(reasonsOf(sendAll(director, fromInner(family), 'in'))).toEqual(['no-neighbour']);
    director.setNetwork({ ...network, neighbours: [{ dst: PLACES[family].router, dev: 'out', lladdr: mac[2] }] });
    const { frame } = send(director, fromInner(family), 'in');
    expect(toHex(frame.subarray(0, 12))).toBe('020000000002020000000001');
  });

  it('answers of servers by NAT, with the mark, are answers', () => {
    const director = snat();
    const web = { protocol: 'tcp', address: own[1], port: OPORT } as const;
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: inner, port: 8443, method: 'nat' });
    const ends = { source: outer, destination: own[1], sport: 1234 };
    expect(send(director, fromOuter(family, OPORT, { ...ends, flags: SYN }), 'out').reason).toBe('nat-in');
    const answer = (flags: number) =>
      send(director, fromInner(family, { sport: 8443, destination: outer, dport: 1234, flags }), 'in');
    // The short way, then the long one, and one that nat_icmp_send refuses.
    expect(answer(SYN | ACK).reason).toBe('nat-out');
    director.setNetwork(director.network);
    expect(answer(ACK).reason).toBe('nat-out');
    director.setSysctl({ nat_icmp_send: 1 });
    const stray = sendAll(director, fromInner(family, { sport: 8443 }), 'in');
    expect(reasonsOf(stray)).toEqual(['no-connection', 'port-unreachable']);
  });

  it('answers of servers by DR, with the mark, stay as they are', () => {
    const director = snat();
    const web = { protocol: 'tcp', address: own[1], port: OPORT } as const;
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: otherInner, method: 'dr' });
    const ends = { destination: own[1], sport: 1234 };
    expect(send(director, fromOuter(family, OPORT, { ...ends, flags: SYN }), 'out').reason).toBe('direct-route');
    // That the source is the director's own is for raw interfaces alone to let pass: it comes from outside.
    director.setNetwork({
      ...SNAT_NETWORK,
      interfaces: SNAT_NETWORK.interfaces.map((one) => ({
        ...one,
        addresses: one.addresses.filter((address) => !address.startsWith(own[1])),
      })),
    });
    const answer = fromInner(family, { source: own[1], sport: OPORT, dport: 1234, flags: SYN | ACK });
    expect(send(director, answer, 'in')).toMatchObject({ reason: 'routed' });
  });

  it('begins again with a SYN after the end, from the next port', () => {
    const director = snat();
    const { port } = opened(director, family);
    send(director, fromOuter(family, port), 'out');
    for (const flags of [ACK, RST]) send(director, fromInner(family, { flags }), 'in');
    const again = send(director, fromInner(family, { seq: 77 }), 'in');
    expect(again).toMatchObject({ reason: 'snat-in', connection: { state: 'SYN_RECV', localPort: port + 1 } });
    expect(director.connections(NOW)).toHaveLength(1);
  });

  it('lives on with a dest that is deleted and comes back, and not without', () => {
    const director = snat();
    const { port } = opened(director, family);
    director.deleteDest(markOf(family), { address: own[0] });
    expect(send(director, fromInner(family, { flags: ACK }), 'in').reason).toBe('dest-unavailable');
    expect(send(director, fromOuter(family, port), 'out').reason).toBe('snat-out');
    addSnat(director, family, { address: own[0] });
    expect(send(director, fromInner(family, { flags: ACK }), 'in').reason).toBe('snat-in');
    expect(send(director, fromInner(family, { sport: 1 }), 'in').connection?.localPort).toBe(port + 1);
    director.setSysctl({ expire_nodest_conn: 1 });
    director.deleteDest(markOf(family), { address: own[0] });
    expect(director.connections(NOW)).toEqual([]);
  });

  it('is as before in a director of its snapshot', () => {
    const director = snat({ persistent: 60 }, {}, [4, 6], 2);
    const { port, delta } = opened(director, family);
    const copy = restored(director);
    const back = fromOuter(family, port, { destination: own[1], flags: ACK, ack: delta });
    for (const one of [director, copy]) {
      expect(toHex(send(one, back, 'out').frame)).toBe(toHex(atInner(family, { flags: ACK, ttl: 63, ack: 0 })));
      expect(send(one, fromInner(family, { sport: 9 }), 'in').connection).toMatchObject({
        localAddress: own[1],
        localPort: port + 1,
      });
    }
    expect(copy.connections(NOW)).toEqual(director.connections(NOW));
  });

  it('a persistent service lets each server keep its address', () => {
    const director = snat({ persistent: 60 }, {}, [4, 6], 2);
    const from = (source: string, sport: number) =>
      send(director, fromInner(family, { source, sport, dport: 1000 + sport }), 'in').connection?.localAddress;
    const first = [from(inner, 1), from(otherInner, 2), from(nobody, 3)];
    expect(first).toEqual([own[1], own[0], own[1]]);
    expect([from(inner, 4), from(otherInner, 5), from(nobody, 6)]).toEqual(first);
    const templates = director.connections(NOW).filter(({ template }) => template);
    expect(templates).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          protocol: 'ip',
          clientAddress: inner,
          destAddress: own[1],
          destPort: 0,
          method: 'snat',
        }),
      ]),
    );
    // What has no weight takes none but its own.
    director.editDest(markOf(family), { address: own[1], method: 'snat', weight: 0 });
    expect([from(inner, 7), from(family === 4 ? '10.1.0.50' : 'fd00:1::50', 8)]).toEqual([own[1], own[0]]);
  });

  it('cuts what is too long, puts fragments together, and sends them on in pieces', () => {
    const director = snat();
    const datagram = fromInner(family, { protocol: 'udp', payload: counting(100), id: 5 });
    const pieces = fragmentsOf(datagram, [48]);
    expect(reasonsOf(sendAll(director, pieces[1]!, 'in'))).toEqual(['fragment-held']);
    const whole = sendAll(director, pieces[0]!, 'in');
    expect(whole.map(({ reason, outInterface }) => [reason, outInterface])).toEqual([
      ['snat-in', 'out'],
      ['fragment', 'out'],
    ]);
    const port = portOf(director);
    const out = atOuter(family, port, { protocol: 'udp', payload: counting(100), id: 5, ttl: 63 });
    // Those of IPv6 have an identification of the director's own.
    const expected = fragmentsOf(out, [48], 0);
    expect(whole.map(({ frame }) => toHex(frame))).toEqual(expected.map(toHex));
    const answer = fragmentsOf(fromOuter(family, port, { protocol: 'udp', payload: counting(100), id: 6 }), [48]);
    sendAll(director, answer[0]!, 'out');
    expect(reasonsOf(sendAll(director, answer[1]!, 'out'))).toEqual(['snat-out', 'fragment']);
  });
});

it('sends on in pieces what came in such that fit, whatever the whole is like', () => {
  const narrow = { ...SNAT_NETWORK.interfaces[1], mtu: 1400 };
  const director = snat({}, { network: { ...SNAT_NETWORK, interfaces: [SNAT_NETWORK.interfaces[0], narrow] } });
  const uncut = fragmentsOf(fromInner(4, { protocol: 'udp', payload: counting(2000) }), [1200]);
  for (const piece of uncut) fixIpv4(piece.fill((piece[6] ?? 0) | 0x40, 6, 7));
  const outcomes = uncut.flatMap((piece) => sendAll(director, piece, 'in'));
  expect(reasonsOf(outcomes)).toEqual(['fragment-held', 'snat-in', 'fragment']);
  expect(outcomes.slice(1).map(({ frame }) => [frame.length, (frame[6] ?? 0) & 0x40])).toEqual([
    [1220, 0],
    [828, 0],
  ]);
  // With its fragment header it was longer than it leaves.
  const alone = fragmentsOf(fromInner(6, { protocol: 'udp', payload: counting(1348) }), []);
  expect(alone.map(({ length }) => length)).toEqual([1404]);
  const sent = alone.flatMap((piece) => sendAll(director, piece, 'in'));
  expect(sent.map(({ reason, frame }) => [reason, frame.length])).toEqual([['snat-in', 1396]]);
});

it('IPv4: a packet that may be cut is; options that record routers have the director', () => {
  const narrow = { ...SNAT_NETWORK.interfaces[1], mtu: 600 };
  const director = snat({}, { network: { ...SNAT_NETWORK, interfaces: [SNAT_NETWORK.interfaces[0], narrow] } });
  const long = fromInner(4, { protocol: 'udp', payload: counting(1000) });
  expect(reasonsOf(sendAll(director, long, 'in'))).toEqual(['snat-in', 'fragment']);
  const options = hex('070b04 00000000 00000000 00');
  const recorded = (address: string) => hex(`070b08 ${address} 00000000 00`);
  const there = send(director, fromInner(4, { options, sport: 5 }), 'in');
  expect(toHex(there.frame.subarray(20, 32))).toBe(toHex(recorded('cb007101')));
  const back = send(director, fromOuter(4, there.connection!.localPort!, { options }), 'out');
  expect(toHex(back.frame.subarray(20, 32))).toBe(toHex(recorded('0a010001')));
  // With a time goes the address that received it.
  director.addDest(markOf(4), { address: PLACES[4].own[1], method: 'snat' });
  const times = hex('440c0501 00000000 00000000');
  const timed = send(director, fromInner(4, { options: times, sport: 6 }), 'in');
  expect(toHex(timed.frame.subarray(20, 28))).toBe('440c0d010a010001');
  const { localAddress, localPort } = timed.connection!;
  expect(localAddress).toBe(PLACES[4].own[1]);
  const answer = send(director, fromOuter(4, localPort!, { destination: localAddress!, options: times }), 'out');
  expect(toHex(answer.frame.subarray(20, 28))).toBe('440c0d01cb007102');
});

it.each([
  ['a link alone', 'fe80::9'],
  ['nobody', '::'],
])('IPv6: what is for %s goes as without the mark', (_, destination) => {
  const routes = [
    { dst: 'fe80::/64', dev: 'in' },
    { dst: '::/8', dev: 'in' },
  ];
  const director = snat({}, { network: { ...SNAT_NETWORK, routes } });
  const outcome = send(director, fromInner(6, { destination }), 'in');
  expect(outcome).toMatchObject({ reason: 'routed', outInterface: 'in', connection: undefined });
});

it('hops by profile', () => {
  const director = snat({ profile: 'dpvs' });
  const there = send(director, fromInner(4, { ttl: 9 }), 'in');
  expect(there.frame[8]).toBe(9);
  expect(there.connection?.expires).toBe(30);
  expect(send(director, fromOuter(4, there.connection!.localPort!, { ttl: 9 }), 'out').frame[8]).toBe(9);
});

it('an address that is only routed here is as good as one of the director', () => {
  const director = snat();
  director.addService({ fwmark: 9, scheduler: 'rr' });
  director.setNetwork({
    ...SNAT_NETWORK,
    routes: [...SNAT_NETWORK.routes, { dst: '192.0.2.0/24', dev: 'in', gateway: '10.1.0.77' }],
  });
  director.addDest({ fwmark: 9 }, { address: '192.0.2.5', method: 'snat' });
  const [there] = director.send(fromInner(4), 'in', NOW, { mark: 9 });
  expect(there?.reason).toBe('snat-in');
  const back = send(director, fromOuter(4, there!.connection!.localPort!, { destination: '192.0.2.5', ttl: 9 }), 'out');
  expect(back.reason).toBe('snat-out');
  expect(toHex(back.frame.subarray(12, 20))).toBe(toHex(hex('c6336409 0a01000b')));
  expect(back.frame[8]).toBe(8);
});

it('what the mark of no service has is routed', () => {
  const director = snat();
  expect(director.send(fromInner(4), 'in', NOW, { mark: MARK + 1 })[0]?.reason).toBe('routed');
  director.deleteService(markOf(4));
  expect(send(director, fromInner(4), 'in').reason).toBe('routed');
});
