/**
 * The frame of a packet step: put together from its shape, for the network and the connections that there are.
 *
 * @module
 */
import type { NetworkConfig } from '../../src/types.js';
import { counting, ethernet, fixIpv4, hex, icmp, ipv4, join, SYN, tcp, udp } from '../support/packets.js';
import { type Flow, protocolOf, type Shape, type Step } from './steps.js';
import type { Arrival } from './twins.js';
import { CLIENTS, KEYS, MAC, OWN, SERVERS } from './world.js';

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
