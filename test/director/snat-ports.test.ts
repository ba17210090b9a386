/** SNAT: the ports of its addresses, by whom they are shared, and until when. */
import { describe, expect, it } from 'vitest';
import { FAMILIES, NOW, restored } from '../support/fullnat.js';
import { ACK, counting, RST } from '../support/packets.js';
import {
  addSnat,
  fromInner,
  fromOuter,
  markOf,
  OPORT,
  opened,
  PLACES,
  type Says,
  SNAT_NETWORK,
  send,
  snat,
  TWO_PORTS,
} from '../support/snat.js';

describe.each(FAMILIES)('ports of SNAT, IPv%i', (family) => {
  const { inner, outer, own } = PLACES[family];
  const open = (director: ReturnType<typeof snat>, says: Says = {}) => {
    const { reason, connection } = send(director, fromInner(family, says), 'in');
    return reason === 'snat-in' ? `${connection?.localAddress} ${connection?.localPort}` : reason;
  };

  it('are given once for each protocol and place outside, and the scheduler is asked but once', () => {
    const director = snat({}, TWO_PORTS, [4, 6], 2);
    const given = [1, 2, 3, 4, 5].map((sport) => open(director, { sport }));
    expect(given).toEqual([`${own[1]} 5000`, `${own[0]} 5000`, `${own[1]} 5001`, `${own[0]} 5001`, 'no-local-port']);
    // Another protocol, and another host, have ports of their own.
    expect(open(director, { sport: 6, protocol: 'udp' })).toMatch(/ 5000$/);
    expect(open(director, { sport: 7, dport: OPORT + 1 })).toMatch(/ 5000$/);
    // One address has a port again: that the other has none is not made good for.
    const second = { destination: own[1] };
    send(director, fromOuter(family, 5000, second), 'out');
    for (const flags of [ACK, RST]) send(director, fromInner(family, { sport: 1, flags }), 'in');
    director.advance(NOW + 11_000);
    const later = [8, 9].map((sport) => send(director, fromInner(family, { sport }), 'in', NOW + 11_000).reason);
    expect(later.toSorted()).toEqual(['no-local-port', 'snat-in']);
  });

  it('are those of FullNAT at the same address', () => {
    const director = snat({}, TWO_PORTS);
    const key = { protocol: 'tcp', address: own[1], port: OPORT } as const;
    director.addService({ ...key, scheduler: 'rr', localAddresses: [own[0]] });
    director.addDest(key, { address: outer, port: OPORT, method: 'fullnat' });
    expect(open(director)).toBe(`${own[0]} 5000`);
    const full = send(director, fromInner(family, { destination: own[1], sport: 3 }), 'in');
    expect([full.reason, full.connection?.localPort]).toEqual(['fullnat-in', 5001]);
    expect(open(director, { sport: 4 })).toBe('no-local-port');
    // Answers are told apart.
    expect(send(director, fromOuter(family, 5000), 'out').reason).toBe('snat-out');
    expect(send(director, fromOuter(family, 5001), 'out').reason).toBe('fullnat-out');
  });

  it('stay with an address until its last connection ends', () => {
    const director = snat({}, { ...TWO_PORTS, plan: { localAddresses: 2 } }, [family]);
    const mark = markOf(family);
    open(director);
    director.deleteDest(mark, { address: own[0] });
    addSnat(director, family, { address: own[1] });
    const third = family === 4 ? '203.0.113.3' : 'fd00:2::3';
    const full = { code: 'TABLE_FULL', message: expect.stringContaining('2 local addresses') };
    expect(() => addSnat(director, family, { address: third })).toThrow(expect.objectContaining(full));
    expect(director.services()[0]!.dests.map(({ address }) => address)).toEqual([own[1]]);
    // It goes on with the next port, in a director of its snapshot, too.
    for (const one of [restored(director), director]) {
      one.deleteDest(mark, { address: own[1] });
      addSnat(one, family, { address: own[0] });
      expect(open(one, { sport: 2 })).toBe(`${own[0]} 5001`);
      expect(open(one, { sport: 3 })).toBe('no-local-port');
    }
    director.advance(NOW + 100_000);
    for (const address of [own[1]]) addSnat(director, family, { address });
    director.deleteDest(mark, { address: own[0] });
    addSnat(director, family, { address: third });
    expect(director.services()[0]!.dests).toHaveLength(2);
  });

  it('an edit that finds no room changes nothing', () => {
    const director = snat({}, { plan: { localAddresses: 1 } }, [family]);
    const other = { fwmark: 9, family } as const;
    director.addService({ ...other, scheduler: 'rr' });
    director.addDest(other, { address: own[1], method: 'nat' });
    const before = director.services();
    expect(() => director.editDest(other, { address: own[1], method: 'snat' })).toThrow(
      expect.objectContaining({ code: 'TABLE_FULL' }),
    );
    expect(director.services()).toEqual(before);
    // What is edited to another method gives its place up, and its connections live on.
    const { port } = opened(director, family);
    director.editDest(markOf(family), { address: own[0], method: 'nat' });
    expect(send(director, fromOuter(family, port), 'out').reason).toBe('snat-out');
    expect(send(director, fromInner(family, { flags: ACK }), 'in').reason).toBe('snat-in');
    for (const flags of [ACK, RST]) send(director, fromInner(family, { flags }), 'in');
    director.advance(NOW + 11_000);
    director.editDest(other, { address: own[1], method: 'snat' });
    expect(director.services().find((one) => 'fwmark' in one && one.fwmark === 9)!.dests[0]!.method).toBe('snat');
  });

  it('come back in the order in which they were given, and need an extension each', () => {
    const director = snat({}, { ...TWO_PORTS, plan: { extensions: 1 } }, [family]);
    expect([open(director), open(director, { sport: 2 })]).toEqual([`${own[0]} 5000`, 'table-full']);
    for (const [i, port] of [5001, 5000, 5001].entries()) {
      director.advance(NOW + 1e6 * (i + 1));
      const now = NOW + 1e6 * (i + 1);
      expect(send(director, fromInner(family), 'in', now).connection?.localPort).toBe(port);
    }
  });

  it('a connection that times out tells both ends, if it is told to', () => {
    const director = snat({}, { sysctl: { conn_expire_tcp_rst: 1 } });
    const { port, delta } = opened(director, family);
    send(director, fromOuter(family, port, { seq: 5, ack: 1001 + delta }), 'out');
    send(director, fromInner(family, { flags: ACK, seq: 1001, ack: 6 }), 'in');
    const sent = director.send(counting(20), 'in', NOW + 901_000).slice(1);
    expect(sent.map(({ reason, outInterface }) => [reason, outInterface])).toEqual([
      ['expired-reset', 'out'],
      ['expired-reset', 'in'],
    ]);
    const [l4, at] = family === 4 ? [20, [12, 20] as const] : [40, [8, 40] as const];
    const ends = sent.map(({ frame }) => [...frame.subarray(...at), ...frame.subarray(l4, l4 + 4)]);
    const like = (packet: Uint8Array) => [...packet.subarray(...at), ...packet.subarray(l4, l4 + 4)];
    expect(ends[0]).toEqual(like(fromInner(family, { source: own[0], sport: port })));
    expect(ends[1]).toEqual(like(fromOuter(family, 40_001, { destination: inner })));
  });
});

it('what becomes an address of the director while a connection lives is the host’s', () => {
  const director = snat();
  opened(director, 4);
  const interfaces = [
    ...SNAT_NETWORK.interfaces,
    { name: 'lo2', kind: 'raw', addresses: ['198.51.100.9/32'] } as const,
  ];
  director.setNetwork({ ...SNAT_NETWORK, interfaces });
  expect(send(director, fromInner(4, { flags: ACK }), 'in')).toMatchObject({ verdict: 'local', reason: 'local-dest' });
  director.setNetwork(SNAT_NETWORK);
  expect(send(director, fromInner(4, { flags: ACK }), 'in').reason).toBe('snat-in');
});
