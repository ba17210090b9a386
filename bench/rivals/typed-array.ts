/**
 * The hand-tuned rival: the same work in JavaScript over typed arrays. It works packet by packet, or staged like the
 * library (hash all, touch all index entries, touch all records, then rewrite), so that cache misses overlap.
 * A slot's frame begins two bytes past a multiple of four: its IP header is aligned.
 *
 * @module
 */
import { BURST_MAX, SLOT_BYTES } from '../feeder.js';
import { INPUT_ONLY, isActive, OUTPUT, TIMEOUTS, tcpNext } from './states.js';
import {
  DF_BE,
  encapsulate,
  FRAGMENT_BE,
  IP,
  IPIP,
  ipv4Length,
  mergeEcn,
  TCP,
  translated,
  UDP,
} from './typed-array-packet.js';
import {
  DADDR,
  DEST,
  HOP_MTU,
  hashTuple,
  IN_PACKETS,
  IN_PORTS,
  INACTIVE,
  NO_OUTPUT,
  OUT_PORTS,
  STATUS,
  Table,
  TIMEOUT,
  TOUCHED,
  VADDR,
} from './typed-array-table.js';
import { fold, half, isSpecial, linkRow, macPairs, swap } from './words.js';
import { DROP, FORWARD, type Judged, LOCAL, MASQ, PASS, TUNNEL, type World } from './world.js';

/** Words of a link header laid out for storing: half, three words, and the interface. */
const MAC_WORDS = 5;
/** Byte offset of slot 0's frame. */
export const FIRST = 130;
const ETH = 14;
const ETHERTYPE_IP_BE = 0x0008;

export class TypedArrayRival {
  /** Whether the frames of a burst go through each stage together, or one packet after the other through all. */
  readonly staged: boolean;
  /** The memory in which the slots lie. */
  readonly words: Int32Array;
  readonly inLength = new Int32Array(BURST_MAX);
  readonly inInterface = new Int32Array(BURST_MAX);
  readonly verdict = new Uint8Array(BURST_MAX);
  readonly out = new Uint8Array(BURST_MAX);
  /** Byte offset and length of what came out. */
  readonly outAt = new Int32Array(BURST_MAX);
  readonly outLength = new Int32Array(BURST_MAX);
  readonly table: Table;
  /** Packets in, bytes in, packets out, bytes out: of the service, then of each dest. */
  readonly stats: Float64Array;
  /** Frames that got each verdict. */
  readonly verdicts = new Float64Array(8);

  readonly #halves: Uint16Array;
  readonly #bytes: Uint8Array;
  readonly #world: World;
  readonly #locals: Int32Array;
  readonly #macs: Int32Array;
  /** Rows of MAC_WORDS: of each dest, then of the way to the clients. */
  readonly #outs: Int32Array;
  readonly #mtus: Int32Array;
  readonly #ip = new Int32Array(BURST_MAX);
  readonly #tag = new Int32Array(BURST_MAX);
  readonly #entry = new Int32Array(BURST_MAX);
  readonly #ref = new Int32Array(BURST_MAX);
  #ipId = 0;
  /** Keeps touching loads alive. */
  touched = 0;

  /**
   * @param staged whether the frames of a burst go through each stage together
   * @param buffer where the slots lie, the first frame at `FIRST`
   */
  constructor(world: World, staged: boolean, buffer = new ArrayBuffer(BURST_MAX * SLOT_BYTES + 256)) {
    this.staged = staged;
    this.words = new Int32Array(buffer);
    this.#halves = new Uint16Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#world = world;
    this.table = new Table(world);
    this.stats = new Float64Array((world.dests.length + 1) * 4);
    this.#locals = Int32Array.from(world.locals);
    this.#macs = macPairs(world.interfaces.map(({ mac }) => mac));
    const hops = world.dests.map((dest) => linkRow(dest.mac, world.interfaces[dest.interface]!.mac, dest.interface));
    this.#outs = Int32Array.from([...hops, linkRow(world.clientMac, world.interfaces[0]!.mac, 0)].flat());
    this.#mtus = Int32Array.from(world.dests, ({ mtu }) => mtu);
  }

  /** Byte offset of slot `i`'s frame. */
  slot(i: number): number {
    return FIRST + i * SLOT_BYTES;
  }

  /** What became of frame `i`, for tests. */
  judged(i: number): Judged {
    const at = this.outAt[i]!;
    return { verdict: this.verdict[i]!, out: this.out[i]!, frame: this.#bytes.slice(at, at + this.outLength[i]!) };
  }

  /** Judges the `count` frames in the slots; `now` in milliseconds. */
  process(count: number, now: number): void {
    if (this.staged) {
      this.#classify(count);
      this.#find(count);
      this.#rewrite(count, now | 0);
    } else for (let i = 0; i < count; i++) this.#processOne(i, now | 0);
  }

  /** All of one packet, before the next. */
  #processOne(i: number, now: number): void {
    const at = this.#classifyOne(i);
    if (at === 0) return;
    const w = at >> 2;
    this.#rewriteOne(i, w, this.lookup(w), now);
  }

