/**
 * How a packet leaves: to a server by the method of its connection, or to where it is addressed.
 *
 * @module
 */
import type { ConnectionInfo } from '../director.js';
import { type IpFacts, packetFacts } from './packet.js';
import { interfaceOf, isEthernet, routeText, wayTo } from './routes.js';
import type { Teller } from './teller.js';
import { destOf, isBypass, longer, methodText, tunnelOf, tunnelOverhead } from './words.js';

/** To the server: out by the OUTPUT hook, as what the host itself sends. `text`: what the method does to the packet. */
export function toServer(teller: Teller, ip: IpFacts, connection: ConnectionInfo | undefined, text?: string): void {
  if (connection === undefined) return;
  teller.hook('OUTPUT');
  const { network, services, outcome } = teller.input;
  const { method } = connection;
  const destAddress = isBypass(connection) ? ip.destination : connection.destAddress;
  const to = `route to ${destAddress}`;
  const way = wayTo(network, destAddress);
  if (teller.is('no-route', 'local-dest', 'tunnel-mtu', 'local-boundary', 'ipv6-extension')) return void teller.end(to);
  if (way === undefined) return;
  const tunnel = tunnelOf(destOf(services, connection));
  const overhead =
    method === 'tun' ? tunnelOverhead(tunnel, destAddress.includes(':') ? 6 : 4) : longer(ip.version, destAddress);
  const mtu = way.mtu - overhead;
  teller.line(to, `${routeText(way.route)}, MTU ${mtu}`);
  if (!hopsAndLength(teller, whole(teller, ip, outcome.frame, way.route.dev), mtu)) return;
  if (teller.is('icmp-untranslatable')) return void teller.end(`method ${method}`);
  teller.line(`method ${method}`, text ?? methodText(connection, tunnel, ip.version));
  leave(teller, destAddress);
}

/** The checks before a packet leaves; false when it ended here. */
export function hopsAndLength(teller: Teller, ip: IpFacts, mtu: number): boolean {
  const word = ip.version === 4 ? 'TTL' : 'hop limit';
  if (teller.is('ttl-exceeded')) return teller.end(`${word} ${ip.hops}`) ?? false;
  teller.line(`${word} ${ip.hops}`, `becomes ${ip.hops - 1}`);
  const length = `length ${ip.totalLength}${ip.version === 4 && ip.dontFragment ? ', DF' : ''}`;
  if (teller.is('too-big', 'needs-fragmenting', 'no-room')) return teller.end(`${length}, MTU ${mtu}`) ?? false;
  const { pieces } = teller;
  teller.line(`${length}, MTU ${mtu}`, pieces === 1 ? 'fits' : `leaves in ${pieces} pieces`);
  return true;
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
