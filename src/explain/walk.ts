/**
 * The way of one packet, hook by hook: what was looked up at each, and what was found.
 *
 * The core says where it ended (verdict and reason) and what it wrote; this retells the steps in the core's order
 * from the network, the services and the connections as they were before the packet.
 *
 * @module
 */
import type { ConnectionInfo, Outcome, ServiceInfo } from '../director.js';
import { type ReasonName, reasonText } from '../reasons.js';
import type { InterfaceConfig, NetworkConfig, SysctlConfig } from '../types.js';
import { choiceText } from './choice.js';
import { type IpFacts, innerPacket, type PacketFacts, packetFacts, protocolWord } from './packet.js';
import { interfaceOf, isEthernet, ownerOf, receivingInterface, routeText, wayTo } from './routes.js';

/** Where on its way a packet is: the link layer, the routing decision, and the five netfilter hooks. */
export type Hook = 'link' | 'PREROUTING' | 'routing' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** One thing that was looked up, and what was found. */
export interface WalkLine {
  readonly looked: string;
  readonly found: string;
}

/** A stage of the way with everything that happened at it. */
export interface WalkStep {
  readonly hook: Hook;
  readonly lines: WalkLine[];
}

/** What the walk is told from. */
export interface WalkInput {
  readonly network: NetworkConfig;
  readonly sysctl: Required<SysctlConfig>;
  /** The frame as it was offered. */
  readonly frame: Uint8Array;
  readonly interfaceName: string;
  readonly outcome: Outcome;
  /** Services and connections before the packet. */
  readonly services: readonly ServiceInfo[];
  readonly connections: readonly ConnectionInfo[];
}

const ICMP = 1;
const IPIP = 4;
const TCP = 6;
const UDP = 17;

/** Retells the way of a frame. */
export function walkOf(input: WalkInput): WalkStep[] {
  return new Walk(input).steps;
}

class Walk {
  readonly steps: WalkStep[] = [];
  readonly #input: WalkInput;
  readonly #reason: ReasonName;

  constructor(input: WalkInput) {
    this.#input = input;
    this.#reason = input.outcome.reason;
    const offered = interfaceOf(input.network, input.interfaceName);
    const facts = packetFacts(input.frame, offered !== undefined && isEthernet(offered) ? 'ether' : 'raw');
    const received = this.#link(facts, offered);
    if (received === undefined) return;
    const start = facts.link === undefined ? 0 : facts.link.vlan === undefined ? 14 : 18;
    this.#packet(facts.ip, received, input.frame.subarray(start));
  }

