/**
 * A director with services by NAT64: clients of IPv6, a server of IPv4, and what both send.
 *
 * @module
 */
import {
  findIpv4Fault,
  type IpPacket,
  isIpv6,
  parseEthernet,
  parseIp,
  type ReferenceDirector,
  type ReferenceNetwork,
  type ReferenceOptions,
  type ReferenceOutcome,
  type ReferenceService,
  serialiseIp,
} from '../../src/reference/index.js';
import { UPPER } from '../../src/reference/upper.js';
import { checksumIsRight, ENDS, frame, NETWORK, plainDirector } from './builders6.js';
import { LOCAL, NOW } from './fullnat.js';

export const CLIENT = ENDS[6].client;
export const VIP = ENDS[6].vip;
export const SERVER = ENDS[4].server;
/** The local address. */
export const INNER = LOCAL[4];
/** Where the first connection of a server comes from. */
export const FIRST = 1024;

export const key = (protocol: 'tcp' | 'udp' | 'sctp' = 'tcp') => ({ protocol, address: VIP, port: 80 }) as const;

/** One service of each protocol, with one server at port 8080. */
export function nat64(
  words: Partial<ReferenceService> = {},
  options: Partial<ReferenceOptions> = {},
): ReferenceDirector {
  const made = plainDirector(options);
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    const { carry, ...rest } = words;
    const carries = carry !== undefined && protocol !== 'sctp' && (protocol === 'tcp' || carry === 'proxy-v2');
    made.addService({ ...key(protocol), scheduler: 'rr', localAddresses: [INNER], ...rest, ...(carries && { carry }) });
    made.addDest(key(protocol), { address: SERVER, port: 8080, method: 'fullnat' });
  }
  return made;
}

/** A network with other MTUs on its two sides. */
export function mtus(cli: number, srv: number): ReferenceNetwork {
  const interfaces = NETWORK.interfaces.map((each) => {
    const mtu = { cli, srv }[each.name];
    return mtu === undefined ? each : { ...each, mtu };
  });
  return { ...NETWORK, interfaces };
}

export const ask = (director: ReferenceDirector, packet: IpPacket): ReferenceOutcome[] =>
  director.send(frame(packet), 'cli', NOW);
export const answer = (director: ReferenceDirector, packet: IpPacket): ReferenceOutcome[] =>
  director.send(frame(packet, 'srv'), 'srv', NOW);

/** The packet that left, with all of its checksums right, in a frame that names its family. */
export function left(outcome: ReferenceOutcome | undefined): IpPacket {
  if (outcome === undefined) throw new Error('nothing left');
  const { etherType, payload } = parseEthernet(outcome.frame);
  const packet = parseIp(payload);
  if (etherType !== (isIpv6(packet) ? 0x86dd : 0x0800)) throw new Error(`EtherType ${etherType}`);
  if (!isIpv6(packet) && findIpv4Fault(payload) !== undefined) throw new Error('IPv4 header');
  if (payload.length !== serialiseIp(packet).length) throw new Error('length');
  return packet;
}

/** The same, with the transport's checksum. */
export function wholeLeft(outcome: ReferenceOutcome | undefined): IpPacket {
  const packet = left(outcome);
  const protocol = isIpv6(packet) ? packet.nextHeader : packet.protocol;
  // ICMP has no pseudo header.
  if (protocol !== UPPER.icmp && protocol !== UPPER.sctp && !checksumIsRight(packet)) throw new Error('checksum');
  return packet;
}
