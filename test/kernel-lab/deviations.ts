/**
 * Differences that docs/deviations.md lists and that cases may run into, by name.
 *
 * @module
 */
import { layersOf } from '../../src/decode/layers.js';
import { macText, readU16 } from '../../src/decode/text.js';
import type { SentFrame } from '../../src/scenario/compare.js';
import { packetOf } from '../../src/scenario/packet.js';
import { checksum } from '../support/packets.js';
import { ICMP, ICMP6, SCTP, TCP, UDP } from './generate/bytes.js';
import { MARK_MAC, MARKED } from './generate/world.js';
import { type Identity, identitiesIn, isSameButSource } from './identity.js';
import type { TableDifference } from './tables.js';
import type { Emitted } from './uml.js';

/** A packet and what the two made of it. */
export interface Compared {
  readonly frame: Uint8Array;
  /** What the kernel sent. */
  readonly emitted: readonly Emitted[];
  /** What the core sent. */
  readonly sent: readonly SentFrame[];
  /** The director's addresses. */
  readonly own: ReadonlySet<string>;
  /** Of the kernel, such as 6.1.176. */
  readonly release: string;
  /** Ends of packets of clients that the core sent on by DR or TUN ({@link servedBy}) before this one. */
  readonly served: ReadonlySet<string>;
}

/** Port from which FTP's servers send data: nobody schedules it. */
const FTP_DATA = 20;

interface Deviation {
  readonly name: string;
  accounts(compared: Compared): boolean;
}

const DEVIATIONS: readonly Deviation[] = [
  {
    // An ICMP error that the kernel owes itself, about a packet from one of its addresses or what was in such a tunnel
    // packet, goes through its own input, and from there to a server, or by a tunnel's device to whom that carried for.
    name: 'errors to itself',
    accounts: tellsItself,
  },
  {
    // An error goes to nobody who is many (RFC 1122 §3.2.2).
    name: 'errors to broadcast addresses',
    accounts({ emitted, sent }) {
      const isToAll = (data: Uint8Array) => data.subarray(0, 6).every((byte) => byte === 0xff);
      return (
        emitted.length > 0 &&
        emitted.every(({ data }) => isToAll(data) && packetOf(data)?.protocol === ICMP) &&
        sent.length === 0
      );
    },
  },
  {
    // Linux sums an ICMPv6 error of a server without the pseudo-header, and drops it unless something verified it before:
    // connection tracking, as in the captures, or the network card.
    name: 'unverified ICMPv6 errors',
    accounts({ emitted, sent }) {
      const isOut = ({ packet, data }: SentFrame) => packet.reason === 'icmp-out' && packetOf(data)?.version === 6;
      return emitted.length === 0 && sent.length > 0 && sent.every(isOut);
    },
  },
  {
    // Nobody verifies checksums before IPVS: it drops such errors to DR and TUN, too. These do not change the message.
    name: 'unverified ICMP errors',
    accounts({ frame, emitted, sent }) {
      const message = errorIn(frame);
      if (emitted.length > 0 || message === undefined || !isOnePacket(sent)) return false;
      // It may leave in fragments.
      const body = Buffer.concat(sent.map(({ data }) => packetOf(data)?.body ?? new Uint8Array()));
      return checksum(message) !== 0 && body.subarray(-message.length).equals(message);
    },
  },
  {
    // It looks like an error of that server about the client's packet, to be translated: Linux asks for its own errors, too.
    name: 'errors about a client to itself',
    accounts({ emitted, sent }) {
      const isToItself = (data: Uint8Array) =>
        identitiesIn(data, 'quoted.').some(
          (one) => one.source === one.destination && one.sourcePort === one.rest.slice(0, 4),
        );
      const [only] = sent;
      return (
        sent.length === 1 &&
        only?.packet.made === true &&
        isToItself(only.data) &&
        emitted.every(({ data }) => isIcmp(data))
      );
    },
  },
  {
    // The same, about what a client sends straight to a server that it has a connection by NAT to.
    name: 'errors about a client past its service',
    accounts({ emitted, sent, own }) {
      const [theirs, ours] = [emitted, sent].map((all) => (all.length === 1 ? all[0]?.data : undefined));
      if (theirs === undefined || ours === undefined || sent[0]?.packet.made !== true) return false;
      const from = packetOf(theirs)?.src ?? '';
      const [told, sentTo] = [theirs, ours].map((data) => identitiesIn(data, 'quoted.')[0]);
      const isSameClient = told?.source === sentTo?.source && told?.sourcePort === sentTo?.sourcePort;
      return isSameClient && told?.destination === from && own.has(from) && sentTo?.destination !== from;
    },
  },
  {
    // An error to the address of a service by mark alone, whose server or whoever has it sent the packet, goes to a server.
    name: 'errors to an address by mark',
    accounts({ emitted, sent, own }) {
      const ours = sent.length === 1 && sent[0]?.packet.made ? packetOf(sent[0].data) : undefined;
      if (ours === undefined || emitted.length > 1 || own.has(ours.dst)) return false;
      const isMarked = Object.values(MARKED).some((all) => all.some((address) => address === ours.dst));
      const quoted = (data: Uint8Array) => identitiesIn(data, 'quoted.').map(({ destination }) => destination);
      const toClient = quoted(sent[0]!.data)[0];
      return isMarked && emitted.every(({ data }) => quoted(data).some((destination) => destination === toClient));
    },
  },
  {
    // A packet is the host's by its mark alone, and so is the answer: as to one of its addresses.
    name: 'answers of the host by mark',
    accounts({ frame, emitted, sent, own }) {
      const [asked, answer] = [frame, emitted[0]?.data].map((data) => data && packetOf(data));
      if (asked === undefined || answer === undefined || emitted.length > 1 || sent.length > 0) return false;
      if (own.has(asked.dst) || answer.dst !== asked.src || macText(frame, 6) !== MARK_MAC) return false;
      // IPVS itself says that there is no server, but of none from there.
      const [type, code] = answer.body;
      const isNoServer = answer.protocol === ICMP ? type === 3 && code === 3 : type === 1 && code === 4;
      const isOfIpvs = (answer.protocol === ICMP || answer.protocol === ICMP6) && isNoServer;
      return !isOfIpvs || readU16(asked.body, 0) === FTP_DATA;
    },
  },
  {
    // Which buffers the guest's network card lets it join is chance, and with them it forgets the boundaries.
    name: 'fragments cut anew',
    accounts: isCutAnew,
  },
  {
    // 6.1.192 tells a client how much gets through a tunnel without all of its headers, 6.1.176 without the IP header alone.
    name: 'MTU without GRE or GUE',
    accounts(compared) {
      return isOlder(compared.release, [6, 1, 192]) && isToldTooMuch(compared);
    },
  },
];

