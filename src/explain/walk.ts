/**
 * The way of one packet, hook by hook: what was looked up at each, and what was found.
 *
 * The core says where it ended (verdict and reason) and what it wrote; this retells the steps in the core's order
 * from the network, the services and the connections as they were before the packet.
 *
 * @module
 */
import type { InterfaceConfig, NetworkConfig } from '../types.js';
import { errorOut } from './errors.js';
import { assembled } from './fragments.js';
import { returned } from './fullnat.js';
import { local, stateLine } from './input.js';
import { hopsAndLength, leave, whole } from './leave.js';
import { type IpFacts, type PacketFacts, packetFacts, protocolWord } from './packet.js';
import { interfaceOf, isEthernet, ownerOf, receivingInterface, routeText, wayTo } from './routes.js';
import { outward } from './snat.js';
import { answered } from './synproxy.js';
import { Teller, type WalkInput, type WalkStep } from './teller.js';
import { flowOf, isReply, isSnat, server, virtual } from './words.js';

export type { WalkStep } from './teller.js';

/** Retells the way of a frame. */
export function walkOf(input: WalkInput): WalkStep[] {
  const teller = new Teller(input);
  const { network, interfaceName, outcome } = input;
  const offered = interfaceOf(network, interfaceName);
  const facts = packetFacts(input.frame, offered !== undefined && isEthernet(offered) ? 'ether' : 'raw');
  const received = link(teller, facts, offered);
  if (received !== undefined) packet(teller, facts.ip, received);
  // What the steps do not tell, the outcome does.
  if (outcome.verdict !== 'forward' && !teller.ended) teller.end('the packet');
  return teller.steps;
}

/** Link layer; gives the interface that the packet counts as received on, `undefined` when it ends here. */
function link(teller: Teller, facts: PacketFacts, offered: InterfaceConfig | undefined): InterfaceConfig | undefined {
  const { network, interfaceName } = teller.input;
  teller.hook('link');
  if (offered === undefined || offered.up === false) return teller.end(`interface ${interfaceName}`);
  if (!isEthernet(offered)) {
    if (teller.is('ipv6')) return teller.end('IP version');
    teller.line(`interface ${interfaceName}`, 'no link header: the IP packet itself');
    return offered;
  }
  if (facts.link === undefined) return teller.end('Ethernet header');
  const { destination, vlan, etherType } = facts.link;
  const received = receivingInterface(network, interfaceName, vlan);
  if (received === undefined) return teller.end(`VLAN ${vlan} on ${interfaceName}`);
  if (received !== offered) teller.line(`VLAN ${vlan} on ${interfaceName}`, `interface ${received.name}`);
  if (received.up === false) return teller.end(`interface ${received.name}`);
  if (teller.is('arp', 'link-group', 'other-host', 'link-truncated')) {
    return teller.end(`destination MAC ${destination}`);
  }
  teller.line(`destination MAC ${destination}`, `the MAC of ${received.name}`);
  if (teller.is('not-ip', 'ipv6')) return teller.end(`EtherType ${etherType}`);
  teller.line(`EtherType ${etherType}`, etherType === '0x86dd' ? 'IPv6' : 'IPv4');
  return received;
}

const UNSOUND4 = ['ipv4-truncated', 'ipv4-version', 'ipv4-header-length', 'ipv4-checksum', 'ipv4-total-length'];
const UNSOUND6 = ['ipv6-truncated', 'ipv6-version', 'ipv6-payload-length', 'ipv6-extension'];

/** From the IP header on. */
function packet(teller: Teller, offered: IpFacts | undefined, received: InterfaceConfig): void {
  teller.hook('PREROUTING');
  if (offered === undefined || teller.is(...UNSOUND4, ...UNSOUND6)) {
    return void teller.end(teller.is(...UNSOUND6) || offered?.version === 6 ? 'IPv6 header' : 'IPv4 header');
  }
  teller.line(`IPv${offered.version} header`, headerText(offered));
  if (offered.extensions.length > 0) teller.line('extension headers', offered.extensions.join(', '));
  const ip = offered.version === 6 ? assembled(teller, offered) : offered;
  if (ip === undefined) return;

  teller.hook('routing');
  if (teller.is('martian-source')) return void teller.end(`source ${ip.source}`);
  const owner = ownerOf(teller.input.network, ip.destination);
  const destination = `destination ${ip.destination}`;
  if (teller.is('martian-destination')) return void teller.end(destination);
  if (owner !== undefined) teller.line(destination, `an address of ${owner.name}: for this host`);
  else if (!routed(teller, destination, ip)) return;
  if (teller.is('ipv4-option', 'source-route')) return void teller.end('IP options');
  if (ip.version === 4 && ip.headerLength > 20) {
    teller.line('IP options', 'handled as the host does: record route and timestamp filled');
  }
  const tunnel = owner === undefined ? undefined : tunnelDevice(teller.input.network, ip, received);
  if (tunnel !== undefined) decapsulated(teller, ip, tunnel);
  else if (owner !== undefined || isMarked(teller)) local(teller, ip);
  else forward(teller, ip);
}

