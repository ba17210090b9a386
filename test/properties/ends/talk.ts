/**
 * Two ends that talk through a director, over wires that lose, double and disorder.
 *
 * @module
 */
import { decodeClient } from '../../../src/toa/index.js';
import { ACK, ethernet, SYN, toHex } from '../../support/packets.js';
import type { Choices } from '../families/choices.js';
import type { End, Meaning } from './end.js';
import { type Ends, packetOf, read } from './wire.js';

/** What of a director is needed. */
export interface Judge {
  send(frame: Uint8Array, inInterface: string, now: number): { verdict: string; reason: string; frame: Uint8Array }[];
}

export const MAC = {
  cli: '02:00:00:00:00:01',
  client: '02:00:00:00:00:02',
  srv: '02:00:00:00:01:01',
  server: '02:00:00:00:01:11',
} as const;

/** How the ends are called, by whom. */
export interface Names {
  client: string;
  virtual: string;
  local: string;
  server: string;
  clientPort: number;
  virtualPort: number;
  serverPort: number;
}

type Side = 'client' | 'server';

/** How the server is told who its client is. */
export interface Telling {
  /** What the director puts in front of the client's stream. */
  header: Uint8Array;
  /** By TOA: whether a segment names the client, where there is room. */
  byToa: ((heard: Meaning) => boolean) | undefined;
}

/** A packet on its way to an end, and what it meant to whoever sent it. */
interface Flying {
  to: Side;
  packet: Uint8Array;
  meaning: Meaning;
  /** Whether the director sent it in front of another one. */
  isOwn: boolean;
}

const other = (side: Side): Side => (side === 'client' ? 'server' : 'client');

/** What the director says for either end, or to it, before they have heard of each other. */
const BEGINNING: Meaning = { flags: SYN, from: -1, upTo: -1, sack: [], data: new Uint8Array(0) };
const COOKIE: Meaning = { ...BEGINNING, flags: SYN | ACK, upTo: 0 };
const ANSWER: Meaning = { ...COOKIE, flags: ACK, from: 0 };

export class Talk {
  readonly #director: Judge;
  readonly #names: Names;
  readonly #ends: Record<Side, End>;
  readonly #telling: Telling;
  #flying: Flying[] = [];
  /** What a SYN proxy has kept of the client, in order. */
  #kept: Meaning[] = [];
  /** The first that the client has heard. */
  #cookie: number | undefined;
  #localPort: number | undefined;
  #now: number;

  constructor(director: Judge, names: Names, ends: Record<Side, End>, telling: Telling, now: number) {
    this.#director = director;
    this.#names = names;
    this.#ends = ends;
    this.#telling = telling;
    this.#now = now;
  }

  get isDone(): boolean {
    return this.#ends.client.isDone && this.#ends.server.isDone;
  }

  /** Something happens. */
  step(choices: Choices): void {
    this.#now += choices.below(50);
    switch (choices.below(5)) {
      case 0:
      case 1:
        this.#say(choices.of<Side>(['client', 'server']), choices);
        break;
      case 2:
      case 3:
        this.#land(choices.below(4), choices.once(6));
        break;
      default:
        // Lost.
        if (choices.once(3)) this.#flying.splice(choices.below(4), 1);
    }
  }

