/**
 * Reassembly of fragments (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722), as Linux does it.
 *
 * @module
 */
import { formatAddress } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { carriedBy, type IpPacket, ipLength, isIpv6, serviceOf } from './packet/ip.js';
import { IP_FLAG, type Ipv4Packet, withChecksum } from './packet/ipv4.js';
import { IPV6_LENGTH, type Ipv6Packet, NEXT_HEADER } from './packet/ipv6.js';
import { FRAGMENT_LENGTH, findFragmentHeader, withoutFragmentHeader } from './packet/ipv6-extensions.js';

/** How a datagram was cut when it came: it leaves alike, see {@link cut}. */
export interface Arrival {
  family: 4 | 6;
  /** Bytes of IP payload in each fragment but the first, in order. */
  rest: number[];
  /** Bytes of the largest fragment with all its headers. */
  largest: number;
  /** Whether the largest fragment of IPv4 had DF set. */
  dontFragment: boolean;
  /** The one of all fragments: 16 bits of IPv4, 32 of IPv6. */
  identification: number;
}

/** Why a fragment is dropped. */
export type FragmentFault = 'fragment-malformed' | 'fragment-overlap' | 'fragment-duplicate' | 'fragment-limit';

/** What became of a fragment. */
export type Taken<A> =
  | { state: 'held' }
  | {
      state: 'refused';
      reason: FragmentFault;
      /** What the sender of an IPv6 fragment is told if it was for this host: code and pointer of a parameter problem. */
      problem?: { code: number; pointer: number };
    }
  | {
      state: 'whole';
      packet: IpPacket;
      arrival: Arrival;
      /** What was given with the first fragment. */
      attached: A;
    };

/** What may be held. */
export interface ReassemblyLimits {
  /** Bytes of fragments, IP headers included. */
  bytes: number;
  datagrams: number;
}

/** Milliseconds that a datagram has from its first fragment on (RFC 791 §3.2 leaves it open, RFC 8200 §4.5). */
const LIFETIME = { 4: 30_000, 6: 60_000 } as const;

const LARGEST = 0xffff;

/** Headers that the first fragment must hold whole (RFC 8200 §4.5), in bytes; one byte of all others. */
const UPPER_LENGTH = new Map([
  [6, 20],
  [17, 8],
  [58, 8],
]);

/** TCP, UDP, ICMPv6 and SCTP: IPVS drops what is too short of these before the host could complain. */
const JUDGED_BEFORE = [6, 17, 58, 132];

/** One fragment, families apart. */
interface Fragment {
  key: string;
  packet: IpPacket;
  start: number;
  more: boolean;
  data: Uint8Array;
}

interface Datagram<A> {
  pieces: Fragment[];
  /** Stretches that came in order one behind the other at the end: what lies within one of them is a duplicate. */
  runs: { start: number; end: number }[];
  /** End of the furthest piece, or of the datagram once `lastSeen`. */
  length: number;
  lastSeen: boolean;
  first: { packet: IpPacket; attached: A } | undefined;
  /** Bytes held. */
  bytes: number;
  expiresAt: number;
}

type Refusal = Extract<Taken<unknown>, { state: 'refused' }>;

const refused = (reason: FragmentFault, problem?: { code: number; pointer: number }): Refusal =>
  problem === undefined ? { state: 'refused', reason } : { state: 'refused', reason, problem };

/** Datagrams of both families under reassembly; `A` is what the caller wants to know of a datagram's first fragment. */
export class Reassembler<A> {
  readonly #limits: ReassemblyLimits;
  /** Oldest first. */
  readonly #datagrams = new Map<string, Datagram<A>>();

  constructor(limits: ReassemblyLimits) {
    this.#limits = limits;
  }

