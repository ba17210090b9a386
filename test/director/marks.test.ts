/** Whom packets with the mark of a service are for, wherever they are addressed to, as a live kernel has it. Held to core and reference. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig, SysctlConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { hex, toHex, udp } from '../support/packets.js';

const network: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
};
type Any = Director | ReferenceDirector;
const DIRECTORS: readonly [name: string, make: () => Any][] = [
  ['core', () => createDirector('release', { plan: SMALL_PLAN, network })],
  ['reference', () => new ReferenceDirector({ network })],
];

describe.each(DIRECTORS)('%s', (_, make) => {
  /** Services of the mark in both families, with a dest each unless it has no weight. */
  const marked = (weight = 1, sysctl: SysctlConfig = {}): Any => {
    const director = make();
    director.setSysctl(sysctl);
    for (const [family, address] of [
      [4, '10.1.0.11'],
      [6, 'fd00:1::11'],
    ] as const) {
      director.addService({ fwmark: 7, family });
      director.addDest({ fwmark: 7, family }, { address, method: 'nat', weight });
    }
    return director;
  };
  const send = (director: Any, source: string, destination: string, options?: Uint8Array) => {
    const packet = udp({ source, destination, sport: 1000, dport: 9, ...(options && { options }) });
    return director.send(packet, 'cli', 0, { mark: 7 });
  };
  const fates = (...all: Parameters<typeof send>): string[] => send(...all).map(({ reason }) => reason);

  it.each([
    ['10.0.0.2', '10.0.0.1', 'nat-in'],
    ['10.0.0.2', '198.51.100.7', 'nat-in'],
    ['10.0.0.2', '0.1.2.3', 'nat-in'],
    ['10.0.0.2', '255.255.255.255', 'nat-in'],
    ['10.0.0.2', '10.0.0.255', 'nat-in'],
    ['0.0.0.0', '255.255.255.255', 'nat-in'],
    ['0.0.0.0', '0.0.0.0', 'nat-in'],
    ['10.0.0.2', '224.0.0.5', 'local-delivery'],
    ['fd00::2', '2001:db8::9', 'nat-in'],
    ['fd00::2', 'ff05::2', 'local-delivery'],
  ])('from %s to %s: %s', (source, destination, expected) => {
    expect(fates(marked(), source, destination)).toEqual([expected]);
  });

  it('the mark counts before address and port', () => {
    const director = marked();
    const key = { protocol: 'udp', address: '10.0.0.1', port: 9 } as const;
    director.addService(key);
    director.addDest(key, { address: '10.1.0.12', method: 'nat' });
    const servers = [7, 8].map((mark) => {
      const packet = udp({ source: '10.0.0.2', destination: '10.0.0.1', sport: 1000 + mark, dport: 9 });
      return toHex(director.send(packet, 'cli', 0, { mark })[0]!.frame.subarray(16, 20));
    });
    expect(servers).toEqual(['0a01000b', '0a01000c']);
  });

  it('to a link-local address: as without the mark, unless that is ours', () => {
    const [cli, srv] = network.interfaces;
    const linked = { interfaces: [{ ...cli!, addresses: [...cli!.addresses!, 'fe80::1/64'] }, srv!] };
    const fatesOf = (destination: string, mark?: number): string[] => {
      const director = marked();
      director.setNetwork(linked);
      const packet = udp({ source: 'fd00::2', destination, sport: 1000, dport: 9 });
      return director.send(packet, 'cli', 0, mark === undefined ? {} : { mark }).map(({ reason }) => reason);
    };
    expect(fatesOf('fe80::9', 7)).toEqual(fatesOf('fe80::9'));
    expect(fatesOf('fe80::9', 7)).not.toContain('nat-in');
    expect(fatesOf('fe80::1', 7)).toEqual(['nat-in']);
  });

  it.each([
    ['10.0.0.1', '10.1.0.11', '10.0.0.2'],
    ['fd00::1', 'fd00:1::11', 'fd00::2'],
  ])(
    'a server’s reply by NAT is for the host itself with the mark of a service, whatever went before: of %s',
    (vip, server, client) => {
      const director = marked();
      const key = { protocol: 'udp', address: vip, port: 9 } as const;
      director.addService(key);
      director.addDest(key, { address: server, method: 'nat' });
      const request = udp({ source: client, destination: vip, sport: 1000, dport: 9 });
      expect(director.send(request, 'cli', 0)[0]!.reason).toBe('nat-in');
      const reply = udp({ source: server, destination: client, sport: 9, dport: 1000 });
      const reasons = [0, 7, 0, 0, 7, 8].map((mark) => director.send(reply, 'srv', 0, { mark })[0]!.reason);
      expect(reasons).toEqual(['nat-out', 'local-client', 'nat-out', 'nat-out', 'local-client', 'nat-out']);
    },
  );

  it.each([
    ['10.0.0.1', ['ipv4-option', 'parameter-problem']],
    ['198.51.100.7', ['ipv4-option']],
    ['10.1.0.12', ['ipv4-option']],
  ])('a faulty option to %s: %s', (destination, expected) => {
    expect(fates(marked(), '10.0.0.2', destination, hex('0707030000000000'))).toEqual(expected);
  });

  it('a client of IPv6 hears of its last hop, though no way leads to where it sent', () => {
    for (const [source, told] of [
      ['fd00::2', ['time-exceeded']],
      // Nobody knows on which link that would be.
      ['fe80::2', []],
    ] as const) {
      const packet = udp({ source, destination: '2001:db8::9', sport: 1000, dport: 9, ttl: 1 });
      const outcomes = marked().send(packet, 'cli', 0, { mark: 7 });
      expect(outcomes.map(({ reason }) => reason)).toEqual(['ttl-exceeded', ...told]);
    }
  });

  it.each([
    // What it was addressed to, if that is one host's; else the director's own on the way back.
    ['198.51.100.7', 'c6336407'],
    ['10.1.0.11', '0a01000b'],
    ['10.0.0.1', '0a000001'],
    ['10.0.0.255', '0a000001'],
    ['255.255.255.255', '0a000001'],
  ])('to %s: records %s', (destination, expected) => {
    for (const [option, filled] of [
      ['0707040000000000', '070708'],
      ['440c05010000000000000000', '440c0d01'],
    ]) {
      const [outcome] = send(marked(), '10.0.0.2', destination, hex(option!));
      expect(toHex(outcome!.frame.subarray(20, 20 + filled!.length / 2 + 4))).toBe(filled! + expected);
    }
  });

  it.each([
    ['10.0.0.2', '10.1.0.12', ['bypass']],
    ['10.0.0.2', '10.0.0.1', ['no-dest', 'port-unreachable']],
    ['10.0.0.2', '10.0.0.255', ['no-dest']],
    ['10.0.0.2', '255.255.255.255', ['no-dest']],
    ['10.0.0.2', '0.1.2.3', ['no-route']],
    ['fd00::2', 'fd00:1::12', ['bypass']],
    ['fd00::2', 'fd00::1', ['local-boundary']],
  ])('cache_bypass lets pass what one other host is asked: from %s to %s', (source, destination, expected) => {
    expect(fates(marked(0, { cache_bypass: 1 }), source, destination)).toEqual(expected);
  });
});