  /** From now on nothing is lost; each end says again what the other does not have. */
  finish(choices: Choices): void {
    for (let round = 0; round < 40 && !this.isDone; round++) {
      this.#now += 200;
      for (const side of ['client', 'server'] as const) this.#say(side, choices, true);
      while (this.#flying.length > 0) this.#land(0, false);
    }
    if (!this.isDone) throw new Error('the streams did not come to their ends');
  }

  /** Nobody says anything any more: each end must hear that it is over, and believe it. */
  expire(): void {
    this.#now += 901_000;
    const told: Side[] = [];
    // Any frame: those that are due come behind it.
    const [, ...resets] = this.#director.send(
      ethernet(MAC.cli, MAC.client, new Uint8Array(1), 0x88cc),
      'cli',
      this.#now,
    );
    for (const { reason, frame } of resets) {
      if (reason !== 'expired-reset') throw new Error(`${reason} when all is over`);
      const { ends, segment } = read(frame.slice(14));
      const to =
        ends.destination === this.#names.client && ends.sport === this.#names.virtualPort ? 'client' : 'server';
      this.#expectEnds(to, ends);
      if (!this.#ends[to].isEndedBy(segment)) throw new Error(`${to} does not believe ${text(segment)}`);
      told.push(to);
    }
    if (told.sort().join() !== 'client,server') throw new Error(`told: ${told.join()}`);
  }

  /** @param isLast whether it says as much as it can of what the other end does not have */
  #say(side: Side, choices: Choices, isLast = false): void {
    const isAgain = isLast || choices.once(3);
    const skip = isAgain && !isLast ? choices.of([0, 0, 3, 20]) : 0;
    const made = this.#ends[side].make(isAgain, skip, isLast ? 200 : choices.of([10, 0, 1, 33, 200]));
    if (made === undefined) return;
    const ends = this.#endsFrom(side);
    if (ends === undefined) return;
    const [before, options] = [choices.below(4), choices.of(OPTIONS)];
    const room = 40 - before - made.segment.sack.length * 8 - 2;
    const packet = packetOf(ends, made.segment, before, options.length <= room ? options : new Uint8Array(0));
    const [name, to, from] =
      side === 'client' ? (['cli', MAC.cli, MAC.client] as const) : (['srv', MAC.srv, MAC.server] as const);
    const outcomes = this.#director.send(
      ethernet(to, from, packet, packet[0]! >> 4 === 6 ? 0x86dd : 0x0800),
      name,
      this.#now,
    );
    const isPair = outcomes[0]?.reason === 'client-address';
    for (const [i, { verdict, reason, frame }] of outcomes.entries()) {
      const told = this.#meaningOf(reason, i === 0 || isPair, made.meaning);
      if (told === undefined) continue;
      if (verdict !== 'forward') throw new Error(`${verdict} ${reason}: ${toHex(packet)}`);
      const [meaning, to = other(side)] = told;
      this.#flying.push({ to, packet: frame.slice(14), meaning, isOwn: isPair && i === 0 });
    }
  }

  /**
   * What a frame of the director means, and to whom, if not to the other end of who has said something; nothing where
   * that is for the director alone.
   */
  #meaningOf(reason: string, isFirst: boolean, said: Meaning): readonly [Meaning, Side?] | undefined {
    switch (reason) {
      case 'syn-cookie':
        return [COOKIE, 'client'];
      case 'syn-proxied':
        if (isFirst && said.data.length > 0) this.#kept.push(said);
        return [BEGINNING, 'server'];
      case 'syn-proxy-ack':
        return [ANSWER, isFirst ? 'server' : 'client'];
      case 'syn-proxy-held':
        this.#kept.push(said);
        return undefined;
      case 'syn-proxy-wait':
        return undefined;
      default:
        return isFirst ? [said] : [this.#kept.shift()!, 'server'];
    }
  }

  /** The ends of a packet; the server answers to where it was asked from. */
  #endsFrom(side: Side): Ends | undefined {
    const { client, virtual, local, server, clientPort, virtualPort, serverPort } = this.#names;
    if (side === 'client') return { source: client, sport: clientPort, destination: virtual, dport: virtualPort };
    if (this.#localPort === undefined) return undefined;
    return { source: server, sport: serverPort, destination: local, dport: this.#localPort };
  }

  /** One of the packets on their way arrives; `isDoubled`: and stays on its way. */
  #land(which: number, isDoubled: boolean): void {
    const at = Math.min(which, this.#flying.length - 1);
    const flying = this.#flying[at];
    if (flying === undefined) return;
    if (!isDoubled) this.#flying.splice(at, 1);
    const { to, packet, meaning, isOwn } = flying;
    const { ends, segment, options } = read(packet);
    this.#expectEnds(to, ends);
    // Who offers something else with the same SYN gets another cookie, and passes it over.
    if (meaning === COOKIE) this.#cookie ??= segment.seq;
    if (meaning === COOKIE && segment.seq !== this.#cookie) return;
    const heard = this.#ends[to].take(segment);
    const expected = to === 'client' ? this.#forClient(meaning) : this.#forServer(meaning, heard, isOwn);
    if (text(heard) !== text(expected)) throw new Error(`${to} heard ${text(heard)}, not ${text(expected)}`);
    const { byToa } = this.#telling;
    if (to === 'server' && byToa !== undefined) this.#expectToa(packet, options, byToa(heard));
  }

  #expectToa(packet: Uint8Array, { length }: Uint8Array, isDue: boolean): void {
    const { client, clientPort } = this.#names;
    const told = decodeClient(packet, 'raw');
    const isTold = told?.carrier === 'toa';
    if (isTold && (told.address !== client || told.port !== clientPort)) throw new Error(`told of ${told.address}`);
    const isFull = length > LONGEST_OPTIONS - (client.includes(':') ? 20 : 8);
    if (isTold !== isDue && !(isDue && isFull)) throw new Error(`${isTold ? 'told' : 'not told'}: ${toHex(packet)}`);
  }

  #expectEnds(to: Side, ends: Ends): void {
    const { client, virtual, local, server, clientPort, virtualPort, serverPort } = this.#names;
    if (to === 'server') this.#localPort ??= ends.sport;
    const expected =
      to === 'client'
        ? { source: virtual, destination: client, sport: virtualPort, dport: clientPort }
        : { source: local, destination: server, sport: this.#localPort, dport: serverPort };
    if (text(ends) !== text(expected)) throw new Error(`ends ${text(ends)}, not ${text(expected)}`);
  }

  /** Of the header the client knows nothing. */
  #forClient({ upTo, sack, ...rest }: Meaning): Meaning {
    const { length } = this.#telling.header;
    const back = (at: number): number => Math.max(0, at - length);
    return { ...rest, upTo: back(upTo), sack: sack.map(([from, to]) => [back(from), back(to)]) };
  }

  /** A header may stand in front of what begins the stream. */
  #forServer(meaning: Meaning, heard: Meaning, isOwn: boolean): Meaning {
    const { length } = this.#telling.header;
    const { from, data } = meaning;
    const isFirst = from < 0 || length === 0;
    if (isOwn)
      return { ...meaning, from: isFirst ? from : 0, data: this.#telling.header, sack: [], flags: meaning.flags };
    const hasHeader = from === 0 && heard.data.length === data.length + length;
    if (hasHeader) return { ...meaning, data: Uint8Array.from([...this.#telling.header, ...data]) };
    return { ...meaning, from: isFirst ? from : from + length };
  }
}

const text = (value: object): string => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

const LONGEST_OPTIONS = 40;
const TIMESTAMP = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2];

/** Beside selective acknowledgments. */
const OPTIONS = [[], [], TIMESTAMP, [253, 3, 0], [2, 4, 5, 180], [254, 8, 1, 2, 3, 4, 5, 6]].map((each) =>
  Uint8Array.from(each),
);
