/**
 * Random steps in the life of a director: packets of all kinds, changes of the rules and the network, time.
 *
 * A step is plain data; `frames.ts` makes the frame of a packet step, which may depend on the connections there are.
 *
 * @module
 */
import fc from 'fast-check';
import type { DestConfig, ServiceConfig, SysctlConfig } from '../../src/types.js';
import { ACK, FIN, RST, SYN } from '../support/packets.js';
import { destOf, KEYS, type NetworkChoices, networkChoices, scheduling, sysctls } from './world.js';

/** What is common to all packets with ports. */
export interface Shape {
  flags: number;
  length: number;
  ttl: number;
  df: boolean;
  tos: number;
  id: number;
  options: string;
  /** 'right', or the value in the transport checksum. */
  sum: 'right' | number;
  damage:
    | 'none'
    | 'fragment'
    | 'later'
    | 'ip-checksum'
    | 'ip-version'
    | 'ihl'
    | 'total'
    | 'short'
    | 'source'
    | 'target';
  /** What `damage` needs to choose. */
  where: number;
  /** Link padding in bytes. */
  padding: number;
}

/** What can be known of a connection. */
export interface Flow {
  protocol: 'tcp' | 'udp';
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
}

/** The flows among the connections that packets are made of here. */
export function flowsOf(connections: readonly { protocol: string }[]): Flow[] {
  return connections.filter((each): each is Flow => each.protocol === 'tcp' || each.protocol === 'udp');
}

export type Step =
  | { kind: 'client'; client: number; port: number; service: number; tunnel: number; shape: Shape }
  | { kind: 'again'; pick: number; reply: boolean; shape: Shape }
  | { kind: 'server'; server: number; client: number; shape: Shape }
  | { kind: 'icmp'; type: number; pick: number; toUs: boolean; shape: Shape }
  | {
      kind: 'link';
      what: 'arp' | 'arp-group' | 'ipv6' | 'not-ip' | 'other' | 'group' | 'vlan' | 'priority' | 'cut';
      at: number;
    }
  | { kind: 'time'; ms: number }
  | { kind: 'sysctl'; sysctl: SysctlConfig }
  | { kind: 'network'; network: NetworkChoices }
  | { kind: 'timeouts'; tcp: number; tcpfin: number; udp: number }
  | { kind: 'service'; what: 'add' | 'edit' | 'delete'; service: ServiceConfig }
  /** `there` picks one of the service's dests to be edited or deleted; -1 is the one that `dest` names. */
  | { kind: 'dest'; what: 'add' | 'edit' | 'delete'; key: number; there: number; dest: DestConfig };

const OPTIONS = [
  '01010101',
  '94040000', // router alert
  '9402 0000',
  '0707 04 00000000 00', // record route, room for one
  '070b 04 00000000 00000000 00',
  '070b 0c 00000000 00000000 00', // full
  '0707 03 00000000 00', // pointer into the option's own head
  '0707 06 00000000 00', // no room for four bytes
  '070b04 00000000 00000000 0744 04 00 00', // twice
  '440c 05 00 00000000 00000000', // timestamps
  '440c 05 01 00000000 00000000', // with addresses
  '440c 05 03 0a000001 00000000', // asked of us
  '440c 05 03 0a000002 00000000', // asked of another
  '440c 05 05 00000000 00000000', // a flag that nobody knows
  '440c 0b 01 00000000 00000000', // half a slot
  '4404 05 00', // full
  '4404 05 f0', // overflowed
  '4404 05 f3',
  '4404 04 00',
  '8307 04 0a000002 00', // loose source route
  '8907 04 0a000002 00', // strict source route
  '8303 03 01', // malformed source route
  '00ffffff', // something after the end
  '0044 0404',
  '820b 0000 0000 0000 0000 00 00', // security
  '0701 0000',
  '0728 0000',
  '07 000000',
  '01010107',
];

