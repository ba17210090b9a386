/**
 * Segments of TCP that the director makes itself.
 *
 * @module
 */
import type { Tuple } from './connection.js';
import type { Host } from './host.js';
import { isForAll } from './martians.js';
import type { Interface } from './network.js';
import type { Address } from './packet/address.js';
import { concatenate, internetChecksum, pseudoHeader } from './packet/checksum.js';
import { type IpPacket, serialiseIp } from './packet/ip.js';
import { IP_FLAG, withChecksum } from './packet/ipv4.js';
import { serialiseTcp, TCP_LENGTH } from './packet/tcp.js';
import type { ReferenceOutcome } from './types.js';
import { UPPER } from './upper.js';

/** Addresses and ports of a packet. */
export type SegmentEnds = Pick<Tuple, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

/** What a segment says; it has no data. */
export interface Said {
  sequence: number;
  /** Default 0. */
  acknowledgment?: number;
  flags: number;
  /** Default 0. */
  window?: number;
  /** Of whole words. Default: none. */
  options?: Uint8Array;
}

/** TTL and hop limit of what the host makes. */
const OWN_HOPS = 64;

/** A segment between two ends. */
export function makeSegment(ends: SegmentEnds, said: Said): IpPacket {
  const { source, sourcePort, destination, destinationPort } = ends;
  const { sequence, acknowledgment = 0, flags, window = 0, options = new Uint8Array(0) } = said;
  const segment = {
    ...{ sourcePort, destinationPort, sequence, acknowledgment, flags, window, checksum: 0, urgentPointer: 0 },
    ...{ offsetAndReserved: ((TCP_LENGTH + options.length) / 4) << 4, rest: options },
  };
  const bytes = serialiseTcp(segment);
  const checksum = internetChecksum(concatenate(pseudoHeader(source, destination, UPPER.tcp, bytes.length), bytes));
  const payload = serialiseTcp({ ...segment, checksum });
  if (typeof source === 'bigint') {
    const fixed = { trafficClass: 0, flowLabel: 0, nextHeader: UPPER.tcp, hopLimit: OWN_HOPS };
    return { ...fixed, source, destination: destination as bigint, payload };
  }
  return withChecksum({
    ...{ tos: 0, identification: 0, flags: IP_FLAG.dontFragment, fragmentOffset: 0, ttl: OWN_HOPS, checksum: 0 },
    ...{ protocol: UPPER.tcp, source, destination: destination as number, options: new Uint8Array(0), payload },
  });
}

/** A segment's way out, or why it has none. */
export type Leaving = Pick<ReferenceOutcome, 'outInterface' | 'frame'> | 'no-route' | 'no-neighbour' | 'local-boundary';

/**
 * By the way to `towards`, which may be another address than its destination.
 *
 * @param device for what is on a link alone
 */
export function leave(
  host: Host,
  packet: IpPacket,
  towards: Address = packet.destination,
  device?: Interface,
): Leaving {
  const { network } = host;
  if (network.isLocal(towards)) return 'local-boundary';
  if (isForAll(host, towards)) return 'no-route';
  const found = network.route(towards, device);
  if (found === undefined) return 'no-route';
  const route = found.nextHop === towards ? { ...found, nextHop: packet.destination } : found;
  return network.depart(route, serialiseIp(packet));
}

/** What of it is a frame besides others; nothing where there is no way. */
export function made(reason: string, leaving: Leaving): ReferenceOutcome[] {
  if (typeof leaving === 'string') return [];
  return [{ verdict: 'forward', reason, ...leaving, made: true, partialChecksum: false }];
}