function isOlder(release: string, than: readonly number[]): boolean {
  const numbers = release.split('.').map((part) => Number.parseInt(part, 10));
  const at = than.findIndex((number, i) => number !== numbers[i]);
  return at >= 0 && (numbers[at] ?? 0) < (than[at] as number);
}

/** Whether both told the client of a tunnel of GRE or GUE what gets through, and the kernel forgot that header. */
function isToldTooMuch({ frame, emitted, sent }: Compared): boolean {
  const [theirs, ours] = [emitted, sent].map((all) => (all.length === 1 ? packetOf(all[0]!.data) : undefined));
  const layers = layersOf(frame);
  const inner = layers.find(({ kind, prefix }) => kind === 'ip' && prefix === 'quoted.inner.');
  const outer = layers.find(({ kind, prefix }) => kind === 'ip' && prefix === 'quoted.');
  if (!theirs || !ours || !inner || !outer || sent[0]?.packet.reason !== 'icmp-relayed') return false;
  const [told, known] = [theirs.body, ours.body].map(mtuIn);
  const isSameBut = theirs.dst === ours.dst && Buffer.from(theirs.body.subarray(8)).equals(ours.body.subarray(8));
  return isSameBut && told !== undefined && known !== undefined && told - known === inner.start - outer.payload;
}

/** The MTU in an ICMP message, if it is one about that. */
function mtuIn(message: Uint8Array): number | undefined {
  const [type, code, , , , , high = 0, low = 0] = message;
  return type === 3 && code === 4 ? (high << 8) | low : undefined;
}

function isIcmp(frame: Uint8Array): boolean {
  const protocol = packetOf(frame)?.protocol;
  return protocol === ICMP || protocol === ICMP6;
}

/** Whether both sent one packet in fragments, those of the kernel of one length but for the last. */
function isCutAnew({ frame, emitted, sent }: Compared): boolean {
  const theirs = emitted.map(({ data }) => packetOf(data));
  const ours = sent.map(({ data }) => packetOf(data));
  const [first] = theirs;
  const all = [...theirs, ...ours];
  if (first === undefined || packetOf(frame)?.fragment !== true || sent.length < 2) return false;
  const isOne = all.every((one) => one?.fragment && one.src === first.src && one.dst === first.dst);
  const isEven = theirs.slice(0, -1).every((one) => one?.body.length === first.body.length);
  const whole = (pieces: typeof all) => {
    const bytes = Buffer.concat(pieces.map((one) => one?.body ?? new Uint8Array()));
    // The port of GUE is the kernel's choice, and the checksum follows it.
    if (sent[0]?.packet.reason === 'tunnel-gue') for (const at of [0, 6]) bytes.fill(0, at, at + 2);
    return bytes;
  };
  return isOne && isEven && whole(theirs).equals(whole(ours));
}

