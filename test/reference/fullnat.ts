/**
 * A director with services by FullNAT, and what its ends send.
 *
 * @module
 */

import { canCarry } from '../../src/reference/fullnat/carry.js';
import {
  type IpPacket,
  isIpv6,
  parseEthernet,
  parseIp,
  parseTcp,
  type ReferenceCarry,
  type ReferenceDirector,
  type ReferenceOptions,
  type ReferenceOutcome,
  type ReferenceService,
  serialiseTcp,
  type TcpSegment,
} from '../../src/reference/index.js';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { TCP_FLAG } from '../../src/reference/packet/tcp.js';
import { ENDS, frame, packet, plainDirector, type Words, withChecksum } from './builders6.js';

export type Family = 4 | 6;

/** The addresses of the director on the servers' side. */
export const LOCAL = { 4: '10.1.0.1', 6: 'fd00:1::1' } as const;

export const SYN = TCP_FLAG.syn;
export const ACK = TCP_FLAG.ack;
export const SYN_ACK = SYN | ACK;

export const NOW = 1_700_000_000_000;

export const keyOf = (family: Family, protocol: 'tcp' | 'udp' | 'sctp' = 'tcp') =>
  ({ protocol, address: ENDS[family].vip, port: 80 }) as const;

/** One service of each family and protocol, with one server at port 8080. */
export function fullnat(
  words: Partial<Omit<ReferenceService, 'carry'>> & { carry?: ReferenceCarry | undefined } = {},
  options: Partial<ReferenceOptions> = {},
): ReferenceDirector {
  const made = plainDirector(options);
  for (const family of [4, 6] as const) {
    for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
      const key = keyOf(family, protocol);
      const { carry, ...rest } = words;
      const carried = carry !== undefined && canCarry(protocol, carry) && !(carry === 'uoa-option' && family === 6);
      made.addService({ ...key, scheduler: 'rr', localAddresses: [LOCAL[family]], ...rest, ...(carried && { carry }) });
      made.addDest(key, { address: ENDS[family].server, port: 8080, method: 'fullnat' });
    }
  }
  return made;
}

/** What a segment says beside its ports. */
export interface Says {
  flags?: number;
  seq?: number;
  ack?: number;
  /** A multiple of four bytes. */
  options?: Uint8Array;
  data?: Uint8Array;
}

/** A segment with a right checksum. */
export function segment(from: [string, number], to: [string, number], says: Says, words: Words = {}): IpPacket {
  const { flags = ACK, seq = 1000, ack = 0, options = new Uint8Array(0), data = new Uint8Array(0) } = says;
  const bytes = serialiseTcp({
    sourcePort: from[1],
    destinationPort: to[1],
    sequence: seq,
    acknowledgment: ack,
    offsetAndReserved: (5 + options.length / 4) << 4,
    flags,
    window: 64_000,
    checksum: 0,
    urgentPointer: 0,
    rest: Uint8Array.from([...options, ...data]),
  });
  return withChecksum(packet(from[0], to[0], 6, bytes, words), 16);
}

/** The packet in a frame. */
export function packetIn({ frame: bytes }: ReferenceOutcome): IpPacket {
  return parseIp(parseEthernet(bytes).payload);
}

/** What a packet's ends say to each other by the director. */
export class Talk {
  readonly director: ReferenceDirector;
  readonly family: Family;
  now = NOW;

  constructor(director: ReferenceDirector, family: Family) {
    this.director = director;
    this.family = family;
  }

  /** From the client, at `port`; the server gets it. */
  client(says: Says, port = 40_001, words: Words = {}, checksum?: number): Sent {
    const { client, vip } = ENDS[this.family];
    const sent = segment([client, port], [vip, 80], says, words);
    if (checksum !== undefined) new DataView(sent.payload.buffer).setUint16(16, checksum);
    return read(this.director.send(frame(sent), 'cli', this.now));
  }

  /** From the server to a port of the local address; the client gets it. */
  server(says: Says, port = 1024, words: Words = {}): Sent {
    const sent = segment([ENDS[this.family].server, 8080], [LOCAL[this.family], port], says, words);
    return read(this.director.send(frame(sent, 'srv'), 'srv', this.now));
  }
}

/** What came out. */
export interface Sent {
  outcomes: ReferenceOutcome[];
  outcome: ReferenceOutcome;
  packet: IpPacket;
  segment: TcpSegment;
}

function read(outcomes: ReferenceOutcome[]): Sent {
  const outcome = outcomes[0]!;
  const sent = packetIn(outcome);
  return { outcomes, outcome, packet: sent, segment: parseTcp(sent.payload) };
}

/** Source and destination of a packet. */
export function endsOf({ source, destination }: IpPacket): unknown[] {
  return [source, destination];
}

export const addresses = (...texts: string[]) => texts.map(parseAnyAddress);

/** TTL or hop limit. */
export const hopsOf = (sent: IpPacket): number => (isIpv6(sent) ? sent.hopLimit : sent.ttl);
