/**
 * Frames that the host stack of the captured director made, not IPVS: answers to packets for which our verdict was
 * `local`, that is, which we left to the host. Only what a host makes for exactly that packet counts: ICMP that IPVS
 * sends, too (time exceeded, fragmentation needed), must not pass for the host's. Beside these only what its own
 * sockets say to a peer whose packets were left to it, what a host says about addresses without being asked (ARP,
 * neighbour discovery, multicast listener reports), and what IPVS's sync daemon tells a backup director.
 *
 * @module
 */
import { layersOf } from '../decode/layers.js';
import { addressText, macText, readU16, readUint } from '../decode/text.js';
import { headerChecksumIsRight } from './checksum.js';
import { fieldOf, type Packet, packetOf } from './packet.js';

/** A packet that we left to the host. */
export interface LocalInput {
  readonly capture: string;
  /** Number in its capture, from 1. */
  readonly frame: number;
  /** ns since the epoch. */
  readonly time: bigint;
  readonly data: Uint8Array;
  /** What the host got when it is not that: the packet within a tunnel, the whole datagram of its last fragment. */
  readonly packet: Packet | undefined;
  readonly reason: string;
}

/** A packet that was left to the host, and what a frame of the host has to do with it. */
export interface HostCause extends Pick<LocalInput, 'capture' | 'frame' | 'reason'> {
  /** `own socket of`: the packet answers a connection that the host itself opened. */
  readonly relation: 'answers' | 'own socket of';
}

/** A frame of the host; `cause` is absent for what it says without being asked. */
export interface HostAnswer {
  readonly cause: HostCause | undefined;
}

/** Answers that the host makes to one packet: a RST, an ICMP error, an echo reply. */
const ANSWERS = 1;
/** A real server on the director itself has a socket that acknowledges and answers. */
const SERVER_ANSWERS = 16;
/** ns within which a stack answers by itself; a server may think for longer. */
const ANSWER_TIME = 1_000_000_000n;

const ICMP = 1;
const TCP = 6;
const UDP = 17;
/** Bytes of a header of UDP, and where its checksum is (RFC 768). */
const UDP_LENGTH = 8;
const UDP_CHECKSUM = 6;
/** Bytes in front of what an error quotes. */
const ICMP_LENGTH = 8;
const ICMP6 = 58;
const SCTP = 132;
/** IPIP, 6in4, GRE: their receivers refuse what belongs to no tunnel. */
const TUNNELS = [4, 41, 47];

/** Where the sync daemon sends. */
const SYNC = { group: '224.0.0.81', port: 8848 } as const;

/** Type and code of the errors with which a host refuses, by IP version (RFC 792, RFC 4443). */
const PORT_UNREACHABLE = { 4: [3, 3], 6: [1, 4] } as const;
const PROTOCOL_UNREACHABLE = { 4: [3, 2], 6: [4, 1] } as const;
/** Bytes without options and extension headers. */
const [IPV4_HEADER, IPV6_HEADER] = [20, 40];
/** The smallest MTU that a link may have (RFC 791 §3.2, RFC 8200 §5). */
const [IPV4_MTU, IPV6_MTU] = [68, 1280];
/** Of extension headers: a field that cannot be, a header that may not be there, an option that is not known. */
const HEADER_PROBLEMS = [
  { 4: [], 6: [4, 0] },
  { 4: [], 6: [4, 1] },
  { 4: [], 6: [4, 2] },
] as const;
/** What the sender of what was in a tunnel is told: host unreachable, time exceeded, too big. */
const PASSED_ON = [
  { 4: [3, 1], 6: [1, 3] },
  { 4: [11, 0], 6: [3, 0] },
  { 4: [3, 4], 6: [2, 0] },
] as const;
/** ICMP types of replies, by request: echo, timestamp. */
const REPLIES: Readonly<Record<number, number>> = { 8: 0, 13: 14 };
const REPLIES6: Readonly<Record<number, number>> = { 128: 129 };

const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
/** Chunk types (RFC 9260 §3.2). */
const SCTP_CHUNK = { abort: 6, shutdownAck: 8, shutdownComplete: 14 } as const;

/** Finds the cause of frames of the host. */
export class HostAnswers {
  readonly #open: { input: LocalInput; left: number }[];
  /** What answers that leave in fragments answer, by {@link datagramOf}. */
  readonly #cut = new Map<string, LocalInput>();
  readonly #addresses: ReadonlySet<string>;
  readonly #macs: ReadonlySet<string>;

