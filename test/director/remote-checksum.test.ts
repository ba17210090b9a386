/** GUE's remote checksum as a live kernel has it: nothing is written before the packet leaves. Held to core and reference. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig, NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { ACK, checksum, counting, hex, icmp, join, pseudoHeader, SYN, tcp, toHex, udp } from '../support/packets.js';
import { gue } from '../support/tunnels.js';

type Any = Director | ReferenceDirector;

const network: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.100/32', '10.0.0.1/24'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24'] },
    { name: 'tunl0', kind: 'ipip' },
  ],
  fou: [{ port: 6080 }],
};
const DIRECTORS: readonly [name: string, make: () => Any][] = [
  ['core', () => createDirector('release', { plan: { ...SMALL_PLAN, localAddresses: 1 }, network })],
  ['reference', () => new ReferenceDirector({ network })],
];

const CLIENT = { source: '10.0.0.2', destination: '10.0.0.100', sport: 1000 };
const SERVICE = { protocol: 'udp', address: '10.0.0.100', port: 4000 } as const;
const NAT: DestConfig = { address: '10.1.0.11', port: 4001, method: 'nat' };

/** In GUE that leaves the bytes from `start` to be summed up, into the field at `offset`. */
const remote = (inner: Uint8Array, start: number, offset: number): Uint8Array =>
  gue(
    { source: '10.0.0.9', destination: '10.0.0.1', sport: 40_000, dport: 6080 },
    inner,
    join(hex('80000000'), Uint8Array.of(start >> 8, start & 255, offset >> 8, offset & 255)),
  );

/** The whole packet's bytes of a datagram whose checksum holds the pseudo header's sum alone. */
const begun = (dport: number, payload = counting(10)): Uint8Array => udp({ ...CLIENT, dport, payload, partial: true });

const served = (director: Any, dest: DestConfig): Any => {
  director.addService(SERVICE);
  director.addDest(SERVICE, dest);
  return director;
};

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const past = (words: object = {}) =>
  udp({ ...CLIENT, destination: '10.1.0.14', dport: 9, payload: counting(12), ...words });

describe.each(DIRECTORS)('%s', (_, make) => {
  it('is quoted unfinished', () => {
    const inner = begun(4000);
    const [, error] = served(make(), { ...NAT, weight: 0 }).send(remote(inner, 20, 26), 'cli', 0);
    expect(error).toMatchObject({ reason: 'port-unreachable' });
    expect(toHex(error!.frame.subarray(28))).toBe(toHex(inner));
  });

  it('goes to the host as it came', () => {
    const [outcome] = make().send(remote(begun(9), 20, 26), 'cli', 0);
    expect(outcome).toMatchObject({ reason: 'decapsulated', partialChecksum: true });
    expect(toHex(outcome!.frame)).toBe(toHex(begun(9)));
  });

  it('of any bytes is finished when it leaves', () => {
    const given = past();
    const [outcome] = make().send(remote(given, 28, 30), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'routed' });
    expect(u16(outcome!.frame, 30)).toBe(checksum(given.subarray(28)));
    expect(u16(outcome!.frame, 26)).toBe(u16(given, 26));
  });

  it('of other bytes lets NAT take the transport’s checksum for begun', () => {
    const given = udp({ ...CLIENT, dport: 4000, payload: counting(12) });
    const [outcome] = served(make(), NAT).send(remote(given, 28, 30), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat-in' });
    const moved = 0x0a01_000b - 0x0a00_0064;
    const expected = (u16(given, 26) + moved) % 0xffff;
    expect(u16(outcome!.frame, 26) % 0xffff).toBe(expected);
    expect(u16(outcome!.frame, 30)).toBe(checksum(given.subarray(28)));
  });

  it('before its start lies nowhere: what has it may stay, but not leave', () => {
    const quoted = served(make(), { ...NAT, weight: 0 }).send(remote(begun(4000), 18, 2), 'cli', 0);
    expect(quoted.map(({ reason }) => reason)).toEqual(['no-dest', 'port-unreachable']);
    const [outcome] = make().send(remote(past(), 18, 2), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'drop', reason: 'tunnel-malformed' });
  });

  it('of an error about a tunnel packet of ours is not looked at', () => {
    const director = served(make(), { address: '10.1.0.11', method: 'tun' });
    const [first] = director.send(udp({ ...CLIENT, dport: 4000 }), 'cli', 0);
    const error = icmp({ source: '10.1.0.11', destination: '10.1.0.1' }, 3, 1, first!.frame);
    error[22]! ^= 1;
    const judged = (packet: Uint8Array) => director.send(packet, 'cli', 0).map(({ reason }) => reason);
    expect(judged(error)).toEqual(['icmp-checksum']);
    expect(judged(remote(error, 20, 22))).toEqual(['icmp-consumed', 'icmp-relayed']);
  });

  it('goes on into GUE that has them', () => {
    const tunnel = { type: 'gue', port: 6080, checksum: 'remcsum' } as const;
    const dest: DestConfig = { address: '10.1.0.11', method: 'tun', tunnel };
    const [outcome] = served(make(), dest).send(remote(begun(4000), 22, 30), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'tunnel-gue', partialChecksum: false });
    expect(toHex(outcome!.frame.subarray(28, 40))).toBe('02040001800000000016001e');
    expect(toHex(outcome!.frame.subarray(60))).toBe(toHex(begun(4000).subarray(20)));
  });
});

