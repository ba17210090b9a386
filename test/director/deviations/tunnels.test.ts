/** Where a director of ours is not Linux 6.1 (docs/deviations.md): tunnels. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDirector, SMALL_PLAN } from '../../support/core.js';
import { checksum, counting, ipv4, ipv6, SYN, udp } from '../../support/packets.js';
import { gre, gue } from '../../support/tunnels.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

test('a packet too long for its tunnel is dropped', () => {
  const raw = (name: string, address: string) => ({ name, kind: 'raw', mtu: 65_536, addresses: [address] }) as const;
  const network = { interfaces: [raw('cli', `${VIP}/24`), raw('srv', '10.1.0.1/24')] };
  const long = createDirector('release', { network, plan: { ...SMALL_PLAN, arenaBytes: 1 << 18 } });
  long.addService(WEB);
  long.addDest(WEB, { address: RIP, method: 'tun' });
  const outcomes = long.send(segment(SYN, { payload: new Uint8Array(65_516 - 40) }), 'cli', T0);
  expect(outcomes.map(({ reason }) => reason)).toEqual(['too-big']);
});

describe('tunnels that end here', () => {
  const ends = { source: CLIENT, destination: '10.1.0.1' };
  const inner = udp({ ...ends, sport: 1, dport: 2 });

  beforeEach(() => {
    const { interfaces } = director.network;
    const tunnels = (['ipip', 'gre', 'ip6tnl'] as const).map((kind) => ({ name: kind, kind }));
    const six = { name: 'six', kind: 'raw', addresses: ['fd00::1/64'] } as const;
    director.setNetwork({ interfaces: [...interfaces, six, ...tunnels], fou: [{ port: 6080 }] });
  });

  test('GRE with and without a checksum is taken out by one device', () => {
    for (const words of [ends, { ...ends, sum: 'right' as const }])
      expect(fate(gre(words, inner))).toBe('local decapsulated');
  });

  test('an unknown destination option of a tunnel packet is passed over', () => {
    const extensions = [[60, Uint8Array.of(0, 0xc7, 0, 1, 2, 0, 0)]] as const;
    const words = { source: 'fd00::2', destination: 'fd00::1', hopLimit: 64, extensions, protocol: 4 };
    expect(fate(ipv6(words, inner), 'six')).toBe('local decapsulated');
  });

  test('GRE that carries ERSPAN is refused', () => {
    expect(fate(ipv4({ ...ends, protocol: 47 }, Uint8Array.of(0, 0, 0x88, 0xbe, ...inner)))).toBe(
      'drop tunnel-malformed',
    );
  });

  test('GUE of version 1 is refused, and what is not IP left to the host', () => {
    const outer = { ...ends, sport: 40_000, dport: 6080 };
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0, 4, 0, 0, ...inner) }))).toBe('local decapsulated');
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0x40, 4, 0, 0, ...inner) }))).toBe('drop tunnel-malformed');
    expect(fate(udp({ ...outer, payload: Uint8Array.of(0, 17, 0, 0, ...inner) }))).toBe('local local-delivery');
  });

  /** In GUE that leaves the bytes from `start` to be summed up, into the field at `offset`. */
  const remote = (packet: Uint8Array, start: number, offset: number) =>
    gue({ ...ends, sport: 40_000, dport: 6080 }, packet, Uint8Array.of(0x80, 0, 0, 0, 0, start, 0, offset));

  test('a remote checksum in a header is not written', () => {
    const passing = udp({ source: CLIENT, destination: '10.1.0.14', sport: 1, dport: 2, payload: counting(20) });
    expect(fate(remote(passing, 20, 30))).toBe('forward routed');
    expect(fate(remote(passing, 0, 12))).toBe('drop tunnel-malformed');
  });

  test('a remote checksum at an odd place leaves the tunnel’s right', () => {
    const key = { protocol: 'udp', address: VIP, port: 53 } as const;
    director.addService(key);
    director.addDest(key, { address: '10.1.0.12', method: 'tun', tunnel: { type: 'gre', checksum: 'csum' } });
    const query = udp({ source: CLIENT, destination: VIP, sport: 40_000, dport: 53, payload: counting(20) });
    const [outcome] = director.send(remote(query, 20, 31), 'cli', T0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'tunnel-gre' });
    expect(outcome?.frame.subarray(59, 61)).not.toEqual(query.subarray(31, 33));
    expect(checksum(outcome?.frame.subarray(20) as Uint8Array)).toBe(0);
  });
});
