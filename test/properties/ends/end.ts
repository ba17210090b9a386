/**
 * One end of a TCP connection, as far as its numbers go: it sends a stream, acknowledges another one, also in pieces, and
 * knows of nothing in between.
 *
 * @module
 */
import { ACK, FIN, RST, SYN } from '../../support/packets.js';

/** A segment in the numbers of whoever sends or gets it. */
export interface Segment {
  flags: number;
  seq: number;
  ack: number;
  /** What is acknowledged beyond `ack`: pairs of numbers. */
  sack: readonly (readonly [from: number, to: number])[];
  data: Uint8Array;
}

/** The same, counted from the first byte of each stream: what both ends must agree on. */
export interface Meaning {
  flags: number;
  /** -1: of a SYN. */
  from: number;
  upTo: number;
  sack: readonly (readonly [from: number, to: number])[];
  data: Uint8Array;
}

const MOST_SACKS = 3;

/** The sign of what lies before. */
const behind = (number: number, of: number): number => (number - of) | 0;

export class End {
  readonly #iss: number;
  readonly #stream: Uint8Array;
  readonly #isServer: boolean;
  /** The other end's first number. */
  #irs: number | undefined;
  /** Bytes that were sent once, and that the other end has. */
  #sent = 0;
  #taken = 0;
  #isOpen = false;
  readonly #got: (number | undefined)[] = [];
  readonly #expected: Uint8Array;

  /** @param stream what it sends; @param expected what it is to get */
  constructor(iss: number, stream: Uint8Array, expected: Uint8Array, isServer: boolean) {
    this.#iss = iss;
    this.#stream = stream;
    this.#expected = expected;
    this.#isServer = isServer;
  }

  /** Whether it has got all, and knows that the other end has. */
  get isDone(): boolean {
    return this.#isOpen && this.#taken === this.#stream.length && this.#inOrder() === this.#expected.length;
  }

  /** Bytes that the other end does not have, as far as is known here. */
  get open(): number {
    return this.#stream.length - this.#taken;
  }

  /**
   * Its next segment: of the handshake, or `length` bytes; again from what was not acknowledged, or further. Nothing while
   * there is nobody to talk to.
   */
  make(isAgain: boolean, skip: number, length: number): { segment: Segment; meaning: Meaning } | undefined {
    if (this.#irs === undefined) return this.#isServer ? undefined : this.#make(SYN, -1, 0);
    if (!this.#isOpen && this.#isServer) return this.#make(SYN | ACK, -1, 0);
    const from = isAgain ? Math.min(this.#taken + skip, this.#sent) : this.#sent;
    const to = Math.min(from + length, this.#stream.length);
    this.#sent = Math.max(this.#sent, to);
    // The end of the stream is not part of this: states of directors are another matter.
    return this.#make(ACK, from, to);
  }

  #make(flags: number, from: number, to: number): { segment: Segment; meaning: Meaning } {
    const upTo = this.#inOrder();
    const sack = this.#irs === undefined || from < 0 ? [] : this.#islands(upTo).slice(-MOST_SACKS);
    const data = from < 0 ? new Uint8Array(0) : this.#stream.slice(from, to);
    const irs = this.#irs;
    const number = (at: number): number => (irs === undefined ? 0 : (irs + 1 + at) >>> 0);
    return {
      segment: {
        flags,
        seq: (this.#iss + 1 + from) >>> 0,
        ack: number(upTo),
        sack: sack.map(([a, b]) => [number(a), number(b)]),
        data,
      },
      meaning: { flags, from, upTo: irs === undefined ? -1 : upTo, sack, data },
    };
  }

  /** Whether a RST ends it: only with the number that it expects next (RFC 5961 §3.2). */
  isEndedBy({ flags, seq }: Segment): boolean {
    return this.#irs !== undefined && (flags & RST) !== 0 && seq === (this.#irs + 1 + this.#inOrder()) >>> 0;
  }

  /** Takes a segment in. @throws Error for one that cannot be of this connection */
  take({ flags, seq, ack, sack, data }: Segment): Meaning {
    if ((flags & FIN) !== 0) throw new Error('nobody has ended');
    if ((flags & SYN) !== 0) this.#hearSyn(seq);
    const irs = this.#irs;
    if (irs === undefined) throw new Error('a segment before any SYN');
    const upTo = (flags & ACK) === 0 ? -1 : this.#hearAck(ack);
    const islands = sack.map(([from, to]) => [this.#offset(from), this.#offset(to)] as const);
    if (islands.some(([from, to]) => from <= upTo || to <= from || to > this.#sent)) {
      throw new Error(`blocks ${JSON.stringify(islands)} of ${this.#sent} bytes, ${upTo} acknowledged`);
    }
    const from = behind(seq, irs + 1);
    for (const [i, byte] of data.entries()) this.#hearByte(from + i, byte);
    return { flags, from, upTo, sack: islands, data };
  }

  #hearSyn(seq: number): void {
    if (this.#irs !== undefined && this.#irs !== seq) throw new Error(`SYN ${seq} after SYN ${this.#irs}`);
    this.#irs = seq;
  }

  #hearAck(ack: number): number {
    const upTo = this.#offset(ack);
    if (upTo < 0 || upTo > this.#sent) throw new Error(`${upTo} acknowledged of ${this.#sent}`);
    this.#isOpen = true;
    this.#taken = Math.max(this.#taken, upTo);
    return upTo;
  }

  #hearByte(at: number, byte: number): void {
    if (byte !== this.#expected[at]) throw new Error(`byte ${at} is ${byte}, not ${this.#expected[at]}`);
    this.#got[at] = byte;
  }

  #offset(number: number): number {
    return behind(number, this.#iss + 1);
  }

  /** Bytes without a gap. */
  #inOrder(): number {
    let count = 0;
    while (this.#got[count] !== undefined) count++;
    return count;
  }

  /** What was got behind a gap. */
  #islands(upTo: number): (readonly [number, number])[] {
    const found: (readonly [number, number])[] = [];
    for (let at = upTo + 1; at < this.#got.length; at++) {
      if (this.#got[at] === undefined || this.#got[at - 1] !== undefined) continue;
      let to = at;
      while (this.#got[to] !== undefined) to++;
      found.push([at, to]);
    }
    return found;
  }
}
