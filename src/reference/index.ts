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
export { type IcmpMessage, parseIcmp, serialiseIcmp } from './packet/icmp.js';
export {
  findIpv4Fault,
  IP_FLAG,
  type Ipv4Fault,
  type Ipv4Packet,
  PROTOCOL,
  parseIpv4,
  serialiseIpv4,
} from './packet/ipv4.js';
export { parseIpv6Address } from './packet/ipv6-text.js';
export { parseTcp, serialiseTcp, TCP_FLAG, type TcpSegment } from './packet/tcp.js';
export { parseUdp, serialiseUdp, type UdpDatagram } from './packet/udp.js';
export {
  isUsable,
  RoundRobin,
  type Scheduler,
  type SchedulerDest,
  type SchedulerKey,
  sourceHash,
  sourceHashBucket,
  sourceHashTable,
  WeightedRoundRobin,
  weightedLeastConnections,
} from './schedulers.js';
export {
  type ConnectionState,
  type Direction,
  defaultTimeouts,
  isActiveState,
  nextTcpState,
  type StateTimeouts,
  TCP_STATES,
  type TcpEvent,
  type TcpState,
  tcpEvent,
} from './states.js';
export { type Translation, translate } from './translate.js';
export {
  decapsulatedEcn,
  decapsulateIpip,
  encapsulateIpip,
  outerEcn,
  type TunnelEnds,
  type TunnelFault,
} from './tunnel.js';
export type * from './types.js';
