/**
 * Frames that the host stack of the captured director made, not IPVS: answers to packets for which our verdict was
 * `local`, that is, which we left to the host. Only what a host makes for exactly that packet counts: ICMP that IPVS
 * sends, too (time exceeded, fragmentation needed), must not pass for the host's.
 *
 * @module
 */
import { addressText, readU16, readUint } from '../decode/text.js';
import { ipv4At } from './masks.js';

/** A packet that we left to the host. */
export interface LocalInput {
  readonly capture: string;
  /** Number in its capture, from 1. */
  readonly frame: number;
  /** ns since the epoch. */
  readonly time: bigint;
  readonly data: Uint8Array;
  /** The packet within it, when that was taken out of a tunnel (starts at its IP header). */
  readonly inner: Uint8Array | undefined;
  readonly reason: string;
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
const SCTP = 132;
/** IPIP, 6in4, GRE: their receivers refuse what belongs to no tunnel. */
const TUNNELS = [4, 41, 47];

const UNREACHABLE = 3;
const PROTOCOL_UNREACHABLE = 2;
const PORT_UNREACHABLE = 3;
/** ICMP types of replies, by request: echo, timestamp. */
const REPLIES: Readonly<Record<number, number>> = { 8: 0, 13: 14 };

const RST = 0x04;
const ACK = 0x10;
/** The chunk type (RFC 9260 §3.3.7). */
const SCTP_ABORT = 6;

/** Finds the cause of frames of the host. */
export class HostAnswers {
  readonly #open: { input: LocalInput; left: number }[];
  readonly #ours: ReadonlySet<string>;

  /** `ours`: the addresses of the director, dotted quads; a host answers from no other. */
  constructor(inputs: readonly LocalInput[], ours: ReadonlySet<string>) {
    this.#ours = ours;
    this.#open = inputs.map((input) => ({ input, left: isServer(input) ? SERVER_ANSWERS : ANSWERS }));
  }

  /**
   * The packet that a captured frame answers, `undefined`: none, so IPVS must have made it. Each packet left to the
   * host explains a limited number of frames, and for a limited time. `time`: ns since the epoch.
   */
  take(frame: Uint8Array, time: bigint): LocalInput | undefined {
    const ip = ipv4At(frame);
    if (!this.#ours.has(addressText(frame, ip < 0 ? arpAt(frame) + 14 : ip + 12))) return undefined;
    const found = this.#open.find(({ input, left }) => left > 0 && inTime(input, time) && isAnswer(input, frame));
    if (found === undefined) return undefined;
    found.left--;
    return found.input;
  }
}

function isServer({ reason }: LocalInput): boolean {
  return reason === 'local-dest';
}

function inTime(input: LocalInput, time: bigint): boolean {
  return input.time <= time && (isServer(input) || time - input.time <= ANSWER_TIME);
}

function isAnswer(input: LocalInput, frame: Uint8Array): boolean {
  const at = ipv4At(frame);
  if (at < 0) return isArpReply(input.data, frame);
  const answer = packetAt(frame, at);
  const start = input.inner === undefined ? ipv4At(input.data) : 0;
  if (start < 0) return false;
  const asked = packetAt(input.inner ?? input.data, start);
  if (asked.fragment || answer.fragment) return false;
  // The host answers from the very address that was asked.
  if (answer.src !== asked.dst || answer.dst !== asked.src) return false;
  if (isServer(input)) return answer.protocol === asked.protocol && isSwapped(asked, answer);
  switch (asked.protocol) {
    case ICMP:
      return isReply(asked, answer);
    case TCP:
      return isReset(asked, answer);
    case UDP:
      return isUnreachable(PORT_UNREACHABLE, asked, answer);
    case SCTP:
      return answer.protocol === SCTP && isSwapped(asked, answer) && answer.body[12] === SCTP_ABORT;
    default:
      if (TUNNELS.includes(asked.protocol) && isUnreachable(PORT_UNREACHABLE, asked, answer)) return true;
      return isUnreachable(PROTOCOL_UNREACHABLE, asked, answer);
  }
}

/** An IPv4 packet without link header and padding. */
interface Packet {
  readonly whole: Uint8Array;
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
  readonly fragment: boolean;
  /** What follows the header. */
  readonly body: Uint8Array;
}

function packetAt(frame: Uint8Array, at: number): Packet {
  const whole = frame.subarray(at, at + readU16(frame, at + 2));
  return {
    whole,
    protocol: frame[at + 9]!,
    src: readUint(frame, at + 12, 4),
    dst: readUint(frame, at + 16, 4),
    fragment: (readU16(frame, at + 6) & 0x3fff) !== 0,
    body: whole.subarray((frame[at]! & 15) * 4),
  };
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
function isReply({ body: asked }: Packet, { protocol, body: answer }: Packet): boolean {
  if (protocol !== ICMP || asked.length < 8 || answer.length < 8 || asked[1] !== 0 || answer[1] !== 0) return false;
  return answer[0] === REPLIES[asked[0]!] && readUint(answer, 4, 4) === readUint(asked, 4, 4);
}

/** Destination unreachable that quotes the packet itself: its header and 8 bytes at least (RFC 792). */
function isUnreachable(code: number, asked: Packet, { protocol, body }: Packet): boolean {
  if (protocol !== ICMP || body[0] !== UNREACHABLE || body[1] !== code) return false;
  const quoted = body.subarray(8);
  const header = asked.whole.length - asked.body.length;
  if (quoted.length < Math.min(header + 8, asked.whole.length)) return false;
  // The host writes into IP options before it looks at what they come with.
  return quoted.every((byte, i) => byte === asked.whole[i] || (i >= 20 && i < header));
}

const ARP_REQUEST = 1;
const ARP_REPLY = 2;

/** Whether `frame` says what the ARP request `asked` wants to know. */
function isArpReply(asked: Uint8Array, frame: Uint8Array): boolean {
  const [from, to] = [arpOf(asked), arpOf(frame)];
  if (from?.operation !== ARP_REQUEST || to?.operation !== ARP_REPLY) return false;
  return to.sender === from.target && to.target === from.sender;
}

/** Where an ARP packet starts, if it is one. */
function arpAt(frame: Uint8Array): number {
  return readU16(frame, 12) === 0x8100 ? 18 : 14;
}

function arpOf(frame: Uint8Array): { operation: number; sender: number; target: number } | undefined {
  const at = arpAt(frame);
  if (readU16(frame, at - 2) !== 0x0806 || frame.length < at + 28) return undefined;
  return {
    operation: readU16(frame, at + 6),
    sender: readUint(frame, at + 14, 4),
    target: readUint(frame, at + 24, 4),
  };
}
