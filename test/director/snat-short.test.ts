/** SNAT: what has to be looked at of each packet, be its connection known and its network the same. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { FAMILIES, NOW } from '../support/fullnat.js';
import { ACK, counting, RST, SYN, toHex } from '../support/packets.js';
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
  snat,
} from '../support/snat.js';

describe.each(FAMILIES)('a known connection of IPv%i', (family) => {
  const { inner, outer, own } = PLACES[family];

  /** One that has been answered, so that its packets need not be looked at for long. */
  function known(director: Director = snat()) {
    const { port, delta } = opened(director, family);
    send(director, fromOuter(family, port), 'out');
    return { director, port, delta };
  }
  const reasons = (of: Director, says: Says = {}, mark = MARK): string[] =>
    of.send(fromInner(family, { flags: ACK, ...says }), 'in', NOW, { mark }).map(({ reason }) => reason);

  it('goes both ways as it began', () => {
    const { director, port, delta } = known();
    for (let i = 0; i < 3; i++) {
      const words = { flags: ACK, payload: counting(7 + i), tos: 4, id: i };
      const there = send(director, fromInner(family, { ...words, seq: 1001 + i, ttl: 2 }), 'in');
      expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in', outInterface: 'out' });
      expect(toHex(there.frame)).toBe(
        toHex(atOuter(family, port, { ...words, seq: (1001 + i + delta) >>> 0, ttl: 1 })),
      );
      const back = send(director, fromOuter(family, port, { ...words, ack: (1001 + delta) >>> 0, ttl: 2 }), 'out');
      expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'in' });
      expect(toHex(back.frame)).toBe(toHex(atInner(family, { ...words, ack: 1001, ttl: 1 })));
    }
    expect(director.connections(NOW)[0]).toMatchObject({ state: 'ESTABLISHED', inPackets: 4 });
  });

  it('is by its mark: without, with that of another service by SNAT, and of one that is not', () => {
    const { director } = known();
    director.addService({ fwmark: 8, family, scheduler: 'rr' });
    director.addService({ fwmark: 9, family, scheduler: 'rr' });
    director.addDest({ fwmark: 8, family }, { address: own[1], method: 'snat' });
    expect([0, 8, 9, 10].map((mark) => reasons(director, {}, mark))).toEqual([
      ['routed'],
      ['snat-in'],
      ['snat-in'],
      ['routed'],
    ]);
    director.deleteService(markOf(family));
    expect(reasons(director)).toEqual(['routed']);
  });

  it('is answered as any packet: no hop left, too long, no route', () => {
    const { director, port } = known();
    expect(reasons(director, { ttl: 1 })).toEqual(['ttl-exceeded', 'time-exceeded']);
    expect(reasons(director, { payload: counting(1461), df: true })).toEqual(['too-big', 'fragmentation-needed']);
    director.setNetwork({ interfaces: SNAT_NETWORK.interfaces });
    expect(reasons(director)).toEqual(['no-route', 'net-unreachable']);
    director.setNetwork(SNAT_NETWORK);
    expect(reasons(director)).toEqual(['snat-in']);
    director.setSysctl({ ip_forward: 0, ipv6_forwarding: 0 });
    expect(reasons(director)).toEqual(['not-forwarding']);
    // An answer needs no forwarding, and its way is known from then on.
    expect(send(director, fromOuter(family, port, { flags: ACK }), 'out').reason).toBe('snat-out');
    expect(reasons(director)).toEqual(['not-forwarding']);
  });

  it('ends with its dest, and begins again with a SYN', () => {
    const { director, port } = known();
    expect([ACK, RST].map((flags) => reasons(director, { flags }))).toEqual([['snat-in'], ['snat-in']]);
    expect(send(director, fromInner(family), 'in').connection?.localPort).toBe(port + 1);
    send(director, fromOuter(family, port + 1), 'out');
    director.deleteDest(markOf(family), { address: own[0] });
    expect(reasons(director)).toEqual(['dest-unavailable']);
    addSnat(director, family, { address: own[0] });
    expect(reasons(director)).toEqual(['snat-in']);
  });

  it('ends with its dest, be there another one', () => {
    const director = snat({}, {}, [family], 2);
    const { port } = opened(director, family);
    const address = director.connections(NOW)[0]!.localAddress!;
    expect(send(director, fromOuter(family, port, { destination: address }), 'out').reason).toBe('snat-out');
    expect(reasons(director)).toEqual(['snat-in']);
    director.deleteDest(markOf(family), { address });
    expect(reasons(director)).toEqual(['dest-unavailable']);
  });

  it('has nothing that is a server’s answer, not by NAT, or a stray server’s', () => {
    const { director } = known();
    // By mark anything is a virtual address: here what SNAT has as its client.
    director.addService({ fwmark: 5, family, scheduler: 'rr' });
    director.addDest({ fwmark: 5, family }, { address: inner, method: 'dr' });
    const ask = fromOuter(family, 40_001, { source: outer, destination: inner, flags: SYN });
    expect(director.send(ask, 'out', NOW, { mark: 5 })[0]?.reason).toBe('direct-route');
    expect(reasons(director)).toEqual(['routed']);
    const other = known().director;
    const web = { protocol: 'tcp', address: own[1], port: OPORT } as const;
    other.setSysctl({ nat_icmp_send: 1 });
    expect(reasons(other)).toEqual(['snat-in']);
    other.addService({ ...web, scheduler: 'rr' });
    other.addDest(web, { address: inner, port: 40_001, method: 'nat' });
    expect(reasons(other)).toEqual(['no-connection', 'port-unreachable']);
  });

  it('goes no way to what becomes the director’s own', () => {
    const { director } = known();
    const [inside, outside] = SNAT_NETWORK.interfaces;
    const addresses = [...outside.addresses, `${outer}/${family === 4 ? 32 : 128}`];
    director.setNetwork({ ...SNAT_NETWORK, interfaces: [inside, { ...outside, addresses }] });
    expect(reasons(director)).toEqual(['local-dest']);
    expect(sendAll(director, fromInner(family, { flags: ACK }), 'in')[0]?.verdict).toBe('local');
  });
});