/** Whether the frames are an error to a server, whole or cut. */
function isOnePacket(sent: readonly SentFrame[]): boolean {
  const packet = sent[0]?.packet;
  return packet?.reason === 'icmp-in' && sent.every((one) => one.packet.number === packet.number);
}

function tellsItself({ frame, emitted, sent, own }: Compared): boolean {
  const all = identitiesIn(frame);
  const first = all.findIndex(({ source }) => own.has(source));
  const about = first < 0 ? [] : all.slice(first);
  const tells = (data: Uint8Array) =>
    quotedIn(data).some((quoted) => about.some((one) => isSameButSource(one, quoted)));
  // What is quoted may lie in several fragments.
  const [piece] = emitted;
  if (emitted.length > 1 && piece !== undefined && emitted.every(({ data }) => isPieceOf(data, piece.data))) {
    return sent.length === 0 && tells(joined(emitted.map(({ data }) => data)));
  }
  const errors = emitted.filter(({ data }) => tells(data));
  const isRest = (data: Uint8Array) => errors.some((error) => isPieceOf(data, error.data));
  return sent.length === 0 && emitted.every(({ data }) => tells(data) || isRest(data));
}

/** Whether two frames may hold fragments of one packet. */
function isPieceOf(frame: Uint8Array, first: Uint8Array): boolean {
  const [a, b] = [packetOf(frame), packetOf(first)];
  return a?.fragment === true && b?.fragment === true && a.src === b.src && a.dst === b.dst;
}

/** The packet that frames hold the fragments of, in order: the first one's header, with all that they carry behind it. */
function joined(frames: readonly Uint8Array[]): Uint8Array {
  const packets = frames.map((frame) => packetOf(frame));
  const [first] = packets;
  const [frame] = frames;
  if (first === undefined || frame === undefined || first.version !== 4) return new Uint8Array();
  const head = frame.subarray(0, first.body.byteOffset - frame.byteOffset);
  const whole = Buffer.concat([head, ...packets.map((one) => one?.body ?? new Uint8Array())]);
  const ip = first.whole.byteOffset - frame.byteOffset;
  whole.writeUInt16BE(whole.length - ip, ip + 2);
  whole.writeUInt16BE(0, ip + 6);
  return whole;
}

/** What an ICMP error quotes, be it in a tunnel or not. */
function quotedIn(frame: Uint8Array): Identity[] {
  return [...identitiesIn(frame, 'quoted.'), ...identitiesIn(frame, 'inner.quoted.')];
}

/** The ICMP message in a frame, be it in a tunnel or not. */
function errorIn(frame: Uint8Array): Uint8Array | undefined {
  const layers = packetOf(frame)?.layers ?? [];
  const error = layers.find(({ kind, prefix }) => kind === 'icmp' && !prefix.includes('quoted.'));
  return error && frame.subarray(error.start, layers[0]?.end);
}

const RST = 0x04;
const ABORT = 6;

/**
 * The name of the deviation after which connections may be others, as the core cannot know; `undefined`: go on. `scheduling`:
 * whether schedule_icmp is on.
 *
 * A client's packet from port 0 belongs to no connection, so the host refuses it by RST or ABORT, and by that Linux
 * closes the client's newest connection from there, if it is not one of NAT. So it does when no other connection can be made
 * in the place of one that a SYN or INIT ends. An error that the kernel owes itself opens
 * the connection that it tells of, if there is none, as there never is for port 0.
 */
export function endsCase(compared: Compared, scheduling: boolean): string | undefined {
  const { frame, emitted, sent, own } = compared;
  if (sent.length > 0) return undefined;
  const refused = emitted.flatMap(({ data }) => refusedBy(data, own) ?? []);
  if (refused.some((ends) => ends.startsWith('0 '))) return 'host refuses port 0';
  if (refused.some((ends) => compared.served.has(ends))) return 'host refuses a connection';
  const about = identitiesIn(frame).filter(({ source }) => own.has(source));
  const isTold = emitted.length > 0 && tellsItself(compared);
  const toPortZero = emitted.length === 0 && about.some(({ rest }) => rest.startsWith('0000'));
  return scheduling && about.length > 0 && (isTold || toPortZero) ? 'errors to itself with schedule_icmp' : undefined;
}

