/**
 * A client that has answered its cookie, and its server by FullNAT or NAT64, which may be told who that is.
 *
 * @module
 */
import { expect } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { judged } from '../support/lab.js';
import { ACK, hex, join, SYN, type TransportWords, tcp, toHex } from '../support/packets.js';
import {
  type Ends,
  ISN,
  isV6,
  left,
  ofClient,
  ofServer,
  proxy,
  SERVER_ISN,
  toldOf,
  u32,
  type Way,
  type Words,
} from './lab.js';

export const at = (base: number, offset: number): number => (base + offset) >>> 0;

/** What the client offers: MSS 9000, SACK, timestamps, window scale. */
const OFFERED = { mss: 9000, sackPermitted: true, stamps: [1000, 0], scale: 9 } as const;
/** How its server answers, with timestamps or without. */
const answered = (isStamped: boolean) => ({
  mss: 1460,
  sackPermitted: true,
  scale: 7,
  ...(isStamped && { stamps: [900, 1005] as const }),
});
export const OPTIONS = { plan: { connections: 256, arenaBytes: 1 << 17, localAddresses: 1 } };

/** What the director's own packets are. */
export const OWN = { id: 0, df: true, ttl: 64 };

/** A client that has answered its cookie, with what `words` say, and what the server gets of it. */
export class Talk {
  readonly ends: Ends;
  readonly director: Director;
  readonly toa: Uint8Array;
  readonly prefix: Uint8Array;
  /** Other profiles know no timestamps. */
  readonly isLinux: boolean;
  readonly isAlibaba: boolean;
  readonly told: number;
  readonly cookie: number;
  readonly syn: Uint8Array;
  readonly lport: number;
  /** The first number that the server gets. */
  readonly isn: number;

  constructor(ends: Ends, way: Way, words: Words = {}, options = {}) {
    this.ends = ends;
    this.director = proxy(ends, { ...OPTIONS, ...options }, way);
    ({ toa: this.toa, prefix: this.prefix } = toldOf(way, ends));
    this.isLinux = way.profile === 'linux';
    this.isAlibaba = way.profile === 'alibaba';
    const answer = left(this.director.send(ofClient(ends, { options: OFFERED }), 'cli', 0))[0]!;
    this.told = answer.options.mss!;
    this.cookie = answer.seq;
    const outcomes = this.#client(words, 0, this.director);
    expect(judged(outcomes)).toEqual(['forward syn-proxied']);
    this.syn = outcomes[0]!.frame.subarray(14);
    const l4 = isV6(ends.server) ? 40 : 20;
    const view = new DataView(this.syn.buffer, this.syn.byteOffset);
    this.lport = view.getUint16(l4);
    this.isn = view.getUint32(l4 + 4);
  }

  #client(words: Words, now: number, to: Director): Outcome[] {
    const stamps = this.isLinux ? { stamps: [1005 + now, 7] as const } : {};
    const usual = { seq: at(ISN, 1), ack: at(this.cookie, 1), flags: ACK, window: 502, options: stamps };
    const all = { ...usual, ...words };
    // Timestamps as nearly all have them.
    return to.send(ofClient(this.ends, all, all.options.stamps === undefined ? 0 : 2), 'cli', now);
  }

  /** A segment of the client, `from` bytes behind its first one. */
  client(from: number, words: Words = {}, to = this.director): Outcome[] {
    return this.#client({ seq: at(ISN, 1 + from), ...words }, 10, to);
  }

  /** A segment of the server, that acknowledges `got` bytes of what it gets. */
  server(got: number, words: Words = {}, to = this.director): Outcome[] {
    const usual = { seq: at(SERVER_ISN, 1), flags: ACK, dport: this.lport };
    const frame = ofServer(this.ends, { ...usual, ...words, ack: at(this.isn, 1 + got) });
    return to.send(frame, 'srv', 5);
  }

  /** Its answer to its SYN. */
  connect(to = this.director): Outcome[] {
    return this.server(0, { seq: SERVER_ISN, flags: SYN | ACK, options: answered(this.isLinux) }, to);
  }

  /** A packet that the server gets. */
  expected(words: Partial<TransportWords>): string {
    const { local, server } = this.ends;
    const usual = { sport: this.lport, dport: 8080, source: local!, destination: server, ack: at(SERVER_ISN, 1) };
    return toHex(tcp({ ...usual, flags: ACK, window: 502, ...words }));
  }

  /** What is known of the headers of client's packets, in hexadecimal, that have gone on: NAT64 makes new ones. */
  forwarded(sent: readonly string[]): Partial<TransportWords>[] {
    const ttl = this.isLinux ? 63 : 64;
    if (isV6(this.ends.client) === isV6(this.ends.server)) return sent.map(() => ({ ttl }));
    if (!this.isLinux) return sent.map(() => OWN);
    return sent.map((packet) => ({ ttl, id: Number.parseInt(packet.slice(8, 12), 16) }));
  }

  /** Timestamps behind two NOPs, where there are some. */
  stamps(value: number, echo: number): Uint8Array {
    return this.isLinux ? join(hex('0101080a'), u32(value), u32(echo)) : new Uint8Array(0);
  }
}

export const packetOf = ({ frame }: Outcome): string => toHex(frame.subarray(14));
export const packets = (outcomes: readonly Outcome[], out: 'cli' | 'srv'): string[] =>
  outcomes.filter(({ outInterface }) => outInterface === out).map(packetOf);
