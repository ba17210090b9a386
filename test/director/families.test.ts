/** Services, dests and connections of both families, by mark and in tunnels: as given, and as listed. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import type { DestConfig, ServiceConfig, ServiceKey, TunnelConfig } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  fromServer,
  judged,
  lab,
  lab6,
  NAT6,
  onV6,
  request,
  request6,
  SCTP_KEY,
  SERVERS,
  SERVERS6,
  sctpRequest,
  TCP_KEY,
  TUN,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, tcp, udp } from '../support/packets.js';
import { ABORT, COOKIE_ACK, COOKIE_ECHO, crc32c, INIT, INIT_ACK, sctp } from '../support/sctp.js';

const MARK = { fwmark: 7 } as const;
const MARK6 = { fwmark: 7, family: 6 } as const;

const coded = (code: string) => expect.objectContaining({ code });
const dests = (director: Director): unknown => director.services().flatMap((service) => service.dests);

describe('services', () => {
  it('of both families, of a mark and of an address, stand beside each other', () => {
    const keys: ServiceKey[] = [TCP_KEY, onV6(TCP_KEY), onV6(UDP_KEY), SCTP_KEY, MARK, MARK6, { fwmark: 0xffffffff }];
    const director = lab([], {}, {}, keys);
    for (const key of keys) expect(() => director.addService(key)).toThrow(coded('SERVICE_EXISTS'));
    const listed = director.services();
    expect(listed).toHaveLength(keys.length);
    for (const key of keys) {
      const expected = 'fwmark' in key ? { family: 4, ...key } : key;
      expect(listed).toContainEqual(expect.objectContaining(expected));
    }
    director.deleteService(MARK);
    expect(() => director.editService(MARK)).toThrow(coded('NO_SUCH_SERVICE'));
    expect(() => director.editService(MARK6)).not.toThrow();
    // What is listed names the service as well.
    for (const service of director.services()) director.deleteService(service);
    expect(director.services()).toEqual([]);
  });

  it('an address is one address, however it is written', () => {
    const director = lab([], {}, {}, [{ ...TCP_KEY, address: 'FD00:0:0:0::0100' }]);
    expect(director.services()).toMatchObject([{ address: VIP6 }]);
    expect(() => director.addService(onV6(TCP_KEY))).toThrow(coded('SERVICE_EXISTS'));
  });

  it.each([
    [{ fwmark: 0 }, 'fwmark'],
    [{ fwmark: 2 ** 32 }, 'fwmark'],
    [{ fwmark: 1.5 }, 'fwmark'],
    [{ fwmark: 1, family: 5 }, 'family'],
    [{ fwmark: 1, port: 80 }, 'port'],
    [{ fwmark: 1, protocol: 'tcp' }, 'protocol'],
    [{ ...TCP_KEY, family: 4 }, 'family'],
    [{ ...TCP_KEY, sheduler: 'rr' }, 'sheduler'],
    [{ ...TCP_KEY, timeout: 300 }, 'timeout'],
    [{ ...TCP_KEY, address: 'fd00::1/64' }, 'fd00::1/64'],
  ])('%j is refused', (service, named) => {
    const director = lab([], {}, {}, []);
    const act = (): void => director.addService(service as unknown as ServiceConfig);
    expect(act).toThrow(RangeError);
    expect(act).toThrow(named);
    expect(director.services()).toEqual([]);
  });
});

describe('dests', () => {
  it.each([
    [undefined, { type: 'ipip' }],
    [{ type: 'ipip' }, { type: 'ipip' }],
    [{ type: 'gre' }, { type: 'gre', checksum: 'nocsum' }],
    [
      { type: 'gre', checksum: 'csum' },
      { type: 'gre', checksum: 'csum' },
    ],
    [
      { type: 'gue', port: 6080 },
      { type: 'gue', port: 6080, checksum: 'nocsum' },
    ],
    [
      { type: 'gue', port: 1, checksum: 'remcsum' },
      { type: 'gue', port: 1, checksum: 'remcsum' },
    ],
  ] as [TunnelConfig | undefined, TunnelConfig][])('with the tunnel %j', (given, listed) => {
    const director = lab([{ ...TUN, ...(given === undefined ? {} : { tunnel: given }) }], {}, {}, [TCP_KEY]);
    expect(director.services()[0]?.dests[0]?.tunnel).toEqual(listed);
    director.editDest(TCP_KEY, { ...TUN, method: 'dr' });
    expect(dests(director)).not.toHaveProperty('0.tunnel');
  });

  it.each([
    [TCP_KEY, { address: SERVERS6[0], method: 'nat' }, 'family'],
    [TCP_KEY, { address: SERVERS6[0], method: 'dr' }, 'family'],
    [TCP_KEY, { address: SERVERS6[0] }, 'family'],
    [onV6(TCP_KEY), { address: SERVERS[0], method: 'nat' }, 'family'],
    [MARK, { address: SERVERS6[0], method: 'nat' }, 'family'],
    [MARK6, { address: SERVERS[0], method: 'dr' }, 'family'],
    [TCP_KEY, { address: SERVERS[0], method: 'nat', tunnel: { type: 'gre' } }, 'tunnel'],
    [TCP_KEY, { address: SERVERS[0], tunnel: {} }, 'tunnel'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'vxlan' } }, 'vxlan'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'gue' } }, 'port'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'gue', port: 65_536 } }, 'port'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'gre', port: 6080 } }, 'port'],
    [TCP_KEY, { ...TUN, tunnel: { port: 6080 } }, 'port'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'gre', checksum: 'remcsum' } }, 'remcsum'],
    [TCP_KEY, { ...TUN, tunnel: { checksum: 'csum' } }, 'csum'],
    [TCP_KEY, { ...TUN, tunnel: { type: 'gre', key: 1 } }, 'key'],
    [TCP_KEY, { ...TUN, wieght: 2 }, 'wieght'],
    [onV6(TCP_KEY), { ...NAT6, address: '::' }, '::'],
    [onV6(TCP_KEY), { ...NAT6, address: 'ff02::1' }, 'ff02::1'],
    [onV6(TCP_KEY), { ...NAT6, address: 'fe80::1' }, 'fe80::1'],
    [onV6(TCP_KEY), { ...NAT6, address: '::ffff:10.1.0.11' }, '::ffff:10.1.0.11'],
    [MARK, { address: SERVERS[0], port: 65_536, method: 'nat' }, 'port'],
  ] as [ServiceKey, unknown, string][])('of %j: %j is refused', (service, dest, named) => {
    const director = lab([], {}, {}, [service]);
    const act = (): void => director.addDest(service, dest as DestConfig);
    expect(act).toThrow(RangeError);
    expect(act).toThrow(named);
    expect(dests(director)).toEqual([]);
  });

  it('of the other family may not leave their tunnel', () => {
    const director = lab([{ ...TUN, address: SERVERS6[0] }], {}, {}, [TCP_KEY]);
    expect(() => director.editDest(TCP_KEY, { address: SERVERS6[0], method: 'dr' })).toThrow(RangeError);
    expect(dests(director)).toMatchObject([{ address: SERVERS6[0], method: 'tun' }]);
  });

  it('of either family with the same first four bytes are two', () => {
    const director = lab([], {}, {}, [TCP_KEY]);
    director.addDest(TCP_KEY, { ...TUN, address: '32.1.13.184' });
    director.addDest(TCP_KEY, { ...TUN, address: '2001:db8::' });
    expect(dests(director)).toMatchObject([{ address: '2001:db8::' }, { address: '32.1.13.184' }]);
  });

  it.each(['dr', 'tun', 'nat'] as const)('of a mark by %s keep the port that is given, 0 by default', (method) => {
    const director = lab([], {}, {}, [MARK]);
    director.addDest(MARK, { address: SERVERS[0], method });
    director.addDest(MARK, { address: SERVERS[0], port: 8080, method });
    expect(dests(director)).toMatchObject([{ port: 8080 }, { port: 0 }]);
    director.deleteDest(MARK, { address: SERVERS[0] });
    expect(dests(director)).toMatchObject([{ port: 8080 }]);
  });

  it('as listed are taken back as they are', () => {
    const from = lab([{ ...TUN, weight: 3, tunnel: { type: 'gue', port: 6080 } }], {}, {}, [MARK, SCTP_KEY]);
    const to = lab([], {}, {}, []);
    for (const service of from.services()) {
      to.addService(service);
      for (const dest of service.dests) to.addDest(service, dest);
    }
    expect(to.services()).toEqual(from.services());
  });
});

describe.each(BINARIES)('connections, %s', (binary) => {
  it('of IPv6', () => {
    const director = lab6([NAT6], { binary });
    const [outcome] = director.send(fromClient(request6('tcp')), 'cli', 0);
    const expected = {
      protocol: 'tcp',
      clientAddress: CLIENT6,
      clientPort: 40_000,
      virtualAddress: VIP6,
      virtualPort: 80,
      destAddress: SERVERS6[0],
      destPort: 8080,
      method: 'nat',
      state: 'SYN_RECV',
      expires: 60,
      idle: 0,
      inPackets: 1,
    };
    expect(outcome?.connection).toEqual(expected);
    expect(director.connections(0)).toEqual([expected]);
    expect(director.connectionCount).toBe(1);
    const ack = request6('tcp', { flags: ACK });
    expect(judged(director.send(fromClient(ack), 'cli', 0))).toEqual(['forward nat-in']);
    const reply = { source: SERVERS6[0], destination: CLIENT6, sport: 8080, dport: 40_000 };
    const [back] = director.send(fromServer(tcp({ ...reply, flags: ACK })), 'srv', 0);
    expect(back?.frame.slice(14)).toEqual(
      tcp({ source: VIP6, destination: CLIENT6, sport: 80, dport: 40_000, flags: ACK, ttl: 63 }),
    );
    director.advance(1_000_000);
    expect(director.connectionCount).toBe(0);
  });

  it('of both families in one table', () => {
    const director = lab([{ address: SERVERS[0], method: 'nat' }], { binary });
    director.addService({ ...onV6(TCP_KEY), scheduler: 'rr' });
    director.addDest(onV6(TCP_KEY), NAT6);
    for (let sport = 1001; sport <= 1050; sport++) {
      director.send(fromClient(request('tcp', { sport })), 'cli', 0);
      director.send(fromClient(request6('tcp', { sport })), 'cli', 0);
    }
    const found = director.connections(0);
    expect(found).toHaveLength(100);
    expect(director.connectionCount).toBe(100);
    expect(found.filter(({ clientAddress }) => clientAddress === CLIENT6)).toHaveLength(50);
  });

  it('to a dest of the other family', () => {
    const director = lab([{ ...TUN, address: SERVERS6[1] }], { binary });
    director.send(fromClient(request('tcp')), 'cli', 0);
    const expected = { clientAddress: CLIENT, virtualAddress: VIP, destAddress: SERVERS6[1], method: 'tun' };
    expect(director.connections(0)).toMatchObject([expected]);
  });

  it('of a mark have the addresses of their packets', () => {
    const director = lab([{ address: SERVERS[0], method: 'nat' }], { binary }, {}, [MARK]);
    const frame = fromClient(request('udp', { dport: 4242 }));
    expect(judged(director.send(frame, 'cli', 0))).toEqual(['local local-delivery']);
    const [outcome] = director.send(frame, 'cli', 0, { mark: 7 });
    expect(outcome?.reason).toBe('nat-in');
    expect(outcome?.connection).toMatchObject({ virtualAddress: VIP, virtualPort: 4242, destPort: 4242 });
  });

  it('that bypass all have no dest, as ipvsadm lists them', () => {
    const director = lab([], { binary, sysctl: { cache_bypass: 1 } }, {}, [MARK, MARK6]);
    const [four] = director.send(fromClient(request('tcp', { destination: SERVERS[1] })), 'cli', 0, { mark: 7 });
    const [six] = director.send(fromClient(request6('tcp', { destination: SERVERS6[1] })), 'cli', 0, { mark: 7 });
    for (const [outcome, address, none] of [
      [four, SERVERS[1], '0.0.0.0'],
      [six, SERVERS6[1], '::'],
    ] as const) {
      expect(outcome).toMatchObject({ reason: 'bypass', outInterface: 'srv' });
      const expected = { virtualAddress: address, destAddress: none, destPort: 0, method: 'bypass' };
      expect(outcome?.connection).toMatchObject(expected);
    }
    director.advance(100_000);
    expect(director.connectionCount).toBe(0);
  });

  it('a mark goes before an address', () => {
    const director = lab([{ address: SERVERS[0], method: 'nat' }], { binary });
    director.addService({ ...MARK, scheduler: 'rr' });
    director.addDest(MARK, { address: SERVERS[1], method: 'nat' });
    const to = (sport: number, mark: number): string | undefined =>
      director.send(fromClient(request('tcp', { sport })), 'cli', 0, { mark })[0]?.connection?.destAddress;
    expect([to(1, 0), to(2, 7), to(3, 8)]).toEqual([SERVERS[0], SERVERS[1], SERVERS[0]]);
  });

  it('of SCTP have the kernel’s names of states and its timeouts', () => {
    const director = lab([{ address: SERVERS[0], port: 3869, method: 'nat' }], { binary }, {}, [SCTP_KEY]);
    const states: string[] = [];
    const up = (type: number): void => {
      director.send(fromClient(sctpRequest({ chunks: [type] })), 'cli', 0);
      states.push(...director.connections(0).map(({ state, expires }) => `${state} ${expires}`));
    };
    const down = (type: number): void => {
      const words = { source: SERVERS[0], destination: CLIENT, sport: 3869, dport: 40_000, chunks: [type] };
      director.send(fromServer(sctp(words)), 'srv', 0);
      states.push(...director.connections(0).map(({ state, expires }) => `${state} ${expires}`));
    };
    up(1);
    up(1);
    down(INIT_ACK);
    up(COOKIE_ECHO);
    down(COOKIE_ACK);
    down(7);
    up(8);
    expect(states).toEqual([
      'INIT1 4',
      'INIT 61',
      'C-SENT 61',
      'C-REPLIED 61',
      'ESTABLISHED 900',
      'S-SENT 61',
      'CLOSED 61',
    ]);
  });

  it('of SCTP that the client rejects end soon', () => {
    const director = lab([{ address: SERVERS[0], port: 3869, method: 'nat' }], { binary }, {}, [SCTP_KEY]);
    const words = { source: SERVERS[0], destination: CLIENT, sport: 3869, dport: 40_000 };
    director.send(fromClient(sctpRequest()), 'cli', 0);
    director.send(fromServer(sctp({ ...words, chunks: [INIT] })), 'srv', 0);
    director.send(fromClient(sctpRequest({ chunks: [ABORT] })), 'cli', 0);
    expect(director.connections(0)).toMatchObject([{ state: 'REJECTED', expires: 4 }]);
  });

  it('of SCTP by NAT have a right CRC where the port changes', () => {
    const director = lab([{ address: SERVERS[0], port: 3869, method: 'nat' }], { binary }, {}, [SCTP_KEY]);
    const [outcome] = director.send(fromClient(sctpRequest({ payload: new Uint8Array(1001) })), 'cli', 0);
    const segment = outcome?.frame.slice(34) as Uint8Array<ArrayBuffer>;
    const sent = new DataView(segment.buffer).getUint32(8, true);
    segment.fill(0, 8, 12);
    expect(sent).toBe(crc32c(segment));
  });
});

describe.each(BINARIES)('a checksum that is only begun, %s', (binary) => {
  it.each([
    [4, 'tcp'],
    [4, 'udp'],
    [6, 'tcp'],
    [6, 'udp'],
  ] as const)('is finished on the way out: IPv%i, %s, by NAT', (family, protocol) => {
    const payload = new Uint8Array(9).fill(7);
    const v6 = family === 6;
    const director = v6 ? lab6([NAT6], { binary }) : lab([{ ...NAT6, address: SERVERS[0] }], { binary });
    const frame = fromClient((v6 ? request6 : request)(protocol, { payload, partial: true }));
    const [outcome] = director.send(frame, 'cli', 0, { partialChecksum: true });
    expect(outcome).toMatchObject({ reason: 'nat-in', partialChecksum: false });
    const ends = v6 ? { source: CLIENT6, destination: SERVERS6[0] } : { source: CLIENT, destination: SERVERS[0] };
    const build = protocol === 'tcp' ? tcp : udp;
    expect(outcome?.frame.slice(14)).toEqual(build({ ...ends, sport: 40_000, dport: 8080, payload, ttl: 63 }));
  });

  it('stays so for the host itself', () => {
    const director = lab([], { binary }, {}, []);
    const frame = fromClient(request('tcp', { partial: true }));
    const [outcome] = director.send(frame, 'cli', 0, { partialChecksum: true });
    expect(outcome).toMatchObject({ reason: 'local-delivery', partialChecksum: true, frame });
  });

  it('marks and begun checksums are not left over for the next frame of the slot', () => {
    const director = lab([{ address: SERVERS[0], method: 'nat' }], { binary }, {}, [MARK]);
    const frame = fromClient(request('udp', { partial: true }));
    expect(judged(director.send(frame, 'cli', 0, { mark: 7, partialChecksum: true }))).toEqual(['forward nat-in']);
    const next = (partialChecksum: boolean) => {
      const [outcome] = director.send(fromClient(request('udp', { sport: 2 })), 'cli', 0, { partialChecksum });
      return [outcome?.reason, outcome?.partialChecksum];
    };
    expect(next(true)).toEqual(['local-delivery', true]);
    expect(next(false)).toEqual(['local-delivery', false]);
  });

  it.each([-1, 2 ** 32, 0.5])('%d is no mark', (mark) => {
    expect(() => lab([]).send(fromClient(request('tcp')), 'cli', 0, { mark })).toThrow(RangeError);
  });
});

describe.each(BINARIES)('the ECN field outside, %s', (binary) => {
  // Not-ECT, ECT(1), ECT(0), CE inside.
  it.each([
    [undefined, [0, 1, 2, 2]],
    ['kernel', [0, 1, 2, 2]],
    ['rfc6040', [0, 0, 0, 0]],
    ['copy', [0, 1, 2, 3]],
  ] as const)('%s', (ecn, expected) => {
    const director = lab([TUN], { binary, ...(ecn === undefined ? {} : { ecn }) });
    const found = [0, 1, 2, 3].map((tos) => {
      const [outcome] = director.send(fromClient(request('udp', { tos: 0xb8 | tos })), 'cli', 0);
      return (outcome?.frame[15] ?? 0) - 0xb8;
    });
    expect(found).toEqual(expected);
  });

  it('has these modes and no other', () => {
    expect(() => lab([], { binary, ecn: 'rfc3168' as never })).toThrow(/rfc6040/);
  });
});

it('an option that nobody knows is refused by its name', () => {
  expect(() => lab([], { sysctls: {} } as never)).toThrow(/sysctls/);
  expect(() => lab([], { plan: { conns: 1 } } as never)).toThrow(/conns/);
});