  /** Stage 1: what each frame is, and its hash. */
  #classify(count: number): void {
    const { words, table } = this;
    for (let i = 0; i < count; i++) {
      const at = this.#classifyOne(i);
      this.#ip[i] = at;
      if (at === 0) continue;
      const w = at >> 2;
      const protocol = (words[w + 2]! >> 8) & 0xff;
      const tag = hashTuple(table.key0, table.key1, words[w + 3]!, words[w + 4]!, words[w + 5]!, protocol);
      this.#tag[i] = tag;
      this.#entry[i] = tag & table.mask;
    }
  }

  /** Stage 2: touches the index entries, finds the refs, touches the records. */
  #find(count: number): void {
    const { index, records } = this.table;
    const entry = this.#entry;
    const tag = this.#tag;
    const ref = this.#ref;
    let touched = 0;
    for (let i = 0; i < count; i++) touched ^= index[entry[i]! * 2]!;
    for (let i = 0; i < count; i++) {
      const found = this.table.seek(entry[i]!, tag[i]!);
      entry[i] = found;
      ref[i] = index[found * 2 + 1]!;
    }
    for (let i = 0; i < count; i++) touched ^= records[ref[i]! & -2]!;
    this.touched ^= touched;
  }

  /** Ref of the connection of the packet at word `w`, or 0. */
  lookup(w: number): number {
    const { words, table } = this;
    const src = words[w + 3]!;
    const dst = words[w + 4]!;
    const ports = words[w + 5]!;
    const protocol = (words[w + 2]! >> 8) & 0xff;
    const tag = hashTuple(table.key0, table.key1, src, dst, ports, protocol);
    return table.find(tag & table.mask, tag, src, dst, ports, protocol);
  }

  #isLocal(address: number): boolean {
    const locals = this.#locals;
    for (let i = 0; i < locals.length; i++) if (locals[i] === address) return true;
    return false;
  }

  /** Byte offset of the IP header of a frame that goes on to the lookup, or 0. */
  #classifyOne(i: number): number {
    const { words } = this;
    const halves = this.#halves;
    const frame = this.slot(i);
    const inside = this.inInterface[i]! * 2;
    let length = this.inLength[i]!;
    this.outAt[i] = frame;
    this.outLength[i] = length;
    if (length < ETH) return this.#judge(i, DROP);
    if (halves[frame >> 1] !== this.#macs[inside] || words[(frame + 2) >> 2] !== this.#macs[inside + 1]) {
      return this.#judge(i, PASS);
    }
    if (halves[(frame + 12) >> 1] !== ETHERTYPE_IP_BE) return this.#judge(i, PASS);
    let at = frame + ETH;
    length = ipv4Length(words, at >> 2, length - ETH);
    if (length === 0) return this.#judge(i, DROP);
    this.outLength[i] = length + ETH;
    let protocol = (words[(at >> 2) + 2]! >> 8) & 0xff;
    if (protocol === IPIP) {
      length = this.#decapsulate(i, at, length);
      if (length === 0) return 0;
      at += IP;
      protocol = (words[(at >> 2) + 2]! >> 8) & 0xff;
      this.outAt[i] = at;
      this.outLength[i] = length;
    }
    if ((protocol !== TCP && protocol !== UDP) || length < IP + (protocol === TCP ? 20 : 8))
      return this.#judge(i, PASS);
    return (words[(at >> 2) + 1]! >>> 16) & FRAGMENT_BE ? this.#judge(i, PASS) : at;
  }

  /** Length of the packet inside the tunnel packet at `at`, or 0 when it was judged. */
  #decapsulate(i: number, at: number, length: number): number {
    const w = at >> 2;
    if (!this.#mayBe(w)) return this.#judge(i, DROP);
    if (!this.#isLocal(this.words[w + 4]!)) return this.#judge(i, PASS);
    const inner = (at + IP) >> 2;
    const inside = ipv4Length(this.words, inner, length - IP);
    return inside !== 0 && mergeEcn(this.words, inner, (this.words[w]! >> 8) & 0xff) ? inside : this.#judge(i, DROP);
  }

  /** Whether a packet can have these addresses; asked only of those that no connection knows. */
  #mayBe(w: number): boolean {
    const { words } = this;
    return !isSpecial(words[w + 3]!) && !isSpecial(words[w + 4]!) && !this.#isLocal(words[w + 3]!);
  }

  /** A packet without a connection. */
  #unknown(i: number, w: number): void {
    const { words } = this;
    const { vip, vport, protocol } = this.#world;
    const dst = words[w + 4]!;
    const served = dst === vip && words[w + 5]! >>> 16 === vport && ((words[w + 2]! >> 8) & 0xff) === protocol;
    this.#judge(i, !this.#mayBe(w) ? DROP : this.#isLocal(dst) && !served ? LOCAL : PASS);
  }

  #judge(i: number, verdict: number): 0 {
    this.verdict[i] = verdict;
    this.verdicts[verdict]!++;
    return 0;
  }

  #updateState(c: number, direction: number, flags: number, now: number): void {
    const r = this.table.records;
    let status = r[c + STATUS]!;
    if ((status & 0xff) === TCP) {
      if (direction === OUTPUT) status &= ~(NO_OUTPUT << 24);
      else if (status & (NO_OUTPUT << 24)) direction = INPUT_ONLY;
      const state = (status >> 8) & 0xff;
      const next = tcpNext(direction, state, flags);
      if (next !== state) {
        status = (status & ~0xff00) | (next << 8);
        const active = isActive(next);
        if (active === ((status & (INACTIVE << 24)) !== 0)) {
          const dest = r[c + DEST]!;
          this.table.active[dest]! += active ? 1 : -1;
          this.table.inactive[dest]! += active ? -1 : 1;
          status ^= INACTIVE << 24;
        }
      }
      r[c + STATUS] = status;
      r[c + TIMEOUT] = TIMEOUTS[next]!;
    }
    r[c + TOUCHED] = now;
  }

  /** Stage 3: makes sure of what was found, and rewrites. */
  #rewrite(count: number, now: number): void {
    const { words, table } = this;
    for (let i = 0; i < count; i++) {
      const at = this.#ip[i]!;
      if (at === 0) continue;
      const w = at >> 2;
      const src = words[w + 3]!;
      const dst = words[w + 4]!;
      const ports = words[w + 5]!;
      const protocol = (words[w + 2]! >> 8) & 0xff;
      let ref = this.#ref[i]!;
      if (ref !== 0 && !table.is(ref, src, dst, ports, protocol)) {
        ref = table.find((this.#entry[i]! + 1) & table.mask, this.#tag[i]!, src, dst, ports, protocol);
      }
      this.#rewriteOne(i, w, ref, now);
    }
  }

  /** State, counters, addresses, checksums and MACs of the packet at word `w`, whose connection is `ref`. */
  #rewriteOne(i: number, w: number, ref: number, now: number): void {
    const { words, stats } = this;
    const { records } = this.table;
    const c = ref & -2;
    if (ref === 0 || (now - records[c + TOUCHED]!) >>> 0 >= records[c + TIMEOUT]!) {
      this.#unknown(i, w);
      return;
    }
    const low = words[w + 2]! & 0xffff;
    const reply = ref & 1;
    const length = swap(words[w]! >>> 16);
    const dest = records[c + DEST]!;
    const method = (records[c + STATUS]! >> 16) & 0xff;
    const whole = method === TUNNEL ? length + IP : length;
    const fits = (low & 0xff) > 1 && whole <= (reply ? records[c + HOP_MTU]! : this.#mtus[dest]!);
    if (reply === 0) records[c + IN_PACKETS]!++;
    if (reply === 0 || fits) {
      const own = (dest + 1) * 4 + reply * 2;
      stats[reply * 2]! += 1;
      stats[reply * 2 + 1]! += length;
      stats[own]! += 1;
      stats[own + 1]! += length;
      this.#updateState(c, reply, words[w + 8]! >> 8, now);
    }
    if (!fits) {
      this.#judge(i, DROP);
      return;
    }
    const src = words[w + 3]!;
    const dst = words[w + 4]!;
    const ports = words[w + 5]!;
    const protocol = low >> 8;
    let newSrc = src;
    let newDst = dst;
    if (reply !== 0) {
      newSrc = records[c + VADDR]!;
      const port = records[c + IN_PORTS]! >>> 16;
      words[w + 3] = newSrc;
      words[w + 5] = (ports & ~0xffff) | port;
      translated(words, w, length, protocol, src, newSrc, ports & 0xffff, port);
    } else if (method === MASQ) {
      newDst = records[c + DADDR]!;
      const port = records[c + OUT_PORTS]! & 0xffff;
      words[w + 4] = newDst;
      words[w + 5] = (ports & 0xffff) | (port << 16);
      translated(words, w, length, protocol, dst, newDst, ports >>> 16, port);
    }
    const sum = half(words[w]!) + half(words[w + 1]!) + low - 1 + half(newSrc) + half(newDst);
    words[w + 2] = (low - 1) | (~fold(sum) << 16);
    let frame = (w << 2) - ETH;
    if (method === TUNNEL) {
      const id = (words[w + 1]! >>> 16) & DF_BE ? 0 : this.#ipId++ & 0xffff;
      encapsulate(words, w, this.#world.dests[dest]!, whole, id);
      frame -= IP;
    }
    this.#link(i, frame, reply ? this.#outs.length - MAC_WORDS : dest * MAC_WORDS);
    this.outLength[i] = whole + ETH;
    this.#judge(i, FORWARD);
  }

  /** The link header: the next hop's MAC, the out interface's, and the type, from a row of `#outs`. */
  #link(i: number, frame: number, row: number): void {
    const { words } = this;
    const halves = this.#halves;
    const outs = this.#outs;
    halves[frame >> 1] = outs[row]!;
    words[(frame + 2) >> 2] = outs[row + 1]!;
    words[(frame + 6) >> 2] = outs[row + 2]!;
    words[(frame + 10) >> 2] = outs[row + 3]!;
    this.out[i] = outs[row + 4]!;
    this.outAt[i] = frame;
  }
}