/** Ends of the client's packet that a frame of the host refuses; `undefined`: it refuses none. */
function refusedBy(frame: Uint8Array, own: ReadonlySet<string>): string | undefined {
  const { src, dst, protocol, body } = packetOf(frame) ?? {};
  if (src === undefined || dst === undefined || body === undefined || !own.has(src)) return undefined;
  const refuses = protocol === TCP ? ((body[13] ?? 0) & RST) !== 0 : protocol === SCTP && body[12] === ABORT;
  const port = (at: number) => ((body[at] ?? 0) << 8) | (body[at + 1] ?? 0);
  return refuses ? endsOf(port(2), dst, port(0), src) : undefined;
}

/** Ends of the client's packet that the core sent on by DR or TUN. */
export function servedBy({ packet: { reason }, data }: SentFrame): string | undefined {
  if (reason !== 'direct-route' && !reason.startsWith('tunnel-')) return undefined;
  const inside = identitiesIn(data).at(-1);
  if (inside === undefined) return undefined;
  const { source, destination, sourcePort, rest } = inside;
  return endsOf(Number.parseInt(sourcePort, 16), source, Number.parseInt(rest.slice(0, 4), 16), destination);
}

function endsOf(clientPort: number, client: string, port: number, virtual: string): string {
  return `${clientPort} ${client} ${port} ${virtual}`;
}

/** Ends of the packets of clients from port 0 in a frame, be they in a tunnel or not. */
export function fromPortZero(frame: Uint8Array): string[] {
  return identitiesIn(frame)
    .filter(({ sourcePort }) => sourcePort === '0000')
    .map(({ source, destination, rest }) => `${source} 0 > ${destination} ${Number.parseInt(rest.slice(0, 4), 16)}`);
}

/**
 * Whether tables differ in nothing but states and times of connections from port 0, of a client that opened several:
 * when the newest has ended, what its server sends belongs in the kernel to the one before it. Counts of dests follow states.
 */
export function isOlderFromZero(tables: readonly TableDifference[], sent: ReadonlyMap<string, number>): boolean {
  const several = [...sent].flatMap(([ends, times]) => (times > 1 ? [` ${ends} > `] : []));
  const surplus = new Map<string, number>();
  for (const one of tables) {
    if (one.ends !== undefined) surplus.set(one.ends, (surplus.get(one.ends) ?? 0) + one.surplus);
  }
  const all = [...surplus];
  return all.length > 0 && all.every(([ends, more]) => more === 0 && several.some((text) => ends.includes(text)));
}

/** Bytes of the fixed header. */
const HEADERS: Readonly<Record<number, readonly [name: string, bytes: number]>> = {
  [TCP]: ['TCP', 20],
  [UDP]: ['UDP', 8],
  [SCTP]: ['SCTP', 12],
};

/** How a connection may begin, and end, to which a packet belongs that has ports but not all of its transport header. */
export function cutShort(frame: Uint8Array): [begin: string, end: string][] {
  const packet = packetOf(frame);
  const [name, bytes] = HEADERS[packet?.protocol ?? 0] ?? [];
  if (packet === undefined || bytes === undefined || packet.body.length < 4 || packet.body.length >= bytes) return [];
  const [source, destination] = [packet.src, packet.dst].map((address, i) => {
    return `${address} ${((packet.body[2 * i] ?? 0) << 8) | (packet.body[2 * i + 1] ?? 0)}`;
  });
  return [
    [`${name} ${source} > ${destination} > `, ''],
    [`${name} ${destination} > `, ` > ${source}`],
  ];
}

/** Whether a connection ends later in the kernel, as one of the packets {@link cutShort} made its timer begin anew. */
export function isBegunAnew({ ends, surplus, text }: TableDifference, cut: readonly [string, string][]): boolean {
  if (ends === undefined || surplus !== 0) return false;
  const [ours = 0, theirs = 0] = /ends in ([\d.]+) s, in the kernel in (\d+) s/.exec(text)?.slice(1).map(Number) ?? [];
  return theirs > ours && cut.some(([begin, end]) => ends.startsWith(begin) && ends.endsWith(end));
}

/** The name of the deviation that explains why the core sent something else; `undefined`: none does. */
export function accountFor(compared: Compared): string | undefined {
  return DEVIATIONS.find((one) => one.accounts(compared))?.name;
}
