/** FullNAT in a snapshot: it goes on as it was, in other plans, too; what does not hold together is refused. */
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { Director } from '../../src/director.js';
import { decode, encode, type SectionName } from '../../src/snapshot/format.js';
import { moduleOf } from '../support/core.js';
import {
  answer,
  DPORT,
  ENDS,
  FAMILIES,
  fullNat,
  keyOf,
  NOW,
  PLAN,
  read,
  request,
  restored,
  send,
} from '../support/fullnat.js';
import { ACK, RST } from '../support/packets.js';

const LOCAL_PORTS = { first: 5000, last: 5005 };

/** Some connections of both families in mid-life, ports that were freed in another order, and a turn that is not the first one's. */
function lived() {
  const director = fullNat({ profile: 'dpvs' }, { localPorts: LOCAL_PORTS });
  for (const family of FAMILIES) {
    const { local, second } = ENDS[family];
    director.editService({ ...keyOf(family), scheduler: 'rr', localAddresses: [local, second], profile: 'dpvs' });
    for (let n = 1; n <= 11; n++) send(director, request(family, { sport: n, seq: n * 1000 }), 'cli');
    for (const n of [4, 7, 2]) {
      for (const flags of [ACK, RST]) send(director, request(family, { sport: n, flags }), 'cli', NOW + n * 10);
      director.advance(NOW + n * 10);
    }
  }
  director.advance(NOW + 11_000);
  return director;
}

/** What becomes of packets from now on. */
function goingOn(director: Director): unknown[] {
  const now = NOW + 12_000;
  const seen = (['cli', 'srv'] as const).flatMap((wire) =>
    FAMILIES.flatMap((family) =>
      Array.from({ length: 24 }, (_, n) => {
        const says = { sport: n + 1, flags: n % 2 ? ACK : 2, seq: 77 };
        const { local, second } = ENDS[family];
        const ports = { destination: n % 2 ? local : second, sport: DPORT, ack: 99, flags: ACK };
        const packet = wire === 'cli' ? request(family, says) : answer(family, 5000 + (n >> 2), ports);
        return director.send(packet, wire, now);
      }),
    ),
  );
  return [
    seen,
    director.services(),
    director.connections(now).map(({ clientPort, localPort }) => [clientPort, localPort]),
  ];
}

describe('a restored director', () => {
  it('goes on with the same addresses, ports and numbers', () => {
    const [original, copy] = [lived(), restored(lived())];
    expect(decode(copy.snapshot())).toEqual(decode(original.snapshot()));
    expect(goingOn(copy)).toEqual(goingOn(original));
  });

  it.each([
    { connections: 500, localAddresses: 9 },
    { services: 20, localAddresses: 4, extensions: 200 },
    { connections: 30, connections6: 30, extensions: 40 },
    { connections: 9, connections6: 9, extensions: 18, services: 6 },
    // As many as there are, and more: which records have an extension behind them is another thing in each.
    { connections: 8, connections6: 8, extensions: 16 },
    { connections: 8, connections6: 8, extensions: 200 },
    { connections: 200, extensions: 16 },
    { connections: 200, extensions: 22 },
    { connections: 11, connections6: 11, extensions: 200 },
  ])('goes on in a plan with %j', (plan) => {
    const copy = restored(lived(), { plan: { connections: 64, connections6: 64, ...plan } });
    const original = restored(lived());
    const place = (director: Director) =>
      director
        .connections(NOW)
        .map((one) => JSON.stringify(one))
        .sort();
    expect(place(copy)).toEqual(place(original));
    const reply = { destination: ENDS[4].second, ack: 99, flags: ACK };
    const [a, b] = [copy, original].map((director) => send(director, answer(4, 5000, reply), 'srv', NOW + 12_000));
    expect(read(a!.frame)).toEqual(read(b!.frame));
  });

  it('has its extensions elsewhere where fewer records are in pairs, although each table begins where it did', () => {
    const original = fullNat({}, { plan: { connections: 2, connections6: 2, extensions: 3 } }, ['tcp']);
    for (const [family, sport] of [
      [6, 1],
      [6, 2],
      [4, 3],
    ] as const)
      send(original, request(family, { sport }), 'cli');
    const copy = restored(original, { plan: { connections: 1, extensions: 4 } });
    const bases = ({ plan }: Director) => ({ ...plan, conns: 0, extensions: plan.extensions.base, options: 0 });
    expect(bases(copy)).toEqual(bases(original));
    expect(copy.connections(NOW)).toEqual(original.connections(NOW));
    for (const { localPort } of original.connections(NOW)) expect(localPort).toBeGreaterThan(0);
  });

  it('needs room for its local addresses', () => {
    expect(() => restored(lived(), { plan: { localAddresses: 3 } })).toThrow(
      expect.objectContaining({
        code: 'TABLE_FULL',
        option: 'localAddresses',
        message: expect.stringContaining('localAddresses'),
      }),
    );
  });

  it('fits where fewer are in use than there were', () => {
    const director = fullNat({ localAddresses: [] }, { localPorts: LOCAL_PORTS });
    for (const localAddresses of [['10.7.0.1', '10.7.0.2', '10.7.0.3'], ['10.7.0.3']]) {
      director.editService({ ...keyOf(4), scheduler: 'rr', localAddresses });
    }
    for (const sport of [1, 2]) send(director, request(4, { sport }), 'cli');
    for (const flags of [ACK, RST]) send(director, request(4, { sport: 1, flags }), 'cli');
    director.advance(NOW + 11_000);
    const copy = restored(director, { plan: { localAddresses: 1 } });
    const [a, b] = [copy, director].map((each) =>
      [3, 4, 5, 6, 7].map((sport) => send(each, request(4, { sport }), 'cli', NOW + 11_000).connection?.localPort),
    );
    expect(a).toEqual([5002, 5003, 5004, 5005, 5000]);
    expect(a).toEqual(b);
  });
});