  /** `addresses` and `macs`: the director's own; a host answers from no other. */
  constructor(inputs: readonly LocalInput[], addresses: ReadonlySet<string>, macs: ReadonlySet<string>) {
    this.#addresses = addresses;
    this.#macs = macs;
    this.#open = inputs.map((input) => ({ input, left: isServer(input) ? SERVER_ANSWERS : ANSWERS }));
  }

  /**
   * The packet that a captured frame answers, `undefined`: none, so IPVS must have made it. Each packet left to the
   * host explains a limited number of frames, and for a limited time. `time`: ns since the epoch.
   */
  take(frame: Uint8Array, time: bigint): HostAnswer | undefined {
    const answer = packetOf(frame);
    const source = answer?.src ?? arpOf(frame)?.sender ?? '';
    if (this.#addresses.has(source)) {
      const datagram = answer === undefined ? undefined : datagramOf(answer);
      const begun = datagram === undefined ? undefined : this.#cut.get(datagram);
      if (begun !== undefined) return causedBy(begun, 'answers');
      const found = this.#open.find(
        ({ input, left }) => left > 0 && inTime(input, time) && isAnswer(input, frame, answer),
      );
      if (found !== undefined) {
        found.left--;
        if (datagram !== undefined) this.#cut.set(datagram, found.input);
        return causedBy(found.input, 'answers');
      }
      const peer = this.#open.find(({ input }) => answer !== undefined && isOwnSocket(input, answer, time));
      if (peer !== undefined) return causedBy(peer.input, 'own socket of');
    }
    const isUnasked = isDiscovery(frame, answer) || (answer !== undefined && this.#isSync(answer));
    return this.#macs.has(macText(frame, 6)) && isUnasked ? { cause: undefined } : undefined;
  }

  #isSync({ src, dst, protocol, body }: Packet): boolean {
    return protocol === UDP && dst === SYNC.group && this.#addresses.has(src) && readU16(body, 2) === SYNC.port;
  }
}

function causedBy({ capture, frame, reason }: LocalInput, relation: HostCause['relation']): HostAnswer {
  return { cause: { capture, frame, reason, relation } };
}

/**
 * Whether a frame is of a connection that the host itself opened: the input is the SYN+ACK of its peer, the frame the
 * SYN before it or anything after it.
 */
function isOwnSocket(input: LocalInput, frame: Packet, time: bigint): boolean {
  const accepted = input.packet ?? packetOf(input.data);
  if (accepted === undefined || accepted.protocol !== TCP || frame.protocol !== TCP) return false;
  if (((accepted.body[13] ?? 0) & (SYN | ACK)) !== (SYN | ACK)) return false;
  if (accepted.src !== frame.dst || accepted.dst !== frame.src || !isSwapped(accepted, frame)) return false;
  const isSyn = (frame.body[13] ?? 0) === SYN;
  if (time >= input.time) return !isSyn;
  const acknowledged = readUint(accepted.body, 8, 4) === (readUint(frame.body, 4, 4) + 1) >>> 0;
  return isSyn && acknowledged && input.time - time <= ANSWER_TIME;
}

function isServer({ reason }: LocalInput): boolean {
  return reason === 'local-dest';
}

function inTime(input: LocalInput, time: bigint): boolean {
  return input.time <= time && (isServer(input) || time - input.time <= ANSWER_TIME);
}

function isAnswer(input: LocalInput, frame: Uint8Array, answer: Packet | undefined): boolean {
  if (answer === undefined) return isArpReply(input.data, frame);
  const asked = input.packet ?? packetOf(input.data);
  if (asked === undefined || asked.fragment) return false;
  const isBack = answer.src === asked.dst && answer.dst === asked.src;
  // An echo is as long as what was asked, and may have to be cut.
  if (answer.fragment) return isBack && isFirst(answer) && isReply(asked, answer);
  if (isAdvertisement(asked, answer) || isHeaderProblem(asked, answer)) return true;
  if (isMappedRefusal(asked, answer) || isPassedOn(asked, answer)) return true;
  // The host answers from the very address that was asked.
  if (!isBack) return false;
  if (isServer(input)) {
    return isRefusedDatagram(asked, answer) || (answer.protocol === asked.protocol && isSwapped(asked, answer));
  }
  switch (asked.protocol) {
    case ICMP:
    case ICMP6:
      return isReply(asked, answer);
    case TCP:
      return isReset(asked, answer);
    case UDP:
      return isError(PORT_UNREACHABLE, asked, answer);
    case SCTP:
      return isRefusal(asked, answer);
    default:
      if (TUNNELS.includes(asked.protocol) && isError(PORT_UNREACHABLE, asked, answer)) return true;
      return isError(PROTOCOL_UNREACHABLE, asked, answer);
  }
}