  /** Link layer; gives the interface that the packet counts as received on, `undefined` when it ends here. */
  #link({ link }: PacketFacts, offered: InterfaceConfig | undefined): InterfaceConfig | undefined {
    const { network, interfaceName } = this.#input;
    this.#hook('link');
    if (offered === undefined) return this.#end(`interface ${interfaceName}`);
    if (offered.up === false) return this.#end(`interface ${interfaceName}`);
    if (!isEthernet(offered)) {
      if (this.#is('ipv6')) return this.#end('IP version');
      this.#line(`interface ${interfaceName}`, 'no link header: the IP packet itself');
      return offered;
    }
    if (link === undefined) return this.#end('Ethernet header');
    const received = receivingInterface(network, interfaceName, link.vlan);
    if (received === undefined) return this.#end(`VLAN ${link.vlan} on ${interfaceName}`);
    if (received !== offered) this.#line(`VLAN ${link.vlan} on ${interfaceName}`, `interface ${received.name}`);
    if (received.up === false) return this.#end(`interface ${received.name}`);
    if (this.#is('arp', 'link-group', 'other-host', 'link-truncated')) {
      return this.#end(`destination MAC ${link.destination}`);
    }
    this.#line(`destination MAC ${link.destination}`, `the MAC of ${received.name}`);
    const etherType = `EtherType ${link.etherType}`;
    if (this.#is('not-ip', 'ipv6')) return this.#end(etherType);
    this.#line(etherType, 'IPv4');
    return received;
  }

  /** From the IPv4 header on. */
  #packet(ip: IpFacts | undefined, received: InterfaceConfig, packet: Uint8Array): void {
    const { network } = this.#input;
    this.#hook('PREROUTING');
    const header = 'IPv4 header';
    const unsound: ReasonName[] = ['ipv4-truncated', 'ipv4-version', 'ipv4-header-length', 'ipv4-checksum'];
    if (ip === undefined || this.#is(...unsound, 'ipv4-total-length')) return void this.#end(header);
    this.#line(header, `${ip.headerLength} bytes, total length ${ip.totalLength}, checksum right`);

    this.#hook('routing');
    if (this.#is('martian-source')) return void this.#end(`source ${ip.source}`);
    const owner = ownerOf(network, ip.destination);
    const destination = `destination ${ip.destination}`;
    if (this.#is('martian-destination')) return void this.#end(destination);
    if (owner !== undefined) this.#line(destination, `an address of ${owner.name}: for this host`);
    else {
      const way = wayTo(network, ip.destination);
      if (way === undefined && this.#is('no-route', 'local-delivery')) return void this.#end(destination);
      this.#line(destination, way === undefined ? 'no route' : `to be forwarded, route ${routeText(way.route)}`);
    }
    if (this.#is('ipv4-option', 'source-route')) return void this.#end('IP options');
    if (ip.headerLength > 20) this.#line('IP options', 'handled as the host does: record route and timestamp filled');

    if (owner === undefined) this.#forward(ip);
    else if (ip.protocol === IPIP && this.#tunnelEnds(received)) this.#decapsulate(packet);
    else this.#local(ip);
  }

  /** Whether the director takes IPIP packets out of their tunnel; what came out of one is not opened again. */
  #tunnelEnds(received: InterfaceConfig): boolean {
    if (received.kind === 'ipip') return false;
    return this.#input.network.interfaces.some((one) => one.kind === 'ipip' && one.up !== false);
  }

  #decapsulate(packet: Uint8Array): void {
    this.#hook('INPUT');
    if (this.#is('tunnel-malformed', 'tunnel-ecn')) return void this.#end('IPIP');
    const tunnel = this.#input.network.interfaces.find((one) => one.kind === 'ipip' && one.up !== false);
    if (tunnel === undefined) return;
    this.#line('IPIP', `outer header taken off, the packet inside is received on ${tunnel.name}`);
    const inner = innerPacket(packet);
    this.#packet(packetFacts(inner, 'raw').ip, tunnel, inner);
  }

  /** Addressed to this host: IPVS's work in the request direction. */
  #local(ip: IpFacts): void {
    this.#hook('INPUT');
    const { services, connections, outcome } = this.#input;
    const protocol = protocolWord(ip.protocol);
    if (this.#is('fragment', 'icmp-error')) return void this.#end(ip.protocol === ICMP ? 'ICMP' : 'fragment');
    if (ip.protocol !== TCP && ip.protocol !== UDP) return void this.#end(protocol);
    const from = `${ip.source}:${ip.sourcePort ?? '?'}`;
    const to = `${ip.destination}:${ip.destinationPort ?? '?'}`;
    const known = connections.find((one) => isRequest(one, protocol, ip));
    const looked = `connection ${protocol} ${from} > ${to}`;
    this.#line(looked, known === undefined ? 'none' : `${known.state}, server ${server(known)} (${known.method})`);
    if (this.#is('transport-truncated', 'dest-unavailable')) return void this.#end(`${protocol} header`);

    if (known === undefined) {
      const service = services.find((one) => isService(one, protocol, ip));
      if (service === undefined) return void this.#end(`service ${protocol} ${to}`);
      const { length } = service.dests;
      const count = length === 1 ? '1 server' : `${length} servers`;
      this.#line(`service ${protocol} ${to}`, `scheduler ${service.scheduler}, ${count}`);
      if (ip.tcpFlags !== undefined) {
        const flags = `TCP flags ${ip.tcpFlags}`;
        if (this.#is('not-opening', 'decapsulated', 'local-delivery')) return void this.#end(flags);
        this.#line(flags, 'may open a connection');
      }
      if (this.#is('ftp-data')) return void this.#end(`source port ${ip.sourcePort}`);
      const scheduler = `scheduler ${service.scheduler}`;
      if (this.#is('no-dest')) return void this.#end(scheduler);
      const why = choiceText(service, ip.source, ip.sourcePort ?? 0);
      const made = outcome.connection;
      if (made === undefined) return void this.#end(scheduler);
      this.#line(scheduler, `${server(made)}: ${why}`);
      this.#line('new connection', `${made.state}, ${made.method}, expires in ${Math.round(made.expires)} s`);
    }
    this.#transmit(ip, outcome.connection ?? known);
  }

  /** To the server: out by the OUTPUT hook, as what the host itself sends. */
  #transmit(ip: IpFacts, connection: ConnectionInfo | undefined): void {
    if (connection === undefined) return;
    this.#hook('OUTPUT');
    const { destAddress } = connection;
    const to = `route to ${destAddress}`;
    const way = wayTo(this.#input.network, destAddress);
    if (this.#is('no-route', 'local-dest', 'tunnel-mtu', 'local-boundary')) return void this.#end(to);
    if (way === undefined) return;
    const mtu = connection.method === 'tun' ? way.mtu - 20 : way.mtu;
    this.#line(to, `${routeText(way.route)}, MTU ${mtu}`);
    if (!this.#ttlAndLength(ip, mtu)) return;
    this.#line(`method ${connection.method}`, METHODS[connection.method](connection));
    this.#leave(destAddress);
  }

  /** Not for this host: IPVS's work in the reply direction, or plain routing. */
  #forward(ip: IpFacts): void {
    this.#hook('FORWARD');
    const { connections, outcome, network, sysctl } = this.#input;
    if (sysctl.ip_forward === 0) return void this.#end('net.ipv4.ip_forward');
    if (this.#is('fragment', 'icmp-error')) return void this.#end(protocolWord(ip.protocol));
    const way = wayTo(network, ip.destination);
    if (way === undefined) return void this.#end(`route to ${ip.destination}`);
    if (!this.#ttlAndLength(ip, way.mtu)) return;
    const protocol = protocolWord(ip.protocol);
    if (ip.sourcePort !== undefined) {
      const reply = connections.find((one) => isReply(one, protocol, ip));
      const looked = `connection ${protocol} reply ${ip.source}:${ip.sourcePort} > ${ip.destination}:${ip.destinationPort}`;
      this.#line(looked, reply === undefined ? 'none' : `${reply.state}, service ${virtual(reply)} (${reply.method})`);
      if (this.#is('transport-truncated', 'no-connection', 'dest-unavailable'))
        return void this.#end(`${protocol} header`);
      const connection = outcome.connection ?? reply;
      if (this.#is('nat-out') && connection !== undefined) {
        this.#line('method nat', `source ${server(connection)} becomes ${virtual(connection)}, checksums updated`);
      }
    }
    this.#leave(ip.destination);
  }

  /** The checks before a packet leaves; false when it ended here. */
  #ttlAndLength(ip: IpFacts, mtu: number): boolean {
    if (this.#is('ttl-exceeded')) return this.#end(`TTL ${ip.ttl}`) ?? false;
    this.#line(`TTL ${ip.ttl}`, `becomes ${ip.ttl - 1}`);
    const length = `length ${ip.totalLength}${ip.dontFragment ? ', DF' : ''}`;
    if (this.#is('too-big', 'needs-fragmenting')) return this.#end(`${length}, MTU ${mtu}`) ?? false;
    this.#line(`${length}, MTU ${mtu}`, 'fits');
    return true;
  }

  #leave(address: string): void {
    this.#hook('POSTROUTING');
    const way = wayTo(this.#input.network, address);
    if (way === undefined) return;
    const hop = way.route.gateway === undefined ? `next hop ${address}` : `gateway ${way.nextHop}`;
    if (this.#is('no-neighbour', 'interface-down', 'no-headroom')) return void this.#end(hop);
    const out = interfaceOf(this.#input.network, way.route.dev);
    if (out !== undefined && isEthernet(out)) this.#line(hop, `MAC ${way.mac ?? 'unknown'}`);
    const tag = out?.vlan === undefined ? '' : `, VLAN tag ${out.vlan.id} on ${out.vlan.parent}`;
    this.#line('out interface', `${way.route.dev}${out?.mac === undefined ? '' : `, from MAC ${out.mac}`}${tag}`);
  }

  #hook(hook: Hook): void {
    this.steps.push({ hook, lines: [] });
  }

  #line(looked: string, found: string): void {
    this.steps.at(-1)?.lines.push({ looked, found });
  }

  #is(...reasons: ReasonName[]): boolean {
    return reasons.includes(this.#reason);
  }

  /** The way ends: what was looked at gets the reason as its answer. */
  #end(looked: string): undefined {
    this.#line(looked, reasonText(this.#reason));
  }
}

const METHODS: Record<ConnectionInfo['method'], (connection: ConnectionInfo) => string> = {
  nat: (c) => `destination ${virtual(c)} becomes ${server(c)}, checksums updated`,
  dr: (c) => `addresses and ports stay, only the MAC becomes that of ${c.destAddress}`,
  tun: (c) => `an IPIP header to ${c.destAddress} is put in front`,
};

function isService(one: ServiceInfo, protocol: string, ip: IpFacts): boolean {
  return one.protocol.toUpperCase() === protocol && one.address === ip.destination && one.port === ip.destinationPort;
}

function isRequest(one: ConnectionInfo, protocol: string, ip: IpFacts): boolean {
  return (
    one.protocol.toUpperCase() === protocol &&
    one.clientAddress === ip.source &&
    one.clientPort === ip.sourcePort &&
    one.virtualAddress === ip.destination &&
    one.virtualPort === ip.destinationPort
  );
}

function isReply(one: ConnectionInfo, protocol: string, ip: IpFacts): boolean {
  return (
    one.method === 'nat' &&
    one.protocol.toUpperCase() === protocol &&
    one.destAddress === ip.source &&
    one.destPort === ip.sourcePort &&
    one.clientAddress === ip.destination &&
    one.clientPort === ip.destinationPort
  );
}

function server(connection: ConnectionInfo): string {
  return `${connection.destAddress}:${connection.destPort}`;
}

function virtual(connection: ConnectionInfo): string {
  return `${connection.virtualAddress}:${connection.virtualPort}`;
}
