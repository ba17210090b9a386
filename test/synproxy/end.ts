/**
 * One end of a TCP connection, as small as it can be and still be one (RFC 9293, RFC 7323, RFC 2018): sends a stream, takes
 * one, and complains of all that its peer, the director included, must not do.
 *
 * @module
 */
import { ACK, FIN, RST, SYN } from '../support/packets.js';
import type { Options, Segment } from './segments.js';

export interface Habits {
  /** What it offers in its SYN or SYN-ACK; what the other does not offer it does not use. */
  mss: number;
  scale: number | undefined;
  sack: boolean;
  stamps: boolean;
  /** Bytes that it can take. */
  room: number;
  /** Whether it asks for a window with a byte, or with nothing and a number that was acknowledged. */
  probesWithByte: boolean;
  isn: number;
  /** What its timestamps are ahead of the time. */
  ahead: number;
}

type State = 'closed' | 'listen' | 'syn-sent' | 'syn-received' | 'open';
export type Words = Omit<Segment, 'source' | 'destination' | 'sport' | 'dport'>;

const RTO = 300;
const EMPTY = new Uint8Array(0);
const plus = (a: number, b: number): number => (a + b) >>> 0;
/** How far `a` is behind `b`: numbers wrap. */
const after = (a: number, b: number): number => (a - b) | 0;

export class End {
  readonly received: number[] = [];
  state: State;
  /** It was told that there is no connection. */
  refused = false;
  /** Its peer has said goodbye, and all that it sent was taken. */
  sawFin = false;

  readonly #name: string;
  readonly #habits: Habits;
  readonly #data: Uint8Array;
  readonly #send: (words: Words) => void;
  readonly #start: number;
  /** First byte that was not acknowledged, and the next one that was never sent. */
  #una: number;
  #next: number;
  #window = 0;
  /** The right edge of the window that it has shown, the other's next byte, and what came before that. */
  #edge: number | undefined;
  #rcv = 0;
  readonly #early = new Map<number, number>();
  #finAt: number | undefined;
  #peerScale: number | undefined;
  #usesSack = false;
  #usesStamps = false;
  #peerMss = 536;
  #recent = 0;
  #sentStamps = new Set<number>();
  #sentAt = 0;
  #now = 0;

  constructor(name: string, habits: Habits, data: Uint8Array, send: (words: Words) => void, isServer: boolean) {
    this.#name = name;
    this.#habits = habits;
    this.#data = data;
    this.#send = send;
    this.#start = habits.isn;
    this.#una = habits.isn;
    this.#next = habits.isn;
    this.state = isServer ? 'listen' : 'closed';
  }

  /** All that it had to say was heard, its goodbye, too. */
  get isHeard(): boolean {
    return this.state === 'open' && this.#una === plus(this.#start, this.#data.length + 2);
  }

  connect(now: number): void {
    this.#now = now;
    this.state = 'syn-sent';
    this.#next = plus(this.#start, 1);
    this.#sendSyn(SYN);
  }

  /** Lets time pass: what was not acknowledged in time is sent again. */
  tick(now: number): void {
    this.#now = now;
    if (this.state === 'closed' || this.state === 'listen' || this.refused || now - this.#sentAt < RTO) return;
    this.#sentAt = now;
    if (this.state === 'syn-sent') this.#sendSyn(SYN);
    else if (this.state === 'syn-received') this.#sendSyn(SYN | ACK);
    else if (this.#una !== this.#next) this.#sendFrom(this.#una, Math.max(1, this.#window));
    else if (!this.isHeard) this.#probe();
  }

  take(segment: Segment, now: number): void {
    this.#now = now;
    const { flags } = segment;
    if (this.refused) return;
    if (this.state === 'listen' || this.state === 'syn-sent') this.#begin(segment);
    else if (flags & RST) this.#reset(segment);
    else if (this.state === 'syn-received' && flags & SYN) this.#again(segment);
    else if (flags & SYN) this.#acknowledge();
    else if (flags & ACK) this.#hear(segment);
  }

  #complain(what: string): never {
    throw new Error(`${this.#name}: ${what}`);
  }

  #again({ flags }: Segment): void {
    if ((flags & ACK) === 0) this.#sendSyn(SYN | ACK);
  }