const shape: fc.Arbitrary<Shape> = fc.record({
  flags: fc.constantFrom(
    SYN,
    SYN,
    SYN,
    ACK,
    ACK,
    ACK,
    FIN | ACK,
    RST,
    RST | ACK,
    SYN | ACK,
    SYN | FIN,
    SYN | RST,
    0,
    0x3f,
    0x18,
  ),
  length: fc.constantFrom(0, 0, 1, 7, 18, 64, 65, 200, 500, 556, 1200, 1440, 1460, 1480, 2000),
  ttl: fc.constantFrom(64, 64, 64, 64, 64, 64, 255, 128, 3, 2, 1, 0),
  df: fc.boolean(),
  tos: fc.constantFrom(0, 0, 0, 1, 2, 3, 0xb8, 0xb9, 0xbb, 0xff),
  id: fc.nat(0xffff),
  options: fc.oneof({ weight: 6, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(...OPTIONS) }),
  sum: fc.oneof(
    { weight: 6, arbitrary: fc.constant('right' as const) },
    { weight: 2, arbitrary: fc.constantFrom(0, 0xffff) },
    { weight: 1, arbitrary: fc.nat(0xffff) },
  ),
  damage: fc.constantFrom(
    ...(Array(24).fill('none') as 'none'[]),
    'fragment',
    'later',
    'ip-checksum',
    'ip-version',
    'ihl',
    'total',
    'short',
    'short',
    'source',
    'target',
  ),
  where: fc.nat(0xffff),
  padding: fc.constantFrom(0, 0, 0, 6, 1),
});

const index = fc.nat(255);
export const protocolOf = (n: number): (typeof KEYS)[number] => KEYS[n % KEYS.length] as (typeof KEYS)[number];

/** Packets, mostly of services and connections, and now and then a change. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant('client' as const),
        client: fc.oneof({ weight: 4, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: index }),
        port: fc.constantFrom(1000, 1000, 1001, 1002, 40_000, 20, 0, 65_535),
        service: fc.constantFrom(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5),
        tunnel: fc.constantFrom(-1, -1, -1, -1, -1, 0, 1, 2, 3),
        shape,
      }),
    },
    {
      weight: 30,
      arbitrary: fc.record({ kind: fc.constant('again' as const), pick: index, reply: fc.boolean(), shape }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('server' as const), server: index, client: index, shape }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('icmp' as const),
        type: fc.constantFrom(0, 3, 4, 5, 8, 11, 12, 13, 30),
        pick: index,
        toUs: fc.boolean(),
        shape,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('link' as const),
        what: fc.constantFrom('arp', 'arp-group', 'ipv6', 'not-ip', 'other', 'group', 'vlan', 'priority', 'cut'),
        at: index,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('time' as const),
        ms: fc.constantFrom(
          1,
          10,
          1000,
          1000,
          1000,
          1000,
          2500,
          2500,
          9000,
          11_000,
          59_000,
          61_000,
          121_000,
          301_000,
          901_000,
          4e9,
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sysctl' as const), sysctl: sysctls }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('network' as const), network: networkChoices }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('timeouts' as const),
        tcp: fc.constantFrom(0, 1, 1000, 2_678_400),
        tcpfin: fc.constantFrom(0, 30),
        udp: fc.constantFrom(0, 5, 3000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('service' as const),
        what: fc.constantFrom('add', 'add', 'edit', 'edit', 'delete'),
        service: fc
          .tuple(fc.constantFrom(...KEYS), scheduling)
          .map(([key, chosen]): ServiceConfig => ({ ...key, ...chosen })),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.nat(KEYS.length - 1).chain((key) =>
        fc.record({
          kind: fc.constant('dest' as const),
          what: fc.constantFrom('add', 'add', 'edit', 'delete', 'delete'),
          key: fc.constant(key),
          there: fc.integer({ min: -1, max: 3 }),
          dest: destOf(protocolOf(key).port),
        }),
      ),
    },
  ),
  { minLength: 1, maxLength: 32, size: 'max' },
);
