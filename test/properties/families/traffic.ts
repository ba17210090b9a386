/**
 * The frames of a step: a packet, perhaps damaged, in a tunnel, or in pieces, on the wire where it comes in.
 *
 * @module
 */
import type { NetworkConfig, ServiceKey } from '../../../src/types.js';
import { ACK, counting, ethernet, join, SYN, tcp } from '../../support/packets.js';
import type { Arrival } from '../twins.js';
import type { Choices } from './choices.js';
import { errorAbout } from './errors.js';
import { inPieces } from './fragments.js';
import { conversation } from './ftp.js';
import { type Family, familyOf, HOSTS, MAC } from './hosts.js';
import { damaged, type Ends, type Made, otherPacket, queryPacket, transportPacket } from './packets.js';
import { proxiedPacket } from './proxied.js';
import { clientBegins, clientSays, type Says, sentSyn, serverSays } from './segments.js';
import type { Step } from './steps.js';
import { wrapped } from './tunnels.js';
import { KEYS, MARK } from './world.js';

/** What can be known of a connection. */
export interface Known {
  protocol: string;
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
  method: string;
  localAddress?: string;
  localPort?: number;
  state?: string;
}

/** What packets are about. */
export interface Context {
  network: NetworkConfig;
  connections: readonly Known[];
  /** Packets that the director sent. */
  seen: readonly Uint8Array[];
  /** The families in which servers reach others by SNAT: what they send is marked for it. */
  inside: readonly Family[];
  /** The services behind SYN proxies, where there were any. */
  proxies?: readonly ServiceKey[];
}

export type Wire = 'cli' | 'srv';
export type Packet = Made & { wire: Wire; mark?: number };

/** What services of those ports take, too. */
const OTHER_PORTS: Record<number, readonly number[]> = { 0: [8080, 81, 0], 21: [21, 20, 40_000] };

const PORTS = [1000, 1000, 1001, 1002, 40_000, 20, 65_535];

/** The frames of a step of that kind, in order. */
export function framesOf(kind: Step['kind'], choices: Choices, context: Context): Arrival[] {
  if (kind === 'link') return [linkFrame(choices)];
  if (kind === 'ftp') return talk(choices, context);
  if (kind === 'idle') return lastWords(choices, context);
  const made = packetOf(kind, choices, context);
  if (made === undefined) return [];
  // Of handshakes more come through.
  const isCalm = context.proxies !== undefined && !choices.once(4);
  const isDamaged = !isCalm && choices.once(10) && kind !== 'error';
  const inner = isDamaged ? { ...made, packet: damaged(choices, made.packet) } : made;
  const whole = !isCalm && choices.once(7) ? { ...inner, ...wrapped(choices, inner), wire: made.wire } : inner;
  const isCut = !isCalm && choices.once(6);
  const pieces = isCut ? inPieces(choices, whole.packet) : [whole.packet];
  const mark = made.mark ?? (isMarked(kind, choices, whole, context) ? MARK : 0);
  const partialChecksum = whole.partial && !isCut && !isDamaged;
  const arrivals = pieces.map((packet) => ({
    ...arrive(context.network, whole.wire, packet),
    notes: { mark, partialChecksum },
  }));
  const isStorm = kind === 'talk' && choices.once(4);
  return isStorm ? [...arrivals, ...arrivals, ...arrivals] : arrivals;
}

/** Marks are for what clients ask of services, and what servers ask of others. */
function isMarked(kind: Step['kind'], choices: Choices, { packet, wire }: Packet, { inside }: Context): boolean {
  if (isInside(packet, wire, inside)) return !choices.once(8);
  return choices.once(6) && kind !== 'stray' && wire === 'cli';
}

function packetOf(kind: Step['kind'], choices: Choices, context: Context): Packet | undefined {
  const { connections, seen, inside } = context;
  if (context.proxies !== undefined) {
    const made = proxiedPacket(kind, choices, context);
    if (made !== undefined) return made;
  }
  switch (kind) {
    case 'open':
      if (inside.length > 0 && !choices.once(5)) return leaving(choices, choices.of(inside));
      return { ...transportPacket(choices, opening(choices), () => clientBegins(choices)), wire: 'cli' };
    case 'again': {
      const known = connections[choices.below(Math.max(1, connections.length))];
      // Of a mark's template nobody has the ends.
      return known === undefined || known.protocol === 'ip' ? undefined : about(choices, known, seen);
    }
    case 'stray':
      return stray(choices);
    case 'error': {
      const packet = seen[choices.below(Math.max(1, seen.length))];
      const made = packet === undefined ? undefined : errorAbout(choices, packet);
      return made === undefined ? undefined : { ...made, wire: wireOf(made.source) };
    }
    default:
      return undefined;
  }
}

