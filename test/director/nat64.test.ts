/** NAT64: what a packet is in the other family, byte by byte; who may have it. */
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { moduleOf } from '../support/core.js';
import { NOW, PROTOCOLS, type Protocol } from '../support/fullnat.js';
import {
  atClient,
  atServer,
  CLIENT,
  DEST64,
  fromClient,
  fromServer,
  idOf,
  keyOf64,
  LOCAL,
  LPORT,
  nat64,
  network64,
  numbersOf,
  opened,
  SECOND,
  SERVER,
  send64,
  sendAll,
  VIP,
} from '../support/nat64.js';
import { ACK, counting, hex, join, SYN, toHex, u32 } from '../support/packets.js';

describe.each(PROTOCOLS)('a packet of %s', (protocol) => {
  it('becomes one of IPv4 with the same TOS, a hop less and nothing else, and its answer one of IPv6', () => {
    const director = nat64();
    const delta = opened(director, { protocol });
    const id = idOf(send64(director, fromClient({ protocol }), 'cli').frame);
    for (const [i, payload] of [counting(0), counting(1), counting(17), counting(100, 0xf0)].entries()) {
      const words = { protocol, payload, flags: ACK, tos: 0xb9, ttl: 9 };
      const out = { ...words, ttl: 8 };
      const there = send64(director, fromClient({ ...words, flowLabel: 0x12345, seq: 0xffff_fff0 + i }), 'cli');
      expect(there).toMatchObject({ verdict: 'forward', reason: 'nat64-in', outInterface: 'srv' });
      const seq = u32(0xffff_fff0 + i + delta);
      expect(toHex(there.frame)).toBe(toHex(atServer({ ...out, seq, id: (id + 1 + i) & 0xffff })));
      const back = send64(director, fromServer({ ...words, ack: u32(5000 + delta), df: i % 2 === 0 }), 'srv');
      expect(back).toMatchObject({ verdict: 'forward', reason: 'nat64-out', outInterface: 'cli' });
      expect(toHex(back.frame)).toBe(toHex(atClient({ ...out, ack: 5000 })));
    }
  });

  it('has right checksums wherever sums wrap around', () => {
    const director = nat64();
    const delta = opened(director, { protocol });
    const { id } = { id: idOf(send64(director, fromClient({ protocol }), 'cli').frame) };
    let sent = id;
    // Whatever the addresses add: sixteen bits of data take every sum through its wrap.
    for (let data = 0; data < 0x10000; data += 257) {
      const payload = Uint8Array.of(data >> 8, data & 255);
      const there = send64(director, fromClient({ protocol, payload, flags: ACK }), 'cli').frame;
      const seq = u32(1000 + delta);
      sent = (sent + 1) & 0xffff;
      const expected = atServer({ protocol, payload, flags: ACK, ttl: 63, seq, id: sent });
      const back = send64(director, fromServer({ protocol, payload, flags: ACK, ack: u32(7 + delta) }), 'srv').frame;
      const answer = atClient({ protocol, payload, flags: ACK, ttl: 63, ack: 7 });
      expect([toHex(there), toHex(back)]).toEqual([toHex(expected), toHex(answer)]);
    }
  });

  it('loses extension headers and options of IP', () => {
    const director = nat64();
    const delta = opened(director, { protocol });
    const extensions = [
      [0, hex('00050200000100')],
      [60, hex('00010400000000')],
      [43, hex('0200000000000000000000000000000000000000000000')],
    ] as const;
    const there = send64(director, fromClient({ protocol, extensions: [...extensions], flags: ACK }), 'cli');
    expect(there.reason).toBe('nat64-in');
    const id = idOf(there.frame);
    const seq = u32(1000 + delta);
    expect(toHex(there.frame)).toBe(toHex(atServer({ protocol, ttl: 63, flags: ACK, seq, id })));
    const options = hex('07070400000000000101010101010100');
    const back = send64(director, fromServer({ protocol, options, flags: ACK, ack: u32(delta) }), 'srv');
    expect(toHex(back.frame)).toBe(toHex(atClient({ protocol, ttl: 63, flags: ACK, ack: 0 })));
  });
});