function headerText({ version, headerLength, totalLength }: IpFacts): string {
  if (version === 6) return `${headerLength} bytes, payload length ${totalLength - headerLength}`;
  return `${headerLength} bytes, total length ${totalLength}, checksum right`;
}

/** The routing decision for what is not addressed to this host; false when the packet ends with it. */
function routed(teller: Teller, destination: string, ip: IpFacts): boolean {
  const way = wayTo(teller.input.network, ip.destination);
  if (isMarked(teller)) teller.line(destination, `for this host by its mark ${teller.input.mark}`);
  else if (way === undefined && teller.is('no-route', 'local-delivery')) return teller.end(destination) ?? false;
  else teller.line(destination, way === undefined ? 'no route' : `to be forwarded, route ${routeText(way.route)}`);
  return true;
}

/** Whether the packet has the mark of a service, but by SNAT: such are delivered locally, wherever they are addressed to. */
function isMarked({ input: { mark, services } }: Teller): boolean {
  return mark !== 0 && services.some((one) => 'fwmark' in one && one.fwmark === mark && !isSnat(one));
}

/** The interface that takes a packet out of its tunnel; what came out of one is not opened again. */
function tunnelDevice(network: NetworkConfig, ip: IpFacts, received: InterfaceConfig): InterfaceConfig | undefined {
  const { version, isGue, inner } = ip;
  if (['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'].includes(received.kind ?? '')) return undefined;
  const isFou = network.fou?.some(({ port, family = 4 }) => port === ip.destinationPort && family === version);
  const within = isGue && isFou ? inner?.version : { 4: 4, 41: 6 }[ip.protocol];
  const kind =
    ip.protocol === 47
      ? version === 4
        ? 'gre'
        : 'ip6gre'
      : within === undefined
        ? undefined
        : version === 6
          ? 'ip6tnl'
          : within === 4
            ? 'ipip'
            : 'sit';
  return network.interfaces.find((one) => kind !== undefined && one.kind === kind && one.up !== false);
}

function decapsulated(teller: Teller, ip: IpFacts, tunnel: InterfaceConfig): void {
  teller.hook('INPUT');
  const word = protocolWord(ip);
  if (teller.is('tunnel-malformed', 'tunnel-ecn', 'tunnel-checksum') || ip.inner === undefined) {
    return void teller.end(word);
  }
  teller.line(word, `outer header taken off, the packet inside is received on ${tunnel.name}`);
  packet(teller, ip.inner, tunnel);
}

/** Not for this host: IPVS's work in the reply direction, or plain routing. */
function forward(teller: Teller, offered: IpFacts): void {
  teller.hook('FORWARD');
  const { connections, outcome, network, sysctl } = teller.input;
  const isOff = offered.version === 4 ? sysctl.ip_forward === 0 : sysctl.ipv6_forwarding === 0;
  if (isOff) {
    return void teller.end(offered.version === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding');
  }
  const fragment = offered.version === 4 ? assembled(teller, offered) : offered;
  if (fragment === undefined) return;
  const way = wayTo(network, fragment.destination);
  if (way === undefined) return void teller.end(`route to ${fragment.destination}`);
  const ip = whole(teller, fragment, outcome.frame, way.route.dev);
  if (!hopsAndLength(teller, ip, way.mtu)) return;
  if (returned(teller, ip)) return;
  if (teller.is('icmp-error')) return void teller.end(protocolWord(ip));
  if (ip.icmp?.isError) {
    const error = errorOut(teller, ip);
    if (teller.is('icmp-checksum', 'transport-truncated')) return void teller.end(ip.icmp.text);
    if (error !== undefined) teller.line(`method ${error.method}`, error.text);
  } else if (ip.message !== undefined) {
    if (outward(teller, ip)) return;
  } else if (ip.sourcePort !== undefined) {
    const reply = connections.find((one) => isReply(one, ip));
    if (reply === undefined && outward(teller, ip)) return;
    const looked = `connection ${flowOf(ip).replace(' ', ' reply ')}`;
    teller.line(looked, reply === undefined ? 'none' : `${reply.state}, service ${virtual(reply)} (${reply.method})`);
    if (teller.is('transport-truncated', 'no-connection', 'dest-unavailable')) {
      return void teller.end(`${protocolWord(ip)} header`);
    }
    if (reply !== undefined && answered(teller, ip, reply)) return;
    const connection = outcome.connection ?? reply;
    if (reply !== undefined) stateLine(teller, ip, reply);
    if (teller.is('nat-out') && connection !== undefined) {
      teller.line('method nat', `source ${server(connection)} becomes ${virtual(connection)}, checksums updated`);
    }
  }
  leave(teller, ip.destination);
}
