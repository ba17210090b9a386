/** Services by firewall mark, bypass, and what may be configured. */
import { describe, expect, it } from 'vitest';
import type { ReferenceDest, ReferenceService } from '../../src/reference/index.js';
import { judged, SYN } from './builders.js';
import { chunk, ENDS, frame, packetOf, plainDirector, sctp, tcp, udp } from './builders6.js';

describe.each([4, 6] as const)('a service by mark, IPv%i', (family) => {
  const { client, vip, server, far } = ENDS[family];
  const key = { fwmark: 7, family } as const;

  function director(dest?: Partial<ReferenceDest>, sysctl = {}) {
    const made = plainDirector({ sysctl });
    made.addService({ ...key, scheduler: 'rr' });
    if (dest !== undefined) made.addDest(key, { address: server, method: 'nat', ...dest });
    return made;
  }

  it('takes all transports, wherever they are addressed to, and keeps their ports', () => {
    const made = director({});
    const sent = [tcp([client, 1], [vip, 80], SYN), udp([client, 1], [far, 53]), sctp([client, 1], [far, 9], chunk(1))];
    expect(sent.flatMap((each) => judged(made.send(frame(each), 'cli', 0, { mark: 7 })))).toEqual([
      'forward nat-in',
      'forward nat-in',
      'forward nat-in',
    ]);
    expect(made.connections(0).map(({ destAddress, destPort }) => [destAddress, destPort])).toEqual([
      [server, 80],
      [server, 53],
      [server, 9],
    ]);
  });

  it('may map to one port', () => {
    const made = director({ port: 8080 });
    made.send(frame(tcp([client, 1], [vip, 80], SYN)), 'cli', 0, { mark: 7 });
    expect(made.connections(0)).toMatchObject([{ virtualPort: 80, destPort: 8080 }]);
  });

  it.each(['nat', 'dr'] as const)('keeps the port of a dest by %s, edited too', (method) => {
    const made = director({ method, port: 8080 });
    made.editDest(key, { address: server, method: 'dr', port: 8080, weight: 3 });
    expect(made.services()[0]?.dests).toMatchObject([{ port: 8080, method: 'dr', weight: 3 }]);
    expect(() => made.editDest(key, { address: server, method: 'dr' })).toThrow('no dest');
  });

  it('comes before one by address, and leaves other marks alone', () => {
    const made = director({});
    const other = { protocol: 'tcp', address: vip, port: 80 } as const;
    made.addService({ ...other, scheduler: 'rr' });
    made.addDest(other, { address: server, method: 'dr' });
    const reason = (port: number, mark = 0) =>
      made.send(frame(tcp([client, port], [vip, 80], SYN)), 'cli', 0, { mark })[0]!.reason;
    expect([reason(1, 7), reason(2, 8), reason(3, 0), reason(4)]).toEqual([
      'nat-in',
      'direct-route',
      'direct-route',
      'direct-route',
    ]);
  });

  it('is listed by its mark', () => {
    expect(director({}).services()).toMatchObject([{ fwmark: 7, family, dests: [{ address: server, port: 0 }] }]);
    expect(Object.keys(director({}).services()[0]!)).not.toContain('address');
  });

  it('without a dest: nothing, or past it (cache_bypass)', () => {
    const made = director();
    const sent = frame(tcp([client, 1], [server, 80], SYN));
    // Nobody sends from an address that is not its own; IPv6 has another one.
    const expected = family === 4 ? ['drop no-dest'] : ['drop no-dest', 'forward port-unreachable'];
    expect(judged(made.send(sent, 'cli', 0, { mark: 7 }))).toEqual(expected);
    made.setSysctl({ cache_bypass: 1 });
    const [outcome] = made.send(sent, 'cli', 0, { mark: 7 });
    expect(judged([outcome!])).toEqual(['forward bypass']);
    expect(packetOf(outcome!.frame)).toEqual(packetOf(frame(tcp([client, 1], [server, 80], SYN, 0, { ttl: 63 }))));
    expect(made.connections(0)).toMatchObject([
      { method: 'bypass', state: 'SYN_RECV', destAddress: family === 4 ? '0.0.0.0' : '::', destPort: 0 },
    ]);
    // A known connection goes on past it, whatever the switch says now.
    made.setSysctl({ cache_bypass: 0 });
    expect(judged(made.send(sent, 'cli', 0, { mark: 7 }))).toEqual(['forward bypass']);
    const own = frame(tcp([client, 1], [vip, 80], SYN));
    made.setSysctl({ cache_bypass: 1 });
    // Past it over IPv4 goes what another host is asked; a live kernel answers the rest.
    const own4 = ['drop no-dest', 'forward port-unreachable'];
    expect(judged(made.send(own, 'cli', 0, { mark: 7 }))).toEqual(family === 4 ? own4 : ['drop local-boundary']);
  });
});

