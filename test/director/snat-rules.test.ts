/** SNAT: what services and dests may have, replacing rules, and snapshots that do not hold together. */
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { Director } from '../../src/director.js';
import { decode, encode, type SectionName } from '../../src/snapshot/format.js';
import type { ServiceConfig } from '../../src/types.js';
import { moduleOf } from '../support/core.js';
import { NOW, restored } from '../support/fullnat.js';
import { ACK, counting, icmp } from '../support/packets.js';
import {
  addSnat,
  fromInner,
  fromOuter,
  MARK,
  markOf,
  opened,
  PLACES,
  type Says,
  SNAT_NETWORK,
  send,
  snat,
} from '../support/snat.js';

const [first, second] = PLACES[4].own;
const mark = markOf(4);

describe('refused', () => {
  it.each([
    ['in a service by address', { protocol: 'tcp', address: '10.0.0.100', port: 80 }, {}, 'a service by firewall mark'],
    ['with a port', { fwmark: 9 }, { port: 80 }, 'port 0'],
    ['of another family', { fwmark: 9 }, { address: 'fd00:2::1' }, "the service's family"],
    ['of another family, IPv6', { fwmark: 9, family: 6 }, {}, "the service's family"],
    ['that no other host can answer', { fwmark: 9 }, { address: '127.0.0.1' }, 'others can answer, got 127.0.0.1'],
    ['that no other host can answer, IPv6', { fwmark: 9, family: 6 }, { address: '::1' }, 'others can answer, got ::1'],
    ['that no host has', { fwmark: 9 }, { address: '224.0.0.1' }, 'the address of a server'],
    ['with carry', { fwmark: 9, carry: 'toa' }, {}, 'other than snat with carry'],
    ['behind a SYN proxy', { fwmark: 9, synproxy: true }, {}, 'other than snat behind a SYN proxy'],
    ['with one-packet scheduling', { fwmark: 9, ops: true }, {}, 'other than snat with one-packet scheduling'],
    ['with a tunnel', { fwmark: 9 }, { tunnel: {} }, 'a tunnel only with the method tun'],
  ] as const)('a dest %s', (_, service, dest, text) => {
    const director = snat();
    director.addService({ ...service } as ServiceConfig);
    const given = { address: first, method: 'snat', ...dest } as const;
    const refused = expect.objectContaining({ name: 'RangeError', message: expect.stringContaining(text) });
    expect(() => director.addDest({ ...service } as ServiceConfig, given)).toThrow(refused);
    const others = director.services().filter((one) => !('fwmark' in one) || one.fwmark !== MARK);
    expect(others.flatMap(({ dests }) => dests)).toEqual([]);
    const rules = [{ service: { ...service } as ServiceConfig, added: [given] }];
    expect(() => director.replaceRules(rules)).toThrow(refused);
  });

  it.each([{ carry: 'toa' }, { synproxy: true }, { ops: true }] as const)(
    'an edit of its service to %j',
    (settings) => {
      const director = snat();
      const before = director.services();
      expect(() => director.editService({ ...mark, scheduler: 'rr', ...settings })).toThrow(RangeError);
      expect(director.services()).toEqual(before);
    },
  );

  it('others beside it, and it beside others', () => {
    const director = snat({}, {}, [4], 2);
    const nat = { address: '10.1.0.12', method: 'nat' } as const;
    const alike = 'expected no other dest beside those by snat in one service';
    expect(() => director.addDest(mark, nat)).toThrow(alike);
    for (const address of [first, second])
      expect(() => director.editDest(mark, { address, method: 'nat' })).toThrow(alike);
    director.addService({ fwmark: 9 });
    director.addDest({ fwmark: 9 }, nat);
    expect(() => director.addDest({ fwmark: 9 }, { address: first, method: 'snat' })).toThrow(
      'expected no dest by snat beside others in one service',
    );
    const added = [nat, { address: first, method: 'snat' }] as const;
    expect(() => director.replaceRules([{ service: { fwmark: 9 }, added }])).toThrow('rules[0].added[1]: ');
    // Alone it may become another, and be edited beside its like.
    director.editDest(mark, { address: first, method: 'snat', weight: 3 });
    director.deleteDest(mark, { address: second });
    director.editDest(mark, { address: first, method: 'nat' });
    expect(director.services().find((one) => 'fwmark' in one && one.fwmark === MARK)?.dests).toMatchObject([
      { address: first, method: 'nat' },
    ]);
  });
});