describe('replaceRules', () => {
  it('keeps connections and turns of what is the same, and undoes all that it did when it is refused', () => {
    const director = lived();
    const rules = director.services().map((service) => ({ service, added: service.dests.toReversed() }));
    const { locals } = decode(director.snapshot()).sections;
    director.replaceRules(rules);
    const before = decode(director.snapshot());
    expect(before.sections.locals).toEqual(locals);
    const many = { ...rules[0]!.service, localAddresses: ['10.7.0.1', '10.7.0.2', '10.7.0.3'] };
    const refused = [...rules.slice(1), { service: many, added: rules[0]!.added }];
    expect(() => director.replaceRules(refused)).toThrow('local addresses');
    expect(decode(director.snapshot()).sections).toEqual(before.sections);
    director.replaceRules(rules.map(({ service, added }) => ({ service: { ...service, localAddresses: [] }, added })));
    expect(director.services().every(({ localAddresses }) => localAddresses === undefined)).toBe(true);
  });
});

describe('a made-up snapshot', () => {
  /** A snapshot of which a section was changed. */
  const changed = (name: SectionName, change: (bytes: DataView) => void): Uint8Array => {
    const snapshot = decode(lived().snapshot());
    const bytes = snapshot.sections[name].bytes.slice();
    change(new DataView(bytes.buffer));
    return encode({ ...snapshot, sections: { ...snapshot.sections, [name]: { ...snapshot.sections[name], bytes } } });
  };
  const first =
    (field: number, value: number, size: 1 | 2 | 4 = 4) =>
    (bytes: DataView) => {
      if (size === 4) bytes.setUint32(field, value, true);
      else if (size === 2) bytes.setUint16(field, value, true);
      else bytes.setUint8(field, value);
    };
  const pool = 0x0a ^ 1 ^ 0x0b ^ (DPORT >> 8) ^ (DPORT & 255) ^ 6;
  const usedPool = abi.LOCAL_POOLS + ((pool ^ (pool >> 4)) & 15) * abi.POOL_SIZE;

  it.each<[string, SectionName, (bytes: DataView) => void]>([
    ['ports below 1', 'superblock', first(abi.SB_PORT_FIRST, 0)],
    ['no ports', 'superblock', first(abi.SB_PORT_COUNT, 0)],
    ['ports beyond the last', 'superblock', first(abi.SB_PORT_COUNT, 70_000)],
    ['another count of connections', 'superblock', first(abi.SB_FULLNAT, 1)],
    ['another count of services', 'locals', first(abi.LOCAL_USERS, 9)],
    ['another count of connections of an address', 'locals', first(abi.LOCAL_CONNS, 9)],
    ['an unknown family', 'locals', first(abi.LOCAL_FAMILY, 5, 1)],
    ['another address', 'locals', first(abi.LOCAL_ADDRESS, 0x01020304)],
    ['a ring that begins elsewhere', 'locals', first(abi.LOCAL_POOLS + abi.POOL_HEAD, 1)],
    ['more ports given', 'locals', first(usedPool + abi.POOL_GIVEN, 7)],
    ['fewer ports given', 'locals', first(usedPool + abi.POOL_GIVEN, 5)],
    ['fewer ports back', 'locals', first(usedPool + abi.POOL_FREED, 0)],
    ['a free port that is given', 'ports', first(0, 5005, 2)],
    ['a free port that is none', 'ports', first(0, 4999, 2)],
    ['a record that nothing has', 'extensions', first(abi.EXT_LOCAL, 77)],
    ['no local address', 'extensions', first(abi.EXT_LOCAL, 0)],
    ['another local address', 'extensions', first(abi.EXT_LADDR, 0x01020304)],
    ['another port', 'extensions', first(abi.EXT_LPORT_BE, 0x0100, 2)],
    ['an unknown profile', 'extensions', first(abi.EXT_PROFILE, 3, 1)],
    ['an unknown profile of a service', 'services', first(abi.SVC_PROFILE, 3, 1)],
    ['a turn beyond the list', 'services', first(abi.SVC_LOCAL_NEXT, 2, 1)],
    ['a longer list', 'services', first(abi.SVC_LOCAL_COUNT, 200, 1)],
    ['a list elsewhere', 'services', first(abi.SVC_LOCALS, 4)],
  ])('with %s is refused', (_, name, change) => {
    expect(() => Director.restoreSync(changed(name, change), { wasm: moduleOf('release') })).toThrow(
      expect.objectContaining({ code: 'BAD_SNAPSHOT' }),
    );
  });

  it('without a change is taken', () => {
    Director.restoreSync(
      changed('locals', () => {}),
      { wasm: moduleOf('release'), plan: PLAN },
    );
  });
});