it('only a mark is gone past', () => {
  const { client, vip } = ENDS[4];
  const made = plainDirector({ sysctl: { cache_bypass: 1 } });
  made.addService({ protocol: 'udp', address: vip, port: 53, scheduler: 'rr' });
  const outcomes = made.send(frame(udp([client, 1], [vip, 53])), 'cli', 0);
  expect(judged(outcomes)).toEqual(['drop no-dest', 'forward port-unreachable']);
});

describe('what cannot be configured', () => {
  const service: ReferenceService = { protocol: 'tcp', address: '10.0.0.100', port: 80 };
  const [v4, v6] = ['10.1.0.11', 'fd00:1::11'];

  it.each<[string, ReferenceDest]>([
    ['another family by NAT', { address: v6, method: 'nat' }],
    ['another family by DR', { address: v6 }],
    ['a group', { address: 'ff02::1', method: 'tun' }],
    ['nobody', { address: '::', method: 'tun' }],
    ['a tunnel without the method', { address: v4, method: 'dr', tunnel: { type: 'ipip' } }],
    ['GUE without a port', { address: v4, method: 'tun', tunnel: { type: 'gue' } }],
    ['GUE with port 0', { address: v4, method: 'tun', tunnel: { type: 'gue', port: 0 } }],
    ['a port for GRE', { address: v4, method: 'tun', tunnel: { type: 'gre', port: 6080 } }],
    ['remcsum by GRE', { address: v4, method: 'tun', tunnel: { type: 'gre', checksum: 'remcsum' } }],
    ['a checksum by IPIP', { address: v4, method: 'tun', tunnel: { checksum: 'csum' } }],
  ])('%s', (_, dest) => {
    const made = plainDirector();
    made.addService(service);
    expect(() => made.addDest(service, dest)).toThrow(RangeError);
    expect(made.services()[0]!.dests).toEqual([]);
    const good = { address: dest.address.includes(':') ? v6 : v4, method: 'tun' } as const;
    made.addDest(service, good);
    if (dest.address !== good.address) return;
    expect(() => made.editDest(service, dest)).toThrow(RangeError);
    expect(made.services()[0]!.dests).toMatchObject([{ method: 'tun' }]);
  });

  it.each([0, -1, 1.5, 2 ** 32])('mark %d', (fwmark) => {
    expect(() => plainDirector().addService({ fwmark })).toThrow(RangeError);
  });

  it('what can be is listed: a tunnel where it is more than IP in IP', () => {
    const made = plainDirector();
    made.addService(service);
    made.addDest(service, { address: v6, method: 'tun' });
    made.addDest(service, { address: v4, method: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'remcsum' } });
    made.addDest(service, { address: '10.1.0.12', method: 'tun', tunnel: { type: 'gre' } });
    expect(made.services()[0]!.dests.map(({ address, tunnel }) => [address, tunnel])).toEqual([
      ['10.1.0.12', { type: 'gre', checksum: 'nocsum' }],
      [v4, { type: 'gue', port: 6080, checksum: 'remcsum' }],
      [v6, undefined],
    ]);
  });
});