describe('replaceRules', () => {
  it('keeps connections, from one kind to the other and back', () => {
    const director = snat({}, { plan: { localAddresses: 2 } }, [4], 2);
    const { port } = opened(director, 4);
    const rules = director.services().map((service) => ({ service, added: service.dests.toReversed() }));
    const others = rules.map(({ service, added }) => ({
      service,
      added: added.map(({ address }) => ({ address, method: 'nat' as const })),
    }));
    for (const each of [rules, others, rules]) {
      director.replaceRules(each);
      expect(director.services()[0]?.dests.map(({ address, method }) => [address, method])).toEqual(
        each[0]!.added.map(({ address, method }) => [address, method]).reverse(),
      );
      const answer = fromOuter(4, port, { destination: second });
      expect(send(director, answer, 'out').reason).toBe('snat-out');
      expect(send(director, fromInner(4, { flags: ACK }), 'in').reason).toBe('snat-in');
    }
    const { locals } = decode(director.snapshot()).sections;
    expect(new DataView(locals.bytes.slice().buffer).getUint32(abi.LOCAL_USERS, true)).toBe(1);
  });

  it('undoes all when there is no room for its addresses', () => {
    const director = snat({}, { plan: { localAddresses: 2 } }, [4], 2);
    opened(director, 4);
    const before = decode(director.snapshot()).sections;
    const added = ['203.0.113.4', '203.0.113.5', '203.0.113.6'].map((address) => ({
      address,
      method: 'snat' as const,
    }));
    expect(() => director.replaceRules([{ service: mark, added }])).toThrow('2 local addresses');
    expect(decode(director.snapshot()).sections).toEqual(before);
  });
});

it('is told of its dest and connections, which may be given back', () => {
  const director = snat();
  opened(director, 4);
  const [service] = director.services().filter((one) => one.dests[0]?.address === first);
  director.deleteService(mark);
  director.addService(service!);
  director.addDest(mark, service!.dests[0]!);
  expect(director.connections(NOW)[0]).toMatchObject({ method: 'snat', localAddress: first, localPort: 1024 });
});

it.each([{ localAddresses: 9 }, { localAddresses: 2, dests: 5, services: 2, connections: 9, extensions: 10 }])(
  'goes on in a plan with %j',
  (plan) => {
    const director = snat({}, { plan: { localAddresses: 3 } }, [4]);
    // The first record is another's, who gives it up.
    director.addService({ fwmark: 9 });
    director.addDest({ fwmark: 9 }, { address: second, method: 'snat' });
    director.deleteDest(mark, { address: first });
    addSnat(director, 4, { address: '203.0.113.9' });
    director.deleteService({ fwmark: 9 });
    addSnat(director, 4, { address: first });
    const { port } = opened(director, 4);
    const copy = restored(director, { plan: { connections6: 9, ...plan } });
    for (const one of [director, copy]) {
      expect(send(one, fromOuter(4, port), 'out').reason).toBe('snat-out');
      const next = [2, 3].map((sport) => send(one, fromInner(4, { sport }), 'in').connection);
      expect(next.map((each) => [each?.localAddress, each?.localPort])).toEqual([
        ['203.0.113.9', 1024],
        [first, port + 1],
      ]);
    }
  },
);