  /** Bytes held. */
  get bytes(): number {
    return [...this.#datagrams.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Gives up the datagrams whose time is over; returns how many fragments they had. */
  expire(now: number): number {
    let fragments = 0;
    for (const [key, { expiresAt, pieces }] of this.#datagrams) {
      if (expiresAt > now) continue;
      fragments += pieces.length;
      this.#datagrams.delete(key);
    }
    return fragments;
  }

  /**
   * Takes a fragment at `now` (milliseconds); IPv6 atomic fragments (RFC 6946) are whole at once. Call {@link expire}
   * first.
   *
   * @throws RangeError when the packet is no fragment
   */
  take(packet: IpPacket, now: number, attached: A): Taken<A> {
    const fragment = isIpv6(packet) ? readIpv6(packet) : readIpv4(packet);
    if ('reason' in fragment) return fragment;
    const known = this.#datagrams.get(fragment.key);
    // What is whole at once waits for nothing.
    const isEmpty = fragment.data.length === 0;
    const isWhole = known === undefined && fragment.start === 0 && !fragment.more;
    const isFull = known === undefined && this.#datagrams.size >= this.#limits.datagrams;
    if ((isFull && !isWhole) || this.bytes + ipLength(packet) > this.#limits.bytes) return refused('fragment-limit');
    const datagram = known ?? newDatagram<A>(now + LIFETIME[isIpv6(packet) ? 6 : 4]);
    const fault = place(datagram, fragment);
    if (fault === undefined) {
      this.#datagrams.set(fragment.key, datagram);
      if (fragment.start === 0) datagram.first = { packet, attached };
      return this.#finish(fragment.key, datagram);
    }
    if (fault.discards) this.#datagrams.delete(fragment.key);
    // It has nothing, but tells where the datagram ends.
    else if (isEmpty) this.#datagrams.set(fragment.key, datagram);
    return fault.refusal;
  }

  #finish(key: string, datagram: Datagram<A>): Taken<A> {
    const { first, lastSeen, pieces, length } = datagram;
    const there = pieces.reduce((sum, { data }) => sum + data.length, 0);
    if (first === undefined || !lastSeen || there !== length) return { state: 'held' };
    this.#datagrams.delete(key);
    pieces.sort((a, b) => a.start - b.start);
    const ecn = mergedEcn(pieces);
    if (ecn === undefined) return refused('fragment-malformed');
    const data = concatenate(...pieces.map((piece) => piece.data));
    const arrival = describe(pieces);
    const packet = isIpv6(first.packet)
      ? wholeIpv6(first.packet, data, ecn)
      : wholeIpv4(first.packet, data, ecn, arrival.dontFragment);
    const size = ipLength(packet) - (isIpv6(packet) ? IPV6_LENGTH : 0);
    if (size > LARGEST) return refused('fragment-malformed');
    return { state: 'whole', packet, arrival, attached: first.attached };
  }
}

function newDatagram<A>(expiresAt: number): Datagram<A> {
  return { pieces: [], runs: [], length: 0, lastSeen: false, first: undefined, bytes: 0, expiresAt };
}

function readIpv4(packet: Ipv4Packet): Fragment {
  const more = (packet.flags & IP_FLAG.moreFragments) !== 0;
  if (!more && packet.fragmentOffset === 0) throw new RangeError('not a fragment');
  const { source, destination, identification, protocol, payload } = packet;
  return {
    key: [formatAddress(source), formatAddress(destination), identification, protocol].join(' '),
    packet,
    start: packet.fragmentOffset * 8,
    more,
    // All but the last fragment end on a multiple of 8: what is over belongs to none.
    data: more ? payload.subarray(0, payload.length - (payload.length % 8)) : payload,
  };
}

function readIpv6(packet: Ipv6Packet): Fragment | Refusal {
  const fragment = findFragmentHeader(packet);
  if (fragment === undefined) throw new RangeError('not a fragment');
  const { header, at } = fragment;
  const data = packet.payload.subarray(at + FRAGMENT_LENGTH);
  const start = header.offset * 8;
  // What is whole (RFC 6946) is judged like any packet.
  if (start === 0 && header.more && lacksUpperHeader(packet)) return incomplete(packet);
  const end = start + data.length;
  if (end === 0 || end > LARGEST) return refused('fragment-malformed');
  const { source, destination } = packet;
  const key = [formatAddress(source), formatAddress(destination), header.identification].join(' ');
  return { key, packet, start, more: header.more, data };
}

/** Whether a first fragment ends before the header of what it carries does. */
function lacksUpperHeader(packet: Ipv6Packet): boolean {
  const carried = carriedBy(packet);
  if (carried === undefined || carried.protocol === NEXT_HEADER.none) return false;
  return carried.offset + (UPPER_LENGTH.get(carried.protocol) ?? 1) > packet.payload.length;
}

/** RFC 8200 §4.5, RFC 7112 §5. */
function incomplete(packet: Ipv6Packet): Refusal {
  const protocol = carriedBy(packet)?.protocol ?? NEXT_HEADER.none;
  return refused('fragment-malformed', JUDGED_BEFORE.includes(protocol) ? undefined : { code: 3, pointer: 0 });
}

/** Of these the host never hears: IPVS has dropped them before. */
function isRestOfIcmpv6({ packet, start }: Fragment): boolean {
  if (!isIpv6(packet) || start === 0) return false;
  return findFragmentHeader(packet)?.header.nextHeader === NEXT_HEADER.icmpv6;
}

/** Why a fragment was not placed, and whether the whole datagram goes with it. */
interface Misfit {
  refusal: Refusal;
  discards: boolean;
}

/** Puts a fragment where it belongs. */
function place<A>(datagram: Datagram<A>, fragment: Fragment): Misfit | undefined {
  const ipv6 = isIpv6(fragment.packet);
  const { start, more, data } = fragment;
  const end = start + data.length;
  // A length that contradicts the others: of IPv4 the datagram is given up, of IPv6 only the fragment.
  const contradiction: Misfit = { refusal: refused('fragment-malformed'), discards: !ipv6 };
  if (more && ipv6 && end % 8 !== 0) {
    const problem = isRestOfIcmpv6(fragment) ? undefined : { code: 0, pointer: 4 };
    return { refusal: refused('fragment-malformed', problem), discards: true };
  }
  if (more ? end > datagram.length && datagram.lastSeen : end < datagram.length) return contradiction;
  if (!more && datagram.lastSeen && end !== datagram.length) return contradiction;
  datagram.length = Math.max(datagram.length, end);
  datagram.lastSeen ||= !more;
  if (data.length === 0) return contradiction;
  const touched = datagram.runs.find((run) => start < run.end && end > run.start);
  if (touched !== undefined) {
    const isWithin = start >= touched.start && end <= touched.end;
    return { refusal: refused(isWithin ? 'fragment-duplicate' : 'fragment-overlap'), discards: !isWithin };
  }
  const furthest = datagram.runs.reduce((most, run) => Math.max(most, run.end), 0);
  const tail = datagram.runs.find((run) => run.end === furthest);
  if (tail !== undefined && start === furthest) tail.end = end;
  else datagram.runs.push({ start, end });
  datagram.pieces.push(fragment);
  datagram.bytes += ipLength(fragment.packet);
  return undefined;
}

/**
 * What the ECN field of the whole gets from its fragments (RFC 3168 §5.3): CE if one of them has it; `undefined`, not to be
 * delivered, if some are Not-ECT and some are not.
 */
function mergedEcn(pieces: readonly Fragment[]): number | undefined {
  const marks = pieces.map(({ packet }) => serviceOf(packet) & 3);
  if (marks.includes(0)) return marks.every((mark) => mark === 0) ? 0 : undefined;
  return marks.includes(3) ? 3 : 0;
}

function describe(pieces: readonly Fragment[]): Arrival {
  // What was over at the end of a fragment does not count.
  const size = ({ packet, data }: Fragment) =>
    isIpv6(packet) ? ipLength(packet) : ipLength({ ...packet, payload: data });
  const largest = Math.max(...pieces.map(size));
  const dontFragment = pieces.some(
    (piece) => !isIpv6(piece.packet) && (piece.packet.flags & IP_FLAG.dontFragment) !== 0 && size(piece) === largest,
  );
  const family = pieces.some(({ packet }) => isIpv6(packet)) ? 6 : 4;
  const rest = pieces.slice(1).map(({ data }) => data.length);
  return { family, rest, largest, dontFragment, identification: identificationOf(pieces[0]!.packet) };
}

function identificationOf(packet: IpPacket): number {
  return isIpv6(packet) ? (findFragmentHeader(packet)?.header.identification ?? 0) : packet.identification;
}

function wholeIpv4(first: Ipv4Packet, payload: Uint8Array, ecn: number, dontFragment: boolean): Ipv4Packet {
  const flags = dontFragment ? IP_FLAG.dontFragment : 0;
  return withChecksum({ ...first, tos: first.tos | ecn, flags, fragmentOffset: 0, payload });
}

function wholeIpv6(first: Ipv6Packet, data: Uint8Array, ecn: number): Ipv6Packet {
  const at = findFragmentHeader(first)?.at ?? 0;
  const payload = concatenate(first.payload.subarray(0, at + FRAGMENT_LENGTH), data);
  return withoutFragmentHeader({ ...first, trafficClass: first.trafficClass | ecn, payload });
}
