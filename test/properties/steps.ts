/**
 * Random steps in the life of a director: packets of all kinds, changes of the rules and the network, time.
 *
 * A step is plain data; `frameOf` makes the frame of a packet step, which may depend on the connections there are.
 *
 * @module
 */
import fc from 'fast-check';
import type { DestConfig, NetworkConfig, ServiceConfig, SysctlConfig } from '../../src/types.js';
import {
  ACK,
  counting,
  ethernet,
  FIN,
  fixIpv4,
  hex,
  icmp,
  ip,
  ipv4,
  join,
  RST,
  SYN,
  tcp,
  udp,
} from '../support/packets.js';
import {
  CLIENTS,
  destOf,
  KEYS,
  MAC,
  type NetworkChoices,
  networkChoices,
  OWN,
  SERVERS,
  scheduling,
  sysctls,
} from './world.js';

/** What is common to all packets with ports. */
interface Shape {
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
  | { kind: 'sysctl'; sysctl: Required<SysctlConfig> }
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
const protocolOf = (n: number): (typeof KEYS)[number] => KEYS[n % KEYS.length] as (typeof KEYS)[number];

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

/** A frame and the interface that it comes in by. */
export interface Arrival {
  frame: Uint8Array;
  inInterface: string;
}

/** The frame of a packet step; `undefined` for a step that is none, or that needs a connection where there is none. */
export function frameOf(step: Step, network: NetworkConfig, flows: readonly Flow[]): Arrival | undefined {
  switch (step.kind) {
    case 'client': {
      const source = CLIENTS[step.client % CLIENTS.length] as string;
      // The last two are no services: a port that nobody serves, and the director's own address.
      const unserved = step.service >= KEYS.length;
      const key = protocolOf(step.service);
      const destination = step.service === KEYS.length + 1 ? OWN : key.address;
      const dport = unserved ? 81 : key.port;
      const packet = shaped(key.protocol, source, destination, step.port, dport, step.shape);
      const inner =
        step.tunnel < 0
          ? packet
          : ipv4({ source: '10.0.0.2', destination: OWN, protocol: 4, tos: step.tunnel }, packet);
      return arrive(network, 'cli', inner, step.shape.padding);
    }
    case 'again': {
      const flow = flows[step.pick % Math.max(1, flows.length)];
      if (flow === undefined) return undefined;
      const { protocol, clientAddress, clientPort, virtualAddress, virtualPort, destAddress, destPort } = flow;
      return step.reply
        ? arrive(
            network,
            destAddress.startsWith('10.1.') ? 'srv' : 'cli',
            shaped(protocol, destAddress, clientAddress, destPort, clientPort, step.shape),
            step.shape.padding,
          )
        : arrive(
            network,
            'cli',
            shaped(protocol, clientAddress, virtualAddress, clientPort, virtualPort, step.shape),
            step.shape.padding,
          );
    }
    case 'server': {
      const from = SERVERS[step.server % SERVERS.length] as string;
      const to = CLIENTS[step.client % CLIENTS.length] as string;
      const protocol = step.shape.where % 2 === 0 ? 'tcp' : 'udp';
      const sport = [80, 8080, 53, 4000][step.shape.where % 4] as number;
      return arrive(network, 'srv', shaped(protocol, from, to, sport, 1000, step.shape), step.shape.padding);
    }
    case 'icmp': {
      const flow = flows[step.pick % Math.max(1, flows.length)];
      const quoted =
        flow === undefined
          ? counting(step.shape.where % 40)
          : shaped(
              flow.protocol,
              flow.virtualAddress,
              flow.clientAddress,
              flow.virtualPort,
              flow.clientPort,
              step.shape,
            );
      const words = { source: CLIENTS[step.pick % 2] as string, destination: step.toUs ? OWN : '10.1.0.11' };
      const { ttl, tos } = step.shape;
      const body = quoted.slice(0, step.shape.where % 3 === 0 ? 10 : 60);
      return arrive(network, 'cli', icmp({ ...words, ttl, tos }, step.type, 0, body), 0);
    }
    case 'link':
      return linkFrame(step.what, step.at, network);
    default:
      return undefined;
  }
}

function shaped(
  protocol: 'tcp' | 'udp',
  source: string,
  destination: string,
  sport: number,
  dport: number,
  shape: Shape,
): Uint8Array {
  const { damage, where } = shape;
  const words = {
    source: damage === 'source' ? (ODD_SOURCES[where % ODD_SOURCES.length] as string) : source,
    destination: damage === 'target' ? (ODD_TARGETS[where % ODD_TARGETS.length] as string) : destination,
    sport,
    dport,
    flags: shape.flags,
    ttl: shape.ttl,
    df: shape.df,
    tos: shape.tos,
    id: shape.id,
    options: padded(hex(shape.options)),
    payload: counting(shape.length, shape.id),
    ...(damage === 'fragment' ? { mf: true } : {}),
    ...(damage === 'later' ? { offset: 1 + (where % 100) } : {}),
    ...(shape.sum === 'right' ? {} : { checksum: shape.sum }),
  };
  const packet = protocol === 'tcp' ? tcp(words) : udp(words);
  return damaged(packet, damage, where);
}

function padded(options: Uint8Array): Uint8Array {
  return join(options, new Uint8Array((4 - (options.length % 4)) % 4));
}

const ODD_SOURCES = [
  '127.0.0.1',
  '0.0.0.0',
  '0.1.2.3',
  '255.255.255.255',
  '224.0.0.5',
  '10.0.0.100',
  '10.1.0.1',
  '10.0.0.255',
];
const ODD_TARGETS = [
  '127.0.0.1',
  '0.0.0.0',
  '0.1.2.3',
  '255.255.255.255',
  '224.0.0.5',
  '10.0.0.255',
  '10.1.0.255',
  '10.1.0.77',
];

function damaged(packet: Uint8Array, damage: Shape['damage'], where: number): Uint8Array {
  switch (damage) {
    case 'ip-checksum':
      packet[10] = (packet[10] as number) ^ (1 + (where % 255));
      return packet;
    case 'ip-version':
      packet[0] = ((where % 16) << 4) | ((packet[0] as number) & 15);
      return fixIpv4(packet);
    case 'ihl':
      packet[0] = 0x40 | (where % 16);
      return packet.length < 60 ? packet : fixIpv4(packet);
    case 'total':
      new DataView(packet.buffer).setUint16(2, where % (packet.length + 40));
      return fixIpv4(packet);
    case 'short': {
      // Whole up to somewhere within the transport header, and consistent.
      const header = ((packet[0] as number) & 15) * 4;
      const cut = packet.slice(0, Math.min(packet.length, header + (where % 24)));
      new DataView(cut.buffer).setUint16(2, cut.length);
      return fixIpv4(cut);
    }
    default:
      return packet;
  }
}

/** The packet on the link of an interface; where that is not there, on the client's. */
function arrive(network: NetworkConfig, name: string, packet: Uint8Array, padding: number): Arrival {
  const { kind, vlan } = network.interfaces.find((each) => each.name === name) ?? {};
  const bytes = join(packet, new Uint8Array(padding).fill(0xee));
  if (kind === 'raw') return { frame: bytes, inInterface: name };
  const [to, from] = name === 'cli' ? [MAC.cli, MAC.client] : [MAC.srv, '02:00:00:00:01:11'];
  const tag = vlan === undefined ? undefined : 0xa000 | vlan.id;
  return { frame: ethernet(to, from, bytes, 0x0800, tag), inInterface: vlan?.parent ?? name };
}

type LinkKind = Extract<Step, { kind: 'link' }>['what'];

function linkFrame(what: LinkKind, at: number, network: NetworkConfig): Arrival {
  const packet = tcp({ source: '10.0.0.2', destination: KEYS[0].address, sport: 1000, dport: 80, flags: SYN });
  const frame = {
    arp: () => ethernet(MAC.cli, MAC.client, counting(28), 0x0806),
    'arp-group': () => ethernet('ffffffffffff', MAC.client, counting(28), 0x0806, at % 2 === 0 ? undefined : 0),
    ipv6: () =>
      isRaw(network) ? join(Uint8Array.of(0x60), counting(39)) : ethernet(MAC.cli, MAC.client, counting(40), 0x86dd),
    'not-ip': () => ethernet(MAC.cli, MAC.client, counting(40), [0x88a8, 0x0842, 0, 46, 0x0801][at % 5]),
    other: () => ethernet('02:00:00:00:00:77', MAC.client, packet),
    group: () => ethernet(at % 2 === 0 ? 'ffffffffffff' : '01005e000001', MAC.client, packet),
    vlan: () => ethernet(MAC.cli, MAC.client, packet, 0x0800, at),
    priority: () => ethernet(MAC.cli, MAC.client, packet, 0x0800, 0xe000),
    cut: () => ethernet(MAC.cli, MAC.client, packet, 0x0800, at % 2 === 0 ? undefined : 7).slice(0, at % 60),
  }[what]();
  return { frame, inInterface: 'cli' };
}

function isRaw(network: NetworkConfig): boolean {
  return network.interfaces.find(({ name }) => name === 'cli')?.kind === 'raw';
}

/** The address as a number; for comparisons. */
export const addressOf = ip;