  #reset({ seq }: Segment): void {
    if (after(seq, this.#rcv) >= 0 && after(seq, this.#edge!) <= 0) this.refused = true;
  }

  /** A segment that begins the connection. */
  #begin(segment: Segment): void {
    const { flags, seq, ack, options, window } = segment;
    if (this.state === 'listen') {
      if ((flags & (SYN | ACK | RST)) !== SYN) return;
    } else {
      if (flags & ACK && ack !== plus(this.#start, 1)) this.#complain(`a SYN-ACK for ${ack}`);
      if (flags & RST) this.refused = true;
      if ((flags & (SYN | ACK | RST)) !== (SYN | ACK)) return;
    }
    this.#rcv = plus(seq, 1);
    this.#agree(options);
    this.#window = window;
    if (this.state === 'listen') {
      this.#next = plus(this.#start, 1);
      this.state = 'syn-received';
      this.#sendSyn(SYN | ACK);
    } else {
      this.#una = ack;
      this.state = 'open';
      this.#acknowledge();
      this.#push();
    }
  }

  #agree({ mss = 536, scale, sackPermitted = false, stamps }: Options): void {
    const own = this.#habits;
    const isServer = this.state === 'listen';
    if (!isServer) {
      if (scale !== undefined && own.scale === undefined) this.#complain('a window scale that was not offered');
      if (sackPermitted && !own.sack) this.#complain('SACK that was not offered');
      if (stamps !== undefined && !own.stamps) this.#complain('timestamps that were not offered');
      if (stamps !== undefined) this.#checkEcho(stamps[1]);
    }
    this.#peerMss = mss;
    this.#peerScale = own.scale === undefined ? undefined : scale;
    this.#usesSack = own.sack && sackPermitted;
    this.#usesStamps = own.stamps && stamps !== undefined;
    this.#recent = stamps?.[0] ?? 0;
  }

  /** Whoever scales, does so both ways (RFC 7323 §2.2). */
  get #isScaled(): boolean {
    return this.#peerScale !== undefined && this.#habits.scale !== undefined;
  }

