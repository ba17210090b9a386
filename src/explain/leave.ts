/**
 * How a packet leaves: to a server by the method of its connection, or to where it is addressed.
 *
 * @module
 */
import type { ConnectionInfo, ServiceInfo } from '../director.js';
import { carryLine } from './carry.js';
import { type IpFacts, packetFacts, protocolWord } from './packet.js';
import { interfaceOf, isEthernet, routeText, wayTo } from './routes.js';
import type { Teller } from './teller.js';
import { destOf, isBypass, longer, methodText, mtuText, serviceFor, tunnelOf, tunnelOverhead } from './words.js';

/** To the server: out by the OUTPUT hook, as what the host itself sends. `text`: what the method does to the packet. */
export function toServer(teller: Teller, ip: IpFacts, connection: ConnectionInfo | undefined, text?: string): void {
  if (connection === undefined) return;
  teller.hook('OUTPUT');
  const { network, services, mark } = teller.input;
  const { method } = connection;
  const destAddress = isBypass(connection) ? ip.destination : connection.destAddress;
  const to = `route to ${destAddress}`;
  const way = wayTo(network, destAddress);
  if (teller.is('no-route', 'local-dest', 'tunnel-mtu', 'local-boundary', 'ipv6-extension')) return void teller.end(to);
  if (way === undefined) return;
  const tunnel = tunnelOf(destOf(services, connection));
  const overhead = method === 'tun' ? tunnelOverhead(tunnel, destAddress.includes(':') ? 6 : 4) : 0;
  const more = method === 'tun' ? 0 : longer(ip.version, destAddress);
  const mtu = way.mtu - overhead - more;
  teller.line(to, `${routeText(way.route)}, ${mtuText(way.mtu - overhead, more)}`);
  const all = whole(teller, ip, teller.own.frame, way.route.dev);
  const service = serviceFor(services, ip, mark);
  if (!hopsAndLength(teller, all, mtu, isPrefixed(ip, method, service) ? ' less its PROXY header' : '')) return;
  if (teller.is('icmp-untranslatable', 'tcp-option')) return void teller.end(`method ${method}`);
  carryLine(teller, all, connection, service);
  teller.line(`method ${method}`, text ?? methodText(connection, tunnel, ip.version));
  leave(teller, destAddress);
}

/** Whether a datagram has to leave room for the header of the PROXY protocol, which each has. */
function isPrefixed(ip: IpFacts, method: string, service: ServiceInfo | undefined): boolean {
  return method === 'fullnat' && protocolWord(ip) === 'UDP' && service?.carry === 'proxy-v2';
}

/** The checks before a packet leaves; false when it ended here. `less`: what the MTU has to hold besides. */
export function hopsAndLength(teller: Teller, ip: IpFacts, mtu: number, less = ''): boolean {
  const word = ip.version === 4 ? 'TTL' : 'hop limit';
  if (teller.is('ttl-exceeded')) return teller.end(`${word} ${ip.hops}`) ?? false;
  teller.line(`${word} ${ip.hops}`, hopsText(teller, ip));
  const length = `length ${ip.totalLength}${ip.version === 4 && ip.dontFragment ? ', DF' : ''}`;
  if (teller.is('too-big', 'needs-fragmenting', 'no-room')) return teller.end(`${length}, MTU ${mtu}${less}`) ?? false;
  const { pieces } = teller;
  teller.line(`${length}, MTU ${mtu}${less}`, pieces === 1 ? 'fits' : `leaves in ${pieces} pieces`);
  return true;
}

/** What became of the TTL: FullNAT may keep it, and what is replaced or dropped does not get on. */
function hopsText(teller: Teller, { hops }: IpFacts): string {
  const { connection, verdict } = teller.input.outcome;
  const isSent = verdict === 'forward' && !teller.isReplaced;
  if (isSent && connection?.method !== 'fullnat') return `becomes ${hops - 1}`;
  const after = teller.isReplaced ? hops : (teller.factsOf(teller.own)?.hops ?? hops);
  if (after !== hops) return `becomes ${after}`;
  return isSent ? 'stays' : 'more than 1';
}

/** Out by the POSTROUTING hook, to the next hop on the way to `address`. */
export function leave(teller: Teller, address: string): void {
  teller.hook('POSTROUTING');
  const { network } = teller.input;
  const way = wayTo(network, address);
  if (way === undefined) return;
  const hop = way.route.gateway === undefined ? `next hop ${address}` : `gateway ${way.nextHop}`;
  if (teller.is('no-neighbour', 'interface-down', 'no-headroom', 'no-room')) return void teller.end(hop);
  const out = interfaceOf(network, way.route.dev);
  if (out !== undefined && isEthernet(out)) teller.line(hop, `MAC ${way.mac ?? 'unknown'}`);
  const tag = out?.vlan === undefined ? '' : `, VLAN tag ${out.vlan.id} on ${out.vlan.parent}`;
  teller.line('out interface', `${way.route.dev}${out?.mac === undefined ? '' : `, from MAC ${out.mac}`}${tag}`);
}

/** Of a datagram that came in fragments its length: that of its pieces without their headers. */
export function whole(teller: Teller, ip: IpFacts, frame: Uint8Array, outInterface: string): IpFacts {
  if (ip.fragment === undefined) return ip;
  const { network, made } = teller.input;
  const out = interfaceOf(network, outInterface);
  const link = out === undefined || isEthernet(out) ? 'ether' : 'raw';
  const frames = [frame, ...made.filter(({ reason }) => String(reason) === 'fragment').map((one) => one.frame)];
  const pieces = frames.map((one) => packetFacts(one, link).ip);
  const [first] = pieces;
  if (first?.inner !== undefined) return { ...ip, totalLength: first.inner.totalLength };
  const headers = (one: IpFacts) =>
    one.headerLength + (one.version === 6 && one.extensions.includes('fragment') ? 8 : 0);
  const data = pieces.reduce((sum, one) => sum + (one === undefined ? 0 : one.totalLength - headers(one)), 0);
  return { ...ip, totalLength: data + ip.headerLength };
}