describe('a made-up snapshot', () => {
  const changed = (name: SectionName, field: number, value: number, size: 1 | 4 = 4): Uint8Array => {
    const director = snat({}, {}, [4], 1);
    director.addService({ fwmark: 9 });
    director.addDest({ fwmark: 9 }, { address: '10.1.0.12', method: 'nat' });
    opened(director, 4);
    const snapshot = decode(director.snapshot());
    const bytes = snapshot.sections[name].bytes.slice();
    const view = new DataView(bytes.buffer);
    if (size === 4) view.setUint32(field, value, true);
    else view.setUint8(field, value);
    return encode({ ...snapshot, sections: { ...snapshot.sections, [name]: { ...snapshot.sections[name], bytes } } });
  };
  const { DEST_SIZE } = abi;

  it.each<[string, SectionName, number, number, 1 | 4]>([
    ['a dest without its local address', 'dests', abi.DEST_LOCAL, 0, 4],
    ['a local address elsewhere', 'dests', abi.DEST_LOCAL, 64, 4],
    ['one of a dest by another method', 'dests', abi.DEST_METHOD, 0, 1],
    ['a dest by SNAT that has none', 'dests', DEST_SIZE + abi.DEST_METHOD, 7, 1],
    ['a dest by SNAT of no mark', 'dests', abi.DEST_FWMARK, 0, 4],
    ['a dest by SNAT of another family', 'dests', abi.DEST_VFAMILY, 6, 1],
    ['one-packet scheduling beside SNAT', 'services', abi.SVC_FLAGS, 4, 4],
    ['a SYN proxy beside SNAT', 'services', abi.SVC_FLAGS, 256, 4],
    ['carry beside SNAT', 'services', abi.SVC_CARRY, 1, 1],
    ['another address of the dest', 'dests', abi.DEST_ADDRESS, 0x01020304, 4],
    ['another count of dests', 'locals', abi.LOCAL_USERS, 2, 4],
    ['a connection by FullNAT of another server', 'conns', abi.CONN_DADDR_BE, 0x01020304, 4],
  ])('with %s is refused', (_, ...change) => {
    expect(() => Director.restoreSync(changed(...change), { wasm: moduleOf('release') })).toThrow(
      expect.objectContaining({ code: 'BAD_SNAPSHOT' }),
    );
  });

  it('with both kinds in one service is refused', () => {
    const director = snat({}, {}, [4], 2);
    const snapshot = decode(director.snapshot());
    const bytes = snapshot.sections.dests.bytes.slice();
    const view = new DataView(bytes.buffer);
    view.setUint8(abi.DEST_METHOD, 0);
    view.setUint32(abi.DEST_LOCAL, 0, true);
    const dests = { ...snapshot.sections.dests, bytes };
    const made = encode({ ...snapshot, sections: { ...snapshot.sections, dests } });
    expect(() => Director.restoreSync(made, { wasm: moduleOf('release') })).toThrow('dests by SNAT and others');
  });

  it('without a change is taken', () => {
    Director.restoreSync(changed('locals', abi.LOCAL_USERS, 1), { wasm: moduleOf('release') });
  });
});

it('a dest that comes back from the trash is one by SNAT again', () => {
  const director = snat({}, { localPorts: { first: 7, last: 7 } }, [4]);
  opened(director, 4);
  for (const method of ['nat', 'snat'] as const) {
    director.deleteDest(mark, { address: first });
    director.addDest(mark, { address: first, method });
  }
  expect(send(director, fromInner(4, { sport: 2 }), 'in').reason).toBe('no-local-port');
  addSnat(director, 4, { address: second });
  expect(send(director, fromInner(4, { sport: 2 }), 'in').reason).toBe('snat-in');
});

it('a dest for which there is no room takes no local address', () => {
  const director = snat({}, { plan: { dests: 1, localAddresses: 1 } }, []);
  director.addService(mark);
  director.addService({ fwmark: 9 });
  director.addDest({ fwmark: 9 }, { address: '10.1.0.12', method: 'nat' });
  expect(() => addSnat(director, 4, { address: first })).toThrow('room for 1 dests');
  director.deleteDest({ fwmark: 9 }, { address: '10.1.0.12' });
  addSnat(director, 4, { address: second });
});