/** Names the datagram that a packet is a fragment of; `undefined`: it is none. */
function datagramOf({ fragment, layers, src, dst, protocol }: Packet): string | undefined {
  const id = fieldOf(layers[0], 'ip.id') ?? fieldOf(fragmentHeaderOf(layers), 'ipv6.fraghdr.ident');
  return fragment ? `${src} ${dst} ${protocol} ${id}` : undefined;
}

/** Whether a fragment is the first one. */
function isFirst({ layers }: Packet): boolean {
  const offset = fieldOf(layers[0], 'ip.frag_offset') ?? fieldOf(fragmentHeaderOf(layers), 'ipv6.fraghdr.offset');
  return offset === '0';
}

function fragmentHeaderOf(layers: Packet['layers']): Packet['layers'][number] | undefined {
  return layers.find(({ kind }) => kind === 'fragment');
}

/**
 * An error about a packet of ours in a tunnel, which the host's own tunnel passes on to the sender of what was in it
 * (RFC 2473 §8, RFC 4213 §3.4). Nobody looks at the version and the length that the quoted packet says it has.
 */
function isPassedOn(asked: Packet, answer: Packet): boolean {
  if (asked.protocol !== (asked.version === 4 ? ICMP : ICMP6) || asked.body.length <= 8) return false;
  const quoted = asked.body.slice(8);
  quoted[0] = (asked.version << 4) | (quoted[0]! & 15);
  quoted.fill(0xff, asked.version === 4 ? 2 : 4, asked.version === 4 ? 4 : 6);
  const inner = layersOf(quoted, 'raw').find(
    ({ prefix, kind }) => prefix === 'inner.' && (kind === 'ip' || kind === 'ipv6'),
  );
  if (inner === undefined || fieldOf(inner, `${inner.kind}.src`) !== answer.dst) return false;
  const whole = quoted.subarray(inner.start);
  const lost = { ...asked, whole, body: whole.subarray(inner.payload - inner.start) };
  return PASSED_ON.some((error) => isError(error, lost, answer));
}

/** SCTP takes an IPv4-mapped address for the IPv4 one, and answers there from whichever address leads there. */
function isMappedRefusal(asked: Packet, answer: Packet): boolean {
  return asked.protocol === SCTP && asked.src === `::ffff:${answer.dst}` && isRefusal(asked, answer);
}

/** Whether it is SCTP's answer, of whatever address, to a packet of no association. */
function isRefusal(asked: Packet, answer: Packet): boolean {
  return answer.protocol === SCTP && isSwapped(asked, answer) && answer.body[12] === refusalOf(asked);
}

/** The chunk with which a host answers SCTP of no association (RFC 9260 §8.4). */
function refusalOf({ body }: Packet): number {
  return body[12] === SCTP_CHUNK.shutdownAck ? SCTP_CHUNK.shutdownComplete : SCTP_CHUNK.abort;
}

/** Whether the ports of TCP, UDP or SCTP are those asked for, the other way round. */
function isSwapped({ body: asked }: Packet, { body: answer }: Packet): boolean {
  if (asked.length < 4 || answer.length < 4) return false;
  return readU16(answer, 0) === readU16(asked, 2) && readU16(answer, 2) === readU16(asked, 0);
}

/** A RST, with the number that the segment asks for (RFC 9293 §3.10.7.1); none answers a RST. */
function isReset(asked: Packet, answer: Packet): boolean {
  if (answer.protocol !== TCP || !isSwapped(asked, answer)) return false;
  const [flags, got] = [asked.body[13] ?? 0, answer.body[13] ?? 0];
  if ((flags & RST) !== 0 || (got & RST) === 0) return false;
  if ((flags & ACK) !== 0) return (got & ACK) === 0 && readUint(answer.body, 4, 4) === readUint(asked.body, 8, 4);
  // SYN and FIN take a number each.
  const length = asked.body.length - (asked.body[12]! >> 4) * 4 + ((flags >> 1) & 1) + (flags & 1);
  return (got & ACK) !== 0 && readUint(answer.body, 8, 4) === (readUint(asked.body, 4, 4) + length) >>> 0;
}

