/**
 * What both ends say of connections behind a SYN proxy: to cookies, to SYNs, and afterwards, with numbers that fit what they
 * were told last, mostly.
 *
 * @module
 */
import { ACK, counting, FIN, hex, join, RST, SYN, tcp } from '../../support/packets.js';
import type { Choices } from './choices.js';
import { endsOf as addressesOf } from './errors.js';
import { familyOf, HOSTS } from './hosts.js';
import { type Ends, ipWords } from './packets.js';
import type { Step } from './steps.js';
import { type Context, endsOf, type Known, type Packet } from './traffic.js';
import { MARK } from './world.js';

const [PSH, URG] = [8, 32];

/** A segment of TCP that was sent. */
interface Sent extends Omit<Ends, 'protocol'> {
  seq: number;
  ack: number;
  flags: number;
  /** Bytes of data. */
  length: number;
  /** Of its timestamps; 0: none. */
  stamp: number;
}

interface Says {
  flags: number;
  seq: number;
  ack: number;
  window: number;
  tcpOptions?: Uint8Array;
  payload?: Uint8Array;
}

/** Windows, small ones and those that scales make too large. */
const WINDOWS = [64_240, 502, 0, 1, 65_535, 3000, 128];

/** A packet of that kind; `undefined`: as of any service. */
export function proxiedPacket(kind: Step['kind'], choices: Choices, context: Context): Packet | undefined {
  const sent = context.seen.flatMap(readSegment);
  if (kind === 'open') return begin(choices, context);
  if (kind === 'cookie') return answerCookie(choices, context, sent);
  if (kind === 'asked') return answerSyn(choices, context, sent);
  if (kind === 'talk') return talk(choices, context, sent);
  if (kind === 'stray') return choices.once(2) ? answerCookie(choices, context, sent) : undefined;
  if (kind !== 'again') return undefined;
  switch (choices.below(6)) {
    case 0:
      return answerCookie(choices, context, sent);
    case 1:
      return answerSyn(choices, context, sent);
    case 2:
      return undefined;
    default:
      return talk(choices, context, sent);
  }
}

/** A client calls, perhaps one that has a connection. */
function begin(choices: Choices, { connections, proxies = [] }: Context): Packet | undefined {
  const known = choices.once(3) ? pick(choices, connections.filter(isTcp)) : undefined;
  const proxy = pick(choices, proxies);
  if (proxy === undefined || choices.once(10)) return undefined;
  const says = {
    ...{ seq: choices.of([1000, 9000, 1001]), ack: 0, window: choices.of(WINDOWS) },
    flags: choices.of([SYN, SYN, SYN, SYN, SYN, SYN, SYN, SYN | PSH, SYN | URG, SYN | FIN, ACK, RST]),
    ...offer(choices),
    payload: counting(choices.of([0, 0, 0, 1, 100])),
  };
  if (known !== undefined) return make(choices, endsOf(known, known.clientPort, false), says);
  const family = 'fwmark' in proxy ? (proxy.family ?? 4) : familyOf(proxy.address);
  const { clients, own, vips } = HOSTS[family];
  const ends = {
    source: choices.once(6) ? choices.of(clients) : (clients[0] as string),
    sport: choices.of([1000, 1000, 1001, 1000, 40_000, 1002, 1000, 0, 1001, 20]),
    destination: 'fwmark' in proxy ? choices.of([own, vips[0]]) : proxy.address,
    dport: 'fwmark' in proxy ? 8080 : proxy.port || choices.of([8080, 81]),
  };
  const made = make(choices, { wire: 'cli', ...ends }, says);
  return 'fwmark' in proxy ? { ...made, mark: MARK } : made;
}

/** A client hears a cookie, or guesses one. */
function answerCookie(choices: Choices, { proxies = [] }: Context, sent: readonly Sent[]): Packet | undefined {
  const cookie = sent.filter(({ flags }) => (flags & (SYN | ACK)) === (SYN | ACK))[choices.of([0, 0, 0, 1, 2])];
  if (cookie === undefined) return undefined;
  const off = choices.once(6) ? choices.of([1, 2048, 0x80000000]) : 0;
  const stamps = cookie.stamp === 0 ? choices.once(12) : !choices.once(8);
  const says = {
    flags: ACK | choices.of([0, 0, 0, PSH, FIN, 0, URG]),
    seq: (cookie.ack - choices.of([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2])) >>> 0,
    ack: (cookie.seq + 1 + off) >>> 0,
    window: choices.of(WINDOWS),
    tcpOptions: options({ stamps: stamps ? [5005, cookie.stamp] : undefined }, choices.below(4)),
    payload: counting(choices.of([0, 0, 1, 100])),
  };
  const made = make(choices, back(cookie, 'cli'), says);
  // Who marks packets marks all of a client.
  const isMarked = cookie.sport === 8080 && proxies.some((proxy) => 'fwmark' in proxy);
  return isMarked ? { ...made, mark: MARK } : made;
}

/** A server hears of a client, and answers in all ways. */
function answerSyn(choices: Choices, { connections }: Context, sent: readonly Sent[]): Packet | undefined {
  const known = pick(
    choices,
    connections.filter((each) => isTcp(each) && (each.state === 'SYN_SENT' || choices.once(4))),
  );
  if (known === undefined) return undefined;
  const ends = endsOf(known, known.clientPort, true);
  const syn = sent.find((each) => isBetween(each, ends) && (each.flags & SYN) !== 0);
  const says = {
    flags: choices.of([
      ...new Array<number>(9).fill(SYN | ACK),
      RST | ACK,
      ACK,
      RST,
      SYN,
      FIN | ACK,
      0,
      SYN | ACK | PSH,
    ]),
    seq: choices.of([2000, 2000, 0xfffffff0]),
    ack: ((syn?.seq ?? 1000) + choices.of([1, 1, 1, 1, 1, 1, 1, 1, 0, 77])) >>> 0,
    window: choices.of(WINDOWS),
  };
  const stamps: readonly [number, number] | undefined = choices.once(8) ? undefined : [900, syn?.stamp ?? 0];
  return make(choices, ends, { ...says, ...offer(choices, stamps) });
}