/** What goes over a control connection of FTP, if there is one. */
function talk(choices: Choices, { network, connections, inside }: Context): Arrival[] {
  const controls = connections.filter(({ protocol, virtualPort }) => protocol === 'tcp' && virtualPort === 21);
  const known = controls[choices.below(Math.max(1, controls.length))];
  if (known === undefined) return [call(choices, network, 21)];
  if (familyOf(known.destAddress) !== familyOf(known.clientAddress)) return [];
  return conversation(choices, known).flatMap(({ packet, wire }) =>
    (choices.once(8) ? inPieces(choices, packet) : [packet]).map((piece) => leave(network, wire, piece, inside)),
  );
}

/** What establishes a connection by NAT, FullNAT or SNAT, if there is one, and more or less of what follows. */
function lastWords(choices: Choices, { network, connections, seen, inside }: Context): Arrival[] {
  const all = connections.filter(({ protocol, method }) => protocol === 'tcp' && /nat$/.test(method));
  const known = all[choices.below(Math.max(1, all.length))];
  if (known === undefined) return [call(choices, network, 80)];
  return [false, ...choices.of([[], [true], [true, false], [false, true, true]])].map((isReply) => {
    const { wire, ...ends } = endsOf(known, known.clientPort || 1000, isReply);
    const asSent = {
      ...ends,
      source: ends.destination,
      destination: ends.source,
      sport: ends.dport,
      dport: ends.sport,
    };
    const says = isReply ? serverSays(choices, sentSyn(seen, asSent)) : clientSays(choices);
    return leave(network, wire, tcp({ ...ends, flags: choices.of([ACK, ACK, ACK, SYN | ACK]), ...says }), inside);
  });
}

/** Somebody calls a server. */
function call(choices: Choices, network: NetworkConfig, dport: number): Arrival {
  const { clients, vips } = HOSTS[choices.of<Family>([4, 6])];
  const ends = { source: clients[0] as string, destination: vips[0], sport: 1000, dport };
  return arrive(network, 'cli', tcp({ ...ends, flags: SYN }));
}

/** A client calls a service. */
function opening(choices: Choices): Ends {
  const key = choices.of<ServiceKey>(KEYS);
  const family = 'fwmark' in key ? (key.family ?? 4) : familyOf(key.address);
  const { clients, own, vips, servers } = HOSTS[family];
  const source = choices.once(5) ? choices.of(clients) : choices.of(clients.slice(0, 2));
  const ends = { source, sport: choices.once(20) ? 0 : choices.of(PORTS) };
  if (!('fwmark' in key)) {
    const dport = choices.of(OTHER_PORTS[key.port] ?? [key.port]);
    return { ...ends, protocol: key.protocol, destination: key.address, dport };
  }
  // Of a mark, or of nobody.
  const protocol = choices.of(['tcp', 'udp', 'sctp'] as const);
  const destination = choices.of([own, vips[0], servers[0] as string, '198.51.100.9', vips[1]]);
  return { ...ends, protocol, destination: familyOf(destination) === family ? destination : own, dport: 8080 };
}

/** Who is inside calls somebody, mostly outside. */
function leaving(choices: Choices, family: Family): Packet {
  const { clients, own, vips, servers, odd } = HOSTS[family];
  const source = choices.once(8) ? choices.of([...servers, ...clients]) : choices.of(servers.slice(0, 3));
  const others = [...clients, ...servers, own, vips[0], ...odd, family === 4 ? '0.1.2.3' : 'fe80::2'];
  const ends = {
    protocol: choices.of(['tcp', 'udp', 'tcp', 'udp', 'sctp'] as const),
    source,
    sport: choices.once(20) ? 0 : choices.of(PORTS),
    // Mostly the same, whose ports are few.
    destination: choices.of(choices.once(4) ? others : [clients[0], clients[0], clients[1], clients[2]]) as string,
    dport: choices.of([80, 80, 80, 53]),
  };
  const wire = wireOf(source);
  if (choices.once(3)) {
    // Whoever answers is answered as well.
    const identifier = choices.of([0, 1, 1, 77]);
    return { ...queryPacket(choices, source, ends.destination, identifier, choices.once(10)), wire };
  }
  return { ...transportPacket(choices, ends, () => clientBegins(choices)), wire };
}