/** The reply to an echo or timestamp request: with its identifier and sequence number. */
function isReply({ protocol: by, body: asked }: Packet, { protocol, body: answer }: Packet): boolean {
  if (protocol !== by || asked.length < 8 || answer.length < 8 || asked[1] !== 0 || answer[1] !== 0) return false;
  const reply = (by === ICMP ? REPLIES : REPLIES6)[asked[0]!];
  return answer[0] === reply && readUint(answer, 4, 4) === readUint(asked, 4, 4);
}

/** An error about extension headers. */
function isHeaderProblem(asked: Packet, answer: Packet): boolean {
  const hasExtensions = asked.version === 6 && asked.whole.length - asked.body.length > IPV6_HEADER;
  return hasExtensions && HEADER_PROBLEMS.some((problem) => isError(problem, asked, answer));
}

/** An ICMP error that quotes the packet itself: its headers and 8 bytes at least (RFC 792). */
function isError(error: Record<4 | 6, readonly number[]>, asked: Packet, answer: Packet): boolean {
  const { version, protocol, body } = answer;
  const [type, code] = error[version];
  if (protocol !== (version === 4 ? ICMP : ICMP6) || body[0] !== type || body[1] !== code) return false;
  const quoted = body.subarray(8);
  const header = asked.whole.length - asked.body.length;
  if (quoted.length < Math.min(header + 8, asked.whole.length, roomIn(answer))) return false;
  // The host writes into IPv4 options before it looks at what they come with, and sums a header up if it came in fragments.
  const isSummed = header > IPV4_HEADER && headerChecksumIsRight(quoted, 0);
  const isWritten = (i: number) => (i >= IPV4_HEADER && i < header) || (isSummed && (i === 10 || i === 11));
  return quoted.every((byte, i) => byte === asked.whole[i] || (version === 4 && isWritten(i)));
}

/** For how much of a quotation an ICMP error has room wherever it goes: options of its own leave less. */
function roomIn({ version, whole, body }: Packet): number {
  if (version === 6) return IPV6_MTU - IPV6_HEADER - 8;
  return Math.max(IPV4_MTU - (whole.length - body.length) - 8, IPV4_HEADER);
}

/** Port unreachable about a datagram of a server without a socket. NAT leaves the quoted checksum as the server had it. */
function isRefusedDatagram(asked: Packet, answer: Packet): boolean {
  if (asked.protocol !== UDP || asked.body.length < UDP_LENGTH) return false;
  const at = asked.whole.length - asked.body.length + UDP_CHECKSUM;
  const whole = asked.whole.slice();
  whole.set(answer.body.subarray(ICMP_LENGTH + at, ICMP_LENGTH + at + 2), at);
  return isError(PORT_UNREACHABLE, { ...asked, whole }, answer);
}

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** ICMPv6 of multicast listeners (RFC 3810 §5) and of neighbour discovery (RFC 4861 §4). */
const DISCOVERY = [130, 131, 132, 133, 134, SOLICITATION, ADVERTISEMENT, 137, 143];

/** Whether a neighbour advertisement says what a solicitation wants to know. */
function isAdvertisement({ protocol: by, body: asked }: Packet, { protocol, body: answer }: Packet): boolean {
  if (by !== ICMP6 || protocol !== ICMP6 || asked[0] !== SOLICITATION || answer[0] !== ADVERTISEMENT) return false;
  return asked.length >= 24 && Buffer.compare(asked.subarray(8, 24), answer.subarray(8, 24)) === 0;
}

/** Whether a frame is what a host says about addresses without being asked. */
function isDiscovery(frame: Uint8Array, packet: Packet | undefined): boolean {
  if (packet === undefined) return arpOf(frame) !== undefined;
  return packet.protocol === ICMP6 && DISCOVERY.includes(packet.body[0] ?? 0);
}

const ARP_REQUEST = 1;
const ARP_REPLY = 2;

/** Whether `frame` says what the ARP request `asked` wants to know. */
function isArpReply(asked: Uint8Array, frame: Uint8Array): boolean {
  const [from, to] = [arpOf(asked), arpOf(frame)];
  if (from?.operation !== ARP_REQUEST || to?.operation !== ARP_REPLY) return false;
  return to.sender === from.target && to.target === from.sender;
}

function arpOf(frame: Uint8Array): { operation: number; sender: string; target: string } | undefined {
  const at = readU16(frame, 12) === 0x8100 ? 18 : 14;
  if (readU16(frame, at - 2) !== 0x0806 || frame.length < at + 28) return undefined;
  return {
    operation: readU16(frame, at + 6),
    sender: addressText(frame, at + 14),
    target: addressText(frame, at + 24),
  };
}