it('a datagram without a checksum gets one, and a wrong one stays wrong', () => {
  const director = nat64();
  const payload = counting(33);
  opened(director, { protocol: 'udp', payload });
  for (const given of [{ checksum: 0 }, {}]) {
    const back = send64(director, fromServer({ protocol: 'udp', payload, ...given }), 'srv').frame;
    expect(toHex(back)).toBe(toHex(atClient({ protocol: 'udp', payload, ttl: 63 })));
    const there = send64(director, fromClient({ protocol: 'udp', payload, ...given }), 'cli').frame;
    expect(toHex(there)).toBe(toHex(atServer({ protocol: 'udp', payload, ttl: 63, id: idOf(there) })));
  }
  const right = fromServer({ protocol: 'udp', payload });
  const wrong = new DataView(right.buffer).getUint16(26) ^ 1 || 1;
  const back = send64(director, fromServer({ protocol: 'udp', payload, checksum: wrong }), 'srv').frame;
  expect(toHex(back)).not.toBe(toHex(atClient({ protocol: 'udp', payload, ttl: 63 })));
});

it('a checksum that is only begun is finished for the other family', () => {
  const director = nat64();
  const delta = opened(director);
  for (const protocol of ['tcp', 'udp'] as const) {
    if (protocol === 'udp') opened(director, { protocol });
    const words = { protocol, payload: counting(21), flags: ACK };
    const notes = { partialChecksum: true };
    const [there] = director.send(fromClient({ ...words, partial: true }), 'cli', NOW, notes);
    const seq = u32(1000 + delta);
    const id = idOf(there!.frame);
    expect(toHex(there!.frame)).toBe(toHex(atServer({ ...words, ttl: 63, seq, id })));
    const [back] = director.send(fromServer({ ...words, partial: true, ack: u32(delta) }), 'srv', NOW, notes);
    expect(toHex(back!.frame)).toBe(toHex(atClient({ ...words, ttl: 63, ack: 0 })));
  }
});

it.each([
  ['linux', 8, 0xb9, false],
  ['alibaba', 9, 0, true],
  ['dpvs', 9, 0, true],
] as const)('the profile %s has its TTL, TOS and DF', (profile, ttl, tos, df) => {
  const director = nat64({ profile });
  const { frame } = send64(director, fromClient({ tos: 0xb9, ttl: 9 }), 'cli');
  const id = profile === 'linux' ? idOf(frame) : 0;
  expect(toHex(frame)).toBe(toHex(atServer({ ...numbersOf(frame), ttl, tos, df, id })));
  const back = send64(director, fromServer({ tos: 0xb9, ttl: 9, flags: SYN }), 'srv').frame;
  expect(toHex(back)).toBe(toHex(atClient({ tos: 0xb9, ttl, flags: SYN })));
});

it('a hop limit of 1 is told the client, a TTL of 1 the server, each in its own family', () => {
  const director = nat64();
  opened(director);
  const [dropped, told] = sendAll(director, fromClient({ ttl: 1 }), 'cli');
  expect([dropped?.reason, told?.reason, told?.outInterface]).toEqual(['ttl-exceeded', 'time-exceeded', 'cli']);
  expect([...told!.frame.subarray(40, 42)]).toEqual([3, 0]);
  expect(toHex(told!.frame.subarray(48))).toBe(toHex(fromClient({ ttl: 1 })));
  const [lost, answered] = sendAll(director, fromServer({ ttl: 1 }), 'srv');
  expect([lost?.reason, answered?.reason, answered?.outInterface]).toEqual(['ttl-exceeded', 'time-exceeded', 'srv']);
  expect([...answered!.frame.subarray(20, 22)]).toEqual([11, 0]);
  expect(toHex(answered!.frame.subarray(28))).toBe(toHex(fromServer({ ttl: 1 })));
});

it('a packet that is to go on to another waypoint is refused', () => {
  const director = nat64();
  const extensions = [
    [60, hex('00010400000000')],
    [43, hex(`0201${'01'}00000000${toHex(counting(16))}`)],
  ] as const;
  const packet = fromClient({ extensions: [...extensions] });
  const [dropped, told] = sendAll(director, packet, 'cli');
  expect([dropped?.reason, told?.reason]).toEqual(['ipv6-extension', 'parameter-problem']);
  expect([...told!.frame.subarray(40, 42), ...told!.frame.subarray(44, 48)]).toEqual([4, 0, 0, 0, 0, 51]);
});