describe.each([
  ['core', () => createDirector('release', { plan: { ...SMALL_PLAN, localAddresses: 1 }, network })],
  ['reference', () => new ReferenceDirector({ network })],
] as readonly [string, () => Any][])('FullNAT (%s)', (_, make) => {
  it.each([
    [undefined, 1024, '0a010001', '0a01000b'],
    ['toa', 1000, '0a000002', '0a000064'],
  ] as const)(
    'finishes it last, but first where something may be put in: carry %s',
    (carry, sport, source, destination) => {
      const director = make();
      const key = { protocol: 'tcp', address: '10.0.0.100', port: 4000 } as const;
      director.addService({ ...key, localAddresses: ['10.1.0.1'], ...(carry && { carry }) });
      director.addDest(key, { address: '10.1.0.11', port: 4000, method: 'fullnat' });
      director.send(tcp({ ...CLIENT, dport: 4000, flags: SYN }), 'cli', 0);
      // No segment to connection tracking: nothing is put into it. Its sum has addresses and ports, and goes where its flags are.
      const given = tcp({ ...CLIENT, dport: 4000, flags: 0, payload: counting(8) });
      const [outcome] = director.send(remote(given, 12, 32), 'cli', 0);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'fullnat-in' });
      const summed = given.slice(12);
      summed.set(hex(`${source}${destination}${sport.toString(16).padStart(4, '0')}`));
      if (carry === undefined) summed.set(outcome!.frame.subarray(36, 38), 24);
      expect(u16(outcome!.frame, 32)).toBe(checksum(summed));
    },
  );
});

it.each(DIRECTORS)(
  'of a datagram whose service has nothing for UDP to carry is finished last by FullNAT (%s)',
  (_, make) => {
    const director = make();
    const key = { fwmark: 7, family: 4 } as const;
    director.addService({ ...key, localAddresses: ['10.1.0.1'], carry: 'toa' });
    director.addDest(key, { address: '10.1.0.11', port: 0, method: 'fullnat' });
    const given = udp({ ...CLIENT, dport: 4000, payload: counting(12) });
    director.send(given, 'cli', 0, { mark: 7 });
    const [outcome] = director.send(remote(given, 20, 36), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'fullnat-in' });
    const summed = outcome!.frame.slice(20);
    summed.set(given.subarray(36, 38), 16);
    expect(u16(outcome!.frame, 36)).toBe(checksum(summed));
  },
);

// The reference leaves it to a card.
it.each([undefined, 'toa', 'proxy-v1', 'proxy-v2'] as const)(
  'of a segment is right behind FullNAT that carries %s',
  (carry) => {
    const director = createDirector('release', { plan: { ...SMALL_PLAN, localAddresses: 1 }, network });
    const key = { protocol: 'tcp', address: '10.0.0.100', port: 4000 } as const;
    director.addService({ ...key, localAddresses: ['10.1.0.1'], ...(carry && { carry }) });
    director.addDest(key, { address: '10.1.0.11', port: 4001, method: 'fullnat' });
    const says = { ...CLIENT, dport: 4000, partial: true };
    const [syn] = director.send(remote(tcp({ ...says, seq: 1000, flags: SYN }), 20, 36), 'cli', 0);
    const back = { source: '10.1.0.11', destination: '10.1.0.1', sport: 4001, dport: u16(syn!.frame, 20) };
    const ack = new DataView(syn!.frame.buffer, syn!.frame.byteOffset).getUint32(24) + 1;
    director.send(tcp({ ...back, flags: SYN | ACK, seq: 5, ack }), 'srv', 0);
    const third = tcp({ ...says, seq: 1001, ack: 6, flags: ACK, payload: counting(9) });
    for (const { frame } of [syn!, director.send(remote(third, 20, 36), 'cli', 0)[0]!]) {
      const ends = { source: '10.1.0.1', destination: '10.1.0.11' };
      const covered = join(pseudoHeader(ends, 6, frame.length - 20), frame.subarray(20));
      expect(checksum(covered)).toBe(0);
    }
  },
);

describe('NAT64', () => {
  const both: NetworkConfig = {
    ...network,
    interfaces: [
      ...network.interfaces,
      { name: 'six', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
      { name: 'sit0', kind: 'sit' },
    ],
  };
  const plan = { ...SMALL_PLAN, localAddresses: 1 };
  const names = ['core', 'reference'] as const;

  it.each(names)('finishes it first, even in the place of ports, and translates what is there then (%s)', (name) => {
    const director: Any =
      name === 'core' ? createDirector('release', { plan, network: both }) : new ReferenceDirector({ network: both });
    const key = { protocol: 'udp', address: 'fd00::100', port: 4000 } as const;
    director.addService({ ...key, localAddresses: ['10.1.0.1'] });
    director.addDest(key, { address: '10.1.0.11', port: 4001, method: 'fullnat' });
    const ends = { source: 'fd00::2', destination: 'fd00::100' };
    const given = udp({ ...ends, sport: 1000, dport: 4000, payload: counting(12) });
    const [outcome] = director.send(remote(given, 40, 40), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'nat64-in' });
    const sum = checksum(given.subarray(40));
    const came = join(Uint8Array.of(sum >> 8, sum & 255), given.subarray(42));
    const left = outcome!.frame.subarray(20);
    expect(toHex(left.subarray(0, 6))).toBe(toHex(Uint8Array.of(4, 0, 4001 >> 8, 4001 & 255, 0, 20)));
    const error = checksum(join(pseudoHeader({ source: '10.1.0.1', destination: '10.1.0.11' }, 17, left.length), left));
    expect(error).toBe(checksum(join(pseudoHeader(ends, 17, came.length), came)));
  });
});
