/**
 * An independent implementation of the Linux Virtual Server data path, written from the RFCs and from what Linux does,
 * to hold faster ones against. It shares no code with the rest of this package and prefers being read to being fast.
 *
 * {@link ReferenceDirector} judges whole frames; the parts below it are pure functions, for those who test other
 * rewriters.
 *
 * @module
 */
export { ReferenceDirector, type ReferenceOptions } from './director.js';
export { decapsulatedEcn, type EcnMode, encapsulatedEcn } from './ecn.js';
export { cut, type Exit } from './fragments.js';
export { type FilledOptions, type OptionContext, type OptionFault, processOptions, recordAgain } from './options.js';
export {
  type Address,
  addressBytes,
  type Family,
  familyOf,
  formatAddress,
  formatMac,
  parseAddress,
  parseAnyAddress,
  parseMac,
} from './packet/address.js';
export { carryChecksum, checksumIsRight, internetChecksum, pseudoHeader } from './packet/checksum.js';
export { type EthernetFrame, parseEthernet, serialiseEthernet } from './packet/ethernet.js';
export { type GreFault, type GrePacket, parseGre, serialiseGre } from './packet/gre.js';
export { type GuePacket, parseGue, serialiseGue } from './packet/gue.js';
export { type IcmpMessage, parseIcmp, serialiseIcmp } from './packet/icmp.js';
export { icmpv6ChecksumIsRight, parseIcmpv6, serialiseIcmpv6 } from './packet/icmpv6.js';
export { type Carried, carriedBy, type IpPacket, isIpv6, parseIp, serialiseIp } from './packet/ip.js';
export {
  findIpv4Fault,
  IP_FLAG,
  type Ipv4Fault,
  type Ipv4Packet,
  PROTOCOL,
  parseIpv4,
  serialiseIpv4,
} from './packet/ipv4.js';
export {
  findIpv6Fault,
  type Ipv6Fault,
  type Ipv6Packet,
  NEXT_HEADER,
  parseIpv6,
  serialiseIpv6,
} from './packet/ipv6.js';
export {
  type FragmentHeader,
  findHopByHopFault,
  findUpper,
  type HopByHopFault,
  parseFragmentHeader,
  serialiseFragmentHeader,
  type Upper,
  withoutFragmentHeader,
} from './packet/ipv6-extensions.js';
export { parseIpv6Address } from './packet/ipv6-text.js';
export { finishChecksum, type PartialChecksum, partialChecksumOf } from './packet/partial.js';
export { crc32c, parseSctp, type SctpChunk, type SctpPacket, sctpChunks, serialiseSctp } from './packet/sctp.js';
export { parseTcp, serialiseTcp, TCP_FLAG, type TcpSegment } from './packet/tcp.js';
export { parseUdp, serialiseUdp, type UdpDatagram } from './packet/udp.js';
export { Random } from './random.js';
export { type Arrival, type FragmentFault, Reassembler, type ReassemblyLimits, type Taken } from './reassembly.js';
export { destinationHash, destinationHashBucket } from './schedulers/dh.js';
export { failOver, overflow } from './schedulers/highest.js';
export { createScheduler, type SchedulerSettings } from './schedulers/index.js';
export { LocalityLeastConnections } from './schedulers/lblc.js';
export { ReplicatedLeastConnections } from './schedulers/lblcr.js';
export {
  leastConnections,
  neverQueue,
  shortestExpectedDelay,
  weightedLeastConnections,
} from './schedulers/least.js';
export {
  MAGLEV_SLOTS,
  Maglev,
  MH_SLOTS,
  maglevHash,
  maglevPermutation,
  maglevTable,
  maglevTurns,
} from './schedulers/mh.js';
export { RoundRobin } from './schedulers/rr.js';
export { isUsable, type Scheduler, type SchedulerDest, type SchedulerKey } from './schedulers/scheduler.js';
export { sourceHash, sourceHashBucket, sourceHashTable } from './schedulers/sh.js';
export { siphash13 } from './schedulers/siphash.js';
export { twoChoices } from './schedulers/twos.js';
export { WeightedRoundRobin } from './schedulers/wrr.js';
export {
  type ConnectionState,
  type Direction,
  defaultTimeouts,
  isActiveState,
  nextSctpState,
  nextTcpState,
  SCTP_STATES,
  type SctpEvent,
  type SctpState,
  type StateTimeouts,
  sctpEvent,
  sctpTimeout,
  TCP_STATES,
  type TcpEvent,
  type TcpState,
  tcpEvent,
} from './states.js';
export { type Translation, translate } from './translate.js';
export {
  type Decapsulated,
  type DecapsulationFault,
  decapsulate,
  type Encapsulated,
  encapsulate,
  type Tunnel,
  type TunnelKind,
  tunnelMtu,
  tunnelOverhead,
} from './tunnels.js';
export type * from './types.js';