/** Either end says something that follows what it heard last. */
function talk(choices: Choices, { connections }: Context, sent: readonly Sent[]): Packet | undefined {
  const known = pick(choices, connections.filter(isTcp));
  if (known === undefined) return undefined;
  const ends = endsOf(known, known.clientPort, choices.once(2));
  const heard = sent.find((each) => isBetween(each, ends));
  if (heard === undefined) return undefined;
  const near = () => choices.of([0, 0, 1, 100, -1, 0x7fffffff]);
  const got = choices.of([0, heard.length]);
  const [seq, ack] = [(heard.ack + near()) >>> 0, (heard.seq + got + near()) >>> 0];
  const stamps: readonly [number, number] | undefined = choices.once(3) ? undefined : [choices.word(), heard.stamp];
  const sack = choices.maybe(3, [
    [ack + 10, ack + 20],
    [ack + 10, ack + 20, ack - 20, ack - 10],
  ]);
  return make(choices, ends, {
    ...{ seq, ack, window: choices.of(WINDOWS) },
    flags: choices.of([ACK, ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN, SYN | ACK, ACK | URG, 0]),
    tcpOptions: options({ stamps, sack }, choices.below(4)),
    payload: counting(choices.of([0, 0, 0, 1, 100, 1240])),
  });
}

function make(choices: Choices, { wire, ...ends }: Omit<Ends, 'protocol'> & Pick<Packet, 'wire'>, says: Says): Packet {
  const words = ipWords(choices, ends.source, ends.destination, !choices.once(6));
  const partial = choices.once(10) && !(words.extensions ?? []).some(([number]) => number === 44);
  const wrong = choices.once(20) ? { checksum: 0x1234 } : {};
  return { packet: tcp({ ...words, ...ends, ...says, partial, ...wrong }), partial, wire };
}

/** Options of a SYN, or of a SYN-ACK with those timestamps. */
function offer(
  choices: Choices,
  stamps: readonly [number, number] | undefined = choices.once(3) ? undefined : [5000, 0],
): Pick<Says, 'tcpOptions'> {
  const mss = choices.of([1460, 1460, undefined, 300, 8960, 0, 1400]);
  const scale = choices.of([9, 3, 0, undefined, 14, 200]);
  return { tcpOptions: options({ mss, scale, stamps, permits: choices.once(2) }, choices.of([0, 0, 0, 1, 3])) };
}

interface Options {
  mss?: number | undefined;
  scale?: number | undefined;
  permits?: boolean;
  stamps?: readonly [number, number] | undefined;
  sack?: readonly number[] | undefined;
}

/** Behind so many NOPs, filled up with what ends them. */
function options({ mss, scale, permits = false, stamps, sack }: Options, pad: number): Uint8Array {
  const word = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
  const all = hex(
    [
      '01'.repeat(pad),
      mss === undefined ? '' : `0204${word(mss).slice(4)}`,
      permits ? '0402' : '',
      stamps === undefined ? '' : `080a${stamps.map(word).join('')}`,
      scale === undefined ? '' : `0303${word(scale).slice(6)}`,
      sack === undefined ? '' : `05${word(2 + sack.length * 4).slice(6)}${sack.map(word).join('')}`,
    ].join(''),
  );
  return join(all, new Uint8Array(-all.length & 3));
}

function pick<T>(choices: Choices, all: readonly T[]): T | undefined {
  return all[choices.below(Math.max(1, all.length))];
}

function isTcp({ protocol, method }: Known): boolean {
  return protocol === 'tcp' && (method === 'nat' || method === 'fullnat');
}

/** Whether a segment was sent to whom packets between `ends` come from. */
function isBetween(sent: Sent, ends: Omit<Ends, 'protocol'>): boolean {
  const isPort = sent.sport === ends.dport && sent.dport === ends.sport;
  return isPort && familyOf(sent.source) === familyOf(ends.source);
}

/** Between whom it is answered. */
function back({ source, destination, sport, dport }: Sent, wire: Packet['wire']) {
  return { wire, source: destination, destination: source, sport: dport, dport: sport };
}

function readSegment(packet: Uint8Array): Sent[] {
  const ends = addressesOf(packet);
  const v6 = (packet[0] ?? 0) >> 4 === 6;
  const at = v6 ? 40 : ((packet[0] ?? 0) & 15) * 4;
  if (ends === undefined || packet[v6 ? 6 : 9] !== 6 || packet.length < at + 20) return [];
  const view = new DataView(packet.buffer, packet.byteOffset + at, packet.length - at);
  const end = Math.min((view.getUint8(12) >> 4) * 4, view.byteLength);
  let stamp = 0;
  for (
    let option = 20;
    option + 10 <= end;
    option += view.getUint8(option) === 1 ? 1 : Math.max(2, view.getUint8(option + 1))
  ) {
    if (view.getUint16(option) === 0x080a) stamp = view.getUint32(option + 2);
  }
  return [
    {
      ...ends,
      sport: view.getUint16(0),
      dport: view.getUint16(2),
      ...{ seq: view.getUint32(4), ack: view.getUint32(8), flags: view.getUint8(13) },
      ...{ length: view.byteLength - end, stamp },
    },
  ];
}