  #checkEcho(echo: number): void {
    // What the director told the client in its cookie comes to the server as a time before its own.
    if (this.state !== 'listen' && this.state !== 'syn-received' && !this.#sentStamps.has(echo)) {
      if (after(echo, this.#stamp) > 0) this.#complain(`an echo of ${echo}, which is to come`);
    }
  }

  get #stamp(): number {
    return plus(this.#habits.ahead, this.#now);
  }

  #hear(segment: Segment): void {
    const { seq, ack, options, window, payload, flags } = segment;
    if (this.#usesStamps) {
      if (options.stamps === undefined) this.#complain('a segment without timestamps');
      this.#checkEcho(options.stamps[1]);
      // RFC 7323 §5: an old duplicate.
      if (after(options.stamps[0], this.#recent) < 0) return;
      if (after(seq, this.#rcv) <= 0) this.#recent = options.stamps[0];
    } else if (options.stamps !== undefined) this.#complain('timestamps that were not agreed on');
    if (after(ack, this.#next) > 0) this.#complain(`an acknowledgment of ${ack}, up to ${this.#next} was sent`);
    this.#checkSack(options);
    if (this.state === 'syn-received') {
      if (ack !== plus(this.#start, 1)) return;
      this.state = 'open';
    }
    const scaled = this.#isScaled ? window * 2 ** this.#peerScale! : window;
    if (after(ack, this.#una) >= 0) {
      if (ack !== this.#una) this.#sentAt = this.#now;
      this.#una = ack;
      this.#window = scaled;
    }
    const length = payload.length + (flags & FIN ? 1 : 0);
    // One byte more may ask for a window; and the director rounds up what is left of one.
    const slack = 1 + 2 ** 14;
    if (length > 0 && after(plus(seq, length), plus(this.#edge!, slack)) > 0) {
      this.#complain(`data up to ${plus(seq, length)}, the window ends at ${this.#edge}`);
    }
    const hadEarly = this.#early.size;
    if (flags & FIN) this.#finAt = plus(seq, payload.length);
    for (let i = 0; i < payload.length; i++) {
      const at = plus(seq, i);
      if (after(at, this.#rcv) >= 0 && after(at, this.#edge!) < 0) this.#early.set(at, payload[i]!);
    }
    for (let byte = this.#early.get(this.#rcv); byte !== undefined; byte = this.#early.get(this.#rcv)) {
      this.received.push(byte);
      this.#early.delete(this.#rcv);
      this.#rcv = plus(this.#rcv, 1);
    }
    if (this.#finAt === this.#rcv && !this.sawFin) {
      this.sawFin = true;
      this.#rcv = plus(this.#rcv, 1);
    }
    const isProbe = after(seq, this.#rcv) < 0 && length === 0;
    if (length > 0 || isProbe || this.#early.size !== hadEarly) this.#acknowledge();
    this.#push();
  }

  #checkSack({ sack }: Options): void {
    if (sack === undefined) return;
    // The client was told by the director that it may: a server that did not say so passes it over.
    if (!this.#usesSack && this.#name === 'client') this.#complain('SACK that was not agreed on');
    for (const edge of sack) {
      if (after(edge, this.#start) < 0 || after(edge, this.#next) > 0) this.#complain(`a block of SACK up to ${edge}`);
    }
  }

  /** Sends what the window has room for. */
  #push(): void {
    const end = plus(this.#una, this.#window);
    const last = plus(this.#start, this.#data.length + 2);
    let burst = 8;
    while (burst-- > 0 && after(end, this.#next) > 0 && after(last, this.#next) > 0) {
      const before = this.#next;
      this.#sendFrom(this.#next, after(end, this.#next));
      if (this.#next === before) return;
    }
  }

  #sendFrom(seq: number, room: number): void {
    const index = after(seq, plus(this.#start, 1));
    const size = Math.min(this.#peerMss, room, 1200);
    const payload = this.#data.subarray(index, index + size);
    const isLast = index + payload.length >= this.#data.length && payload.length < Math.max(size, 1);
    const isFin = isLast && index <= this.#data.length;
    if (payload.length === 0 && !isFin) return;
    const end = plus(seq, payload.length + (isFin ? 1 : 0));
    if (after(end, this.#next) > 0) this.#next = end;
    this.#out({ seq, flags: ACK | (isFin ? FIN : 0), payload: Uint8Array.from(payload) });
  }

  #probe(): void {
    if (this.#habits.probesWithByte) this.#sendFrom(this.#una, 1);
    else this.#out({ seq: plus(this.#una, -1), flags: ACK, payload: EMPTY });
  }

  #acknowledge(): void {
    this.#out({ seq: this.#next, flags: ACK, payload: EMPTY });
  }

  #sendSyn(flags: number): void {
    const { mss, scale, sack, stamps } = this.#habits;
    const isAnswer = (flags & ACK) !== 0;
    const options: Options = {
      mss,
      ...(scale !== undefined && (!isAnswer || this.#isScaled) && { scale }),
      ...(sack && (!isAnswer || this.#usesSack) && { sackPermitted: true }),
      ...(stamps && (!isAnswer || this.#usesStamps) && { stamps: [this.#stamp, isAnswer ? this.#recent : 0] as const }),
    };
    this.#put({ seq: this.#start, flags, payload: EMPTY }, options, Math.min(this.#habits.room, 65_535));
  }

  #out(words: Pick<Words, 'seq' | 'flags' | 'payload'>): void {
    const blocks = this.#usesSack ? this.#blocks() : [];
    const options: Options = {
      ...(this.#usesStamps && { stamps: [this.#stamp, this.#recent] as const }),
      ...(blocks.length > 0 && { sack: blocks }),
    };
    const scale = this.#isScaled ? this.#habits.scale! : 0;
    this.#put(words, options, Math.min(this.#habits.room >> scale, 65_535));
  }

  #put(words: Pick<Words, 'seq' | 'flags' | 'payload'>, options: Options, window: number): void {
    const scale = this.#isScaled && (words.flags & SYN) === 0 ? this.#habits.scale! : 0;
    const edge = plus(this.#rcv, window * 2 ** scale);
    // A SYN shows one, too, but the other's numbers are not known yet.
    if (words.flags & ACK && (this.#edge === undefined || after(edge, this.#edge) > 0)) this.#edge = edge;
    if (options.stamps !== undefined) this.#sentStamps.add(options.stamps[0]);
    this.#sentAt = this.#now;
    this.#send({ ...words, ack: words.flags & ACK ? this.#rcv : 0, window, options });
  }

  /** Up to two blocks of what came early. */
  #blocks(): number[] {
    const numbers = [...this.#early.keys()].sort((a, b) => after(a, b));
    const blocks: number[] = [];
    for (const number of numbers) {
      if (blocks.at(-1) === number) blocks[blocks.length - 1] = plus(number, 1);
      else if (blocks.length === 4) break;
      else blocks.push(number, plus(number, 1));
    }
    return blocks;
  }
}