describe('a server that is the director', () => {
  const own = { ...DEST64, address: SECOND };

  it('gets a packet that begins at its header, as it came', () => {
    const director = nat64({}, {}, []);
    director.addService({ ...keyOf64(), scheduler: 'rr', localAddresses: [LOCAL] });
    director.addDest(keyOf64(), own);
    const { verdict, reason, frame } = send64(director, fromClient({ ttl: 9, tos: 4 }), 'cli');
    expect([verdict, reason]).toEqual(['local', 'local-dest']);
    expect(toHex(frame)).toBe(
      toHex(atServer({ ...numbersOf(frame), destination: SECOND, ttl: 9, tos: 4, id: idOf(frame) })),
    );
  });

  it.each([SECOND, '127.0.0.1'])(
    'gets nothing as %s that is to go on to another waypoint, not even if it is cut',
    (address) => {
      const { interfaces } = network64();
      const lo = { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] };
      const director = nat64({}, { network: { interfaces: [...interfaces, lo] } }, []);
      director.addService({ ...keyOf64(), scheduler: 'rr', localAddresses: [LOCAL] });
      director.addDest(keyOf64(), { ...own, address });
      send64(director, fromClient(), 'cli');
      const packet = fromClient({ flags: ACK, extensions: [[43, hex('00000100000000')]] });
      const cut = packet.slice(0, 60);
      cut[5] = 20;
      for (const each of [packet, cut]) {
        expect(sendAll(director, each, 'cli').map(({ reason }) => reason)).toEqual([
          'ipv6-extension',
          'parameter-problem',
        ]);
      }
    },
  );
});

it('a client that is the director gets answers as they came, be the local address its own or only routed here', () => {
  const own = 'fd00::1';
  const { interfaces } = network64();
  const network = { interfaces: [{ name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] }, ...interfaces] };
  const routes = [{ dst: '10.9.0.0/24', dev: 'srv' }];
  for (const local of [LOCAL, '10.9.0.7']) {
    const director = nat64({ localAddresses: [local] }, { network: { ...network, routes } });
    director.send(fromClient({ protocol: 'udp', source: own }), 'lo', NOW);
    const words = { protocol: 'udp', destination: local, ttl: 9 } as const;
    const { verdict, reason, frame } = send64(director, fromServer(words), 'srv');
    expect([verdict, reason]).toEqual(['local', 'local-client']);
    expect(toHex(frame)).toBe(toHex(atClient({ protocol: 'udp', destination: own, ttl: 9 })));
  }
});