describe('a dest is asked for no way', () => {
  const routed = '192.0.2.5';
  const other = { fwmark: 9, scheduler: 'rr' } as const;
  const out = (director: Director, says: Says = {}) => director.send(fromInner(4, says), 'in', NOW, { mark: 9 })[0]!;
  const network = (...own: string[]) => ({
    interfaces: [...SNAT_NETWORK.interfaces, { name: 'lo', addresses: ['127.0.0.1/8', ...own] }],
    routes: [...SNAT_NETWORK.routes, { dst: '192.0.2.0/24', dev: 'in', gateway: '10.1.0.77' }],
  });
  const made = (): Director => {
    const director = snat({}, { network: network() }, []);
    director.addService(other);
    director.addDest(other, { address: routed, method: 'snat' });
    return director;
  };

  it('on the short way, when it is a host that an address of the director answers', () => {
    const director = made();
    const { localPort } = out(director).connection!;
    director.setNetwork(network(`${PLACES[4].outer}/32`));
    const answer = fromOuter(4, localPort!, { destination: routed });
    expect(director.send(answer, 'lo', NOW)[0]?.reason).toBe('snat-out');
    expect(out(director, { flags: ACK }).reason).toBe('local-dest');
  });

  it('whose length a tunnel to that address has learnt', () => {
    const director = made();
    const web = { protocol: 'udp', address: second, port: 443 } as const;
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: routed, method: 'tun' });
    const [tunnel] = director.send(fromOuter(4, 443, { protocol: 'udp', destination: second, sport: 9 }), 'out', NOW);
    expect(tunnel?.reason).toBe('tunnel-ipip');
    const error = icmp({ source: '10.1.0.77', destination: PLACES[4].inside }, 3, 4, tunnel!.frame, 700);
    expect(director.send(error, 'in', NOW)[0]?.reason).toBe('icmp-consumed');
    const long = fromOuter(4, 443, {
      protocol: 'udp',
      destination: second,
      sport: 9,
      df: true,
      payload: counting(800),
    });
    expect(director.send(long, 'out', NOW)[0]?.reason).toBe('too-big');
    expect(out(director, { protocol: 'udp', df: true, payload: counting(800) }).reason).toBe('snat-in');
  });

  it('whose length it has learnt as a tunnel, before it was by SNAT', () => {
    const director = snat({}, {}, []);
    const dest = { address: '198.51.100.50' } as const;
    director.addService(other);
    director.addDest(other, { ...dest, method: 'tun' });
    const send = (words: object) => director.send(fromInner(4, words), 'in', NOW, { mark: 9 })[0];
    const error = icmp({ source: PLACES[4].router, destination: first }, 3, 4, send({})!.frame, 600);
    expect(director.send(error, 'out', NOW)[0]?.reason).toBe('icmp-consumed');
    const long = { flags: ACK, df: true, payload: counting(1000) };
    expect(send(long)?.reason).toBe('too-big');
    director.editDest(other, { ...dest, method: 'snat' });
    expect(send({ sport: 5000 })?.reason).toBe('snat-in');
    expect(send({ ...long, sport: 5000 })?.reason).toBe('snat-in');
  });

  it('nor kept from one, for what it is afterwards', () => {
    const interfaces = [
      { ...SNAT_NETWORK.interfaces[0], kind: 'ether' as const, mac: '02:00:00:00:00:01' },
      SNAT_NETWORK.interfaces[1],
    ];
    const neighbours = [{ dst: '10.1.0.50', dev: 'in', lladdr: '02:00:00:00:00:50' }];
    const director = snat({}, { network: { ...SNAT_NETWORK, interfaces, neighbours } }, []);
    director.addService(other);
    const dest = { address: '10.1.0.50', method: 'snat' } as const;
    director.addDest(other, dest);
    const marked = (packet: Uint8Array) => director.send(packet, 'out', NOW, { mark: 9 })[0]?.reason;
    expect(marked(fromInner(4))).toBe('snat-in');
    director.editDest(other, { ...dest, method: 'dr' });
    expect(marked(fromInner(4, { flags: ACK }))).toBe('snat-in');
    // On the link DR would ask for who was addressed, if SNAT had kept the way.
    expect(marked(fromInner(4, { destination: '10.1.0.99' }))).toBe('direct-route');
  });
});