/** From the client or from the server of a connection, or what goes with it. */
function about(choices: Choices, known: Known, seen: readonly Uint8Array[]): Packet {
  const { protocol, clientAddress, virtualPort, destAddress, destPort } = known;
  // Of some that FTP agreed on it is not known yet.
  const isKnown = known.clientPort !== 0 || protocol.startsWith('icmp');
  const clientPort = isKnown ? known.clientPort : choices.of(PORTS);
  const { localAddress = clientAddress } = known;
  const hasReplies = destPort !== 0 || protocol.startsWith('icmp');
  const isReply = choices.once(2) && hasReplies && familyOf(destAddress) === familyOf(localAddress);
  const { wire, source, sport, destination, dport } = endsOf(known, clientPort, isReply);
  // ISAKMP: what it agrees upon comes as AH and ESP.
  if (virtualPort === 500 && choices.once(2)) return { ...otherPacket(choices, source, destination), wire };
  if (protocol === 'icmp' || protocol === 'icmpv6') {
    return { ...queryPacket(choices, source, destination, isReply ? dport : sport, isReply), wire };
  }
  const ends = { protocol: protocol as Ends['protocol'], source, destination, sport, dport };
  const asSent = { source: destination, destination: source, sport: dport, dport: sport };
  const says = (flags: number): Says => {
    if (isReply) return serverSays(choices, sentSyn(seen, asSent));
    return (flags & (SYN | ACK)) === SYN ? clientBegins(choices) : clientSays(choices);
  };
  return { ...transportPacket(choices, ends, says), wire };
}

/** Those of a connection's packets in a direction, and where they come in. */
export function endsOf(known: Known, clientPort: number, isReply: boolean): Omit<Ends, 'protocol'> & { wire: Wire } {
  const { clientAddress, virtualAddress, virtualPort, destAddress, destPort, method } = known;
  if (!isReply) {
    const client = { source: clientAddress, sport: clientPort };
    const wire = method === 'snat' ? wireOf(clientAddress) : 'cli';
    return { wire, ...client, destination: virtualAddress, dport: virtualPort };
  }
  const { localAddress = clientAddress, localPort = clientPort } = known;
  const isOutside = method === 'snat' || destAddress === HOSTS[familyOf(destAddress)].servers[5];
  const wire = isOutside ? wireOf(destAddress) : 'srv';
  return { wire, source: destAddress, sport: destPort, destination: localAddress, dport: localPort };
}

/** The wire that an address is on. */
function wireOf(address: string): Wire {
  return /^(10\.1\.|10\.2\.|fd00:1:|fd00:2:)/.test(address) ? 'srv' : 'cli';
}

/** To the director, through it, or from a server that nobody asked. */
function stray(choices: Choices): Packet {
  const { own, inside, vips, clients, servers, odd } = HOSTS[choices.of<Family>([4, 6])];
  const source = choices.of([...clients, ...servers, ...odd]);
  const destination = choices.of([own, inside, ...vips, ...clients, ...servers, ...odd]);
  const wire = wireOf(source);
  if (choices.once(8)) return { ...otherPacket(choices, source, destination), wire };
  const [sport, dport] = [choices.of([80, 8080, 53, 1000]), choices.of([81, 80, 1000, 6080, 53])];
  const protocol = choices.of(['tcp', 'udp', 'sctp'] as const);
  return { ...transportPacket(choices, { protocol, source, destination, sport, dport }), wire };
}

/** The packet on the link of an interface. */
export function arrive(network: NetworkConfig, name: Wire, packet: Uint8Array): Arrival {
  const { kind, vlan } = network.interfaces.find((each) => each.name === name) ?? {};
  if (kind === 'raw') return { frame: packet, inInterface: name };
  const [to, from] = name === 'cli' ? [MAC.cli, MAC.client] : [MAC.srv, MAC.server];
  const type = (packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  return {
    frame: ethernet(to, from, packet, type, vlan === undefined ? undefined : 0xa000 | vlan.id),
    inInterface: vlan?.parent ?? name,
  };
}

/** Whether a packet is from a server that reaches others by SNAT. */
function isInside(packet: Uint8Array, wire: Wire, inside: readonly Family[]): boolean {
  return wire === 'srv' && inside.includes((packet[0] ?? 0) >> 4 === 6 ? 6 : 4);
}

/** With the mark, if it is from a server and servers have one. */
function leave(network: NetworkConfig, wire: Wire, packet: Uint8Array, inside: readonly Family[]): Arrival {
  const mark = isInside(packet, wire, inside) ? MARK : 0;
  return { ...arrive(network, wire, packet), notes: { mark } };
}

/** Not for the director, not IP, or not what it says it is. */
function linkFrame(choices: Choices): Arrival {
  const [source, destination] = choices.of([
    ['fd00::2', 'fd00::100'],
    ['10.0.0.2', '10.0.0.100'],
  ]) as [string, string];
  const packet = tcp({ source, destination, sport: 1000, dport: 80, flags: SYN });
  const frames = [
    () => ethernet('333300000001', MAC.client, packet, 0x86dd),
    () => ethernet('02:00:00:00:00:77', MAC.client, packet, 0x86dd),
    () => ethernet(MAC.cli, MAC.client, packet, choices.of([0x0800, 0x86dd, 0x0806, 0x88a8])),
    () => ethernet(MAC.cli, MAC.client, packet, 0x86dd, choices.word()),
    () => ethernet(MAC.cli, MAC.client, packet, 0x86dd).slice(0, choices.below(60)),
    () => join(packet, counting(8)),
  ];
  return { frame: choices.of(frames)(), inInterface: 'cli' };
}