describe('a service of IPv6', () => {
  it('lists servers and connections of IPv4, and counts either end as it has its packets', () => {
    const director = nat64({ localAddresses: ['fd00:1::1', LOCAL] }, {}, ['tcp']);
    const request = fromClient();
    const reply = fromServer();
    send64(director, request, 'cli');
    send64(director, reply, 'srv');
    const [service] = director.services();
    expect(service).toMatchObject({
      localAddresses: ['fd00:1::1', LOCAL],
      dests: [{ address: SERVER, method: 'fullnat' }],
    });
    expect(service?.stats).toMatchObject({ inBytes: BigInt(request.length), outBytes: BigInt(reply.length) });
    expect(director.connections(NOW)).toEqual([
      expect.objectContaining({
        ...{ clientAddress: CLIENT, virtualAddress: VIP, destAddress: SERVER, method: 'fullnat' },
        ...{ localAddress: LOCAL, localPort: LPORT },
      }),
    ]);
  });

  it('takes local addresses of the family of the server in turn', () => {
    const director = nat64({ localAddresses: [LOCAL, 'fd00:1::1', SECOND] }, {}, ['tcp']);
    const opens = (sport: number) => {
      const { reason } = send64(director, fromClient({ sport }), 'cli');
      return director.connections(NOW).find(({ clientPort }) => clientPort === sport)?.localAddress ?? reason;
    };
    expect([1, 2, 3].map(opens)).toEqual([LOCAL, SECOND, LOCAL]);
    director.addDest(keyOf64(), { address: 'fd00:1::11', port: 8080, method: 'fullnat' });
    // Behind that of IPv6 comes the second one.
    expect([4, 5, 6, 7].map(opens).toSorted()).toEqual([SECOND, SECOND, 'fd00:1::1', 'fd00:1::1']);
    director.deleteLocalAddress(keyOf64(), LOCAL);
    director.deleteLocalAddress(keyOf64(), SECOND);
    expect([8, 9].map(opens).toSorted()).toEqual(['fd00:1::1', 'no-local-port']);
  });

  it('keeps all of it in a snapshot, and goes on with it', () => {
    const director = nat64({ persistent: 60 });
    const delta = opened(director);
    const restored = Director.restoreSync(director.snapshot(), { wasm: moduleOf('release') });
    expect(restored.connections(NOW)).toEqual(director.connections(NOW));
    expect(restored.services()).toEqual(director.services());
    const back = send64(restored, fromServer({ ack: u32(delta + 1), flags: ACK }), 'srv');
    expect(toHex(back.frame)).toBe(toHex(atClient({ ttl: 63, ack: 1, flags: ACK })));
    const again = send64(restored, fromClient({ flags: ACK }), 'cli').frame;
    expect(numbersOf(again).seq).toBe(u32(1000 + delta));
    // The next identification of the director's own.
    expect(idOf(again)).toBe(idOf(send64(director, fromClient({ flags: ACK }), 'cli').frame));
    const { frame } = send64(restored, fromClient({ sport: 1 }), 'cli');
    expect(toHex(frame)).toBe(toHex(atServer({ ...numbersOf(frame), sport: LPORT + 1, ttl: 63, id: idOf(frame) })));
  });

  it('refuses what there is not, and says what', () => {
    const director = nat64({}, {}, ['udp']);
    const key = keyOf64('udp');
    expect(() => director.addDest(key, { ...DEST64, port: 1, method: 'nat' })).toThrow('fullnat from IPv6 to IPv4');
    expect(() => director.editService({ ...key, carry: 'uoa-protocol' })).toThrow('carry uoa-protocol');
    director.editService({ ...key, carry: 'proxy-v2' });
    const tcp = keyOf64();
    director.addService({ ...tcp, synproxy: true });
    expect(() => director.addDest(tcp, { ...DEST64, method: 'nat' })).toThrow('fullnat from IPv6 to IPv4');
    const mark = { fwmark: 7, family: 6 } as const;
    director.addService({ ...mark, carry: 'uoa-protocol' });
    expect(() => director.addDest(mark, DEST64)).toThrow('carry uoa-protocol');
    const four = { protocol: 'tcp', address: '10.1.0.1', port: 80 } as const;
    director.addService(four);
    expect(() => director.addDest(four, { ...DEST64, address: 'fd00::5' })).toThrow('there is no NAT46');
    expect(() => director.editService({ ...four, localAddresses: ['fd00::5'] })).toThrow("the service's family");
  });
});

it('a service by firewall mark reaches IPv4, too', () => {
  const director = nat64({}, {}, []);
  const mark = { fwmark: 7, family: 6 } as const;
  director.addService({ ...mark, scheduler: 'rr', localAddresses: [LOCAL] });
  director.addDest(mark, { address: SERVER, method: 'fullnat' });
  for (const protocol of PROTOCOLS as readonly Protocol[]) {
    const [there] = director.send(fromClient({ protocol, destination: 'fd00:77::1' }), 'cli', NOW, { mark: 7 });
    expect(there).toMatchObject({ reason: 'nat64-in', outInterface: 'srv' });
    const back = send64(
      director,
      fromServer({ protocol, sport: 80, ack: numbersOf(join(there!.frame, counting(20))).seq }),
      'srv',
    );
    expect(back).toMatchObject({ reason: 'nat64-out', outInterface: 'cli' });
    expect(toHex(back.frame.subarray(8, 24))).toBe('fd000077000000000000000000000001');
  }
});
