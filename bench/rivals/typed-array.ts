/**
 * The hand-tuned rival: the same work in JavaScript over typed arrays, in the same stages as the
 * library (hash all, touch all index entries, touch all records, then rewrite), so that cache
 * misses overlap. A slot's frame begins two bytes past a multiple of four: its IP header is aligned.
 *
 * @module
 */
import { INPUT_ONLY, isActive, OUTPUT, TIMEOUTS, tcpNext } from './states.js';
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
import { checksum, checksumUpdate, fold, half, isSpecial, linkRow, macPairs, swap } from './words.js';
import { DROP, FORWARD, type Judged, LOCAL, MASQ, PASS, TUNNEL, type World } from './world.js';

const BURST_MAX = 256;
/** Words of a link header laid out for storing: half, three words, and the interface. */
const MAC_WORDS = 5;
/** Byte offset of slot 0's frame. */
export const FIRST = 130;
const ETH = 14;
const IP = 20;
const TCP = 6;
const UDP = 17;
const IPIP = 4;
const ETHERTYPE_IP_BE = 0x0008;
const DF_BE = 0x0040;
/** MF and the offset. */
const FRAGMENT_BE = 0xff3f;

export class TypedArrayRival {
  /** Bytes from slot to slot, a multiple of 4 but not a power of two. */
  readonly slotBytes: number;
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

  /** Slot 0's frame begins at byte 130: two past a multiple of four, behind room for a tunnel's header. */
  constructor(world: World, slotBytes = 2112, buffer = new ArrayBuffer(BURST_MAX * slotBytes + 256)) {
    this.slotBytes = slotBytes;
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
    return FIRST + i * this.slotBytes;
  }

  /** What became of frame `i`, for tests. */
  judged(i: number): Judged {
    const at = this.outAt[i]!;
    return { verdict: this.verdict[i]!, out: this.out[i]!, frame: this.#bytes.slice(at, at + this.outLength[i]!) };
  }

  /** Judges the `count` frames in the slots; `now` in milliseconds. */
  process(count: number, now: number): void {
    this.classify(count);
    this.find(count);
    this.#rewrite(count, now | 0);
  }

  /** Stage 1: what each frame is, and its hash. */
  classify(count: number): void {
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
  find(count: number): void {
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

  /** IP header checks at word `w`; length of the packet, or 0. */
  ipv4Length(w: number, room: number): number {
    const { words } = this;
    if (room < IP) return 0;
    const first = words[w]!;
    if ((first & 0xff) !== 0x45) return 0;
    const sum = half(first) + half(words[w + 1]!) + half(words[w + 2]!) + half(words[w + 3]!) + half(words[w + 4]!);
    const total = swap(first >>> 16);
    return fold(sum) !== 0xffff || total > room || total < IP ? 0 : total;
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
    length = this.ipv4Length(at >> 2, length - ETH);
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
    const inside = this.ipv4Length(inner, length - IP);
    return inside !== 0 && this.#mergeEcn(inner, (this.words[w]! >> 8) & 0xff) ? inside : this.#judge(i, DROP);
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

  /** RFC 6040 §4.2; false when the packet must be dropped. */
  #mergeEcn(w: number, outerTos: number): boolean {
    const { words } = this;
    const old = words[w]!;
    const ecn = (old >> 8) & 3;
    const outer = outerTos & 3;
    if (outer === 3 && ecn === 0) return false;
    const merged = outer === 3 ? 3 : outer === 1 && ecn === 2 ? 1 : ecn;
    if (merged === ecn) return true;
    const word = (old & ~0x300) | (merged << 8);
    words[w] = word;
    const sum = (~words[w + 2]! >>> 16) + (~old & 0xffff) + (word & 0xffff);
    words[w + 2] = (words[w + 2]! & 0xffff) | (~fold(sum) << 16);
    return true;
  }

  #judge(i: number, verdict: number): 0 {
    this.verdict[i] = verdict;
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

  /** Stage 3: checks what was found, then state, counters, addresses, checksums and MACs. One loop, so that no array is fetched twice. */
  #rewrite(count: number, now: number): void {
    const { words, table, stats, verdict, outLength } = this;
    const { records } = table;
    const ips = this.#ip;
    const refs = this.#ref;
    const mtus = this.#mtus;
    const outs = this.#outs;
    for (let i = 0; i < count; i++) {
      const at = ips[i]!;
      if (at === 0) continue;
      const w = at >> 2;
      const src = words[w + 3]!;
      const dst = words[w + 4]!;
      const ports = words[w + 5]!;
      const low = words[w + 2]! & 0xffff;
      const protocol = low >> 8;
      let ref = refs[i]!;
      if (ref !== 0 && !table.is(ref, src, dst, ports, protocol)) {
        ref = table.find((this.#entry[i]! + 1) & table.mask, this.#tag[i]!, src, dst, ports, protocol);
      }
      const c = ref & -2;
      if (ref === 0 || (now - records[c + TOUCHED]!) >>> 0 >= records[c + TIMEOUT]!) {
        this.#unknown(i, w);
        continue;
      }
      const reply = ref & 1;
      const length = swap(words[w]! >>> 16);
      const dest = records[c + DEST]!;
      const method = (records[c + STATUS]! >> 16) & 0xff;
      const whole = method === TUNNEL ? length + IP : length;
      const fits = (low & 0xff) > 1 && whole <= (reply ? records[c + HOP_MTU]! : mtus[dest]!);
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
        verdict[i] = DROP;
        continue;
      }
      let newSrc = src;
      let newDst = dst;
      if (reply !== 0) {
        newSrc = records[c + VADDR]!;
        const port = records[c + IN_PORTS]! >>> 16;
        words[w + 3] = newSrc;
        words[w + 5] = (ports & ~0xffff) | port;
        this.#translated(w, length, protocol, src, newSrc, ports & 0xffff, port);
      } else if (method === MASQ) {
        newDst = records[c + DADDR]!;
        const port = records[c + OUT_PORTS]! & 0xffff;
        words[w + 4] = newDst;
        words[w + 5] = (ports & 0xffff) | (port << 16);
        this.#translated(w, length, protocol, dst, newDst, ports >>> 16, port);
      }
      const sum = half(words[w]!) + half(words[w + 1]!) + low - 1 + half(newSrc) + half(newDst);
      words[w + 2] = (low - 1) | (~fold(sum) << 16);
      const frame = method === TUNNEL ? this.#encapsulate(w, dest, whole) : at - ETH;
      this.#link(i, frame, reply ? outs.length - MAC_WORDS : dest * MAC_WORDS);
      outLength[i] = whole + ETH;
      verdict[i] = FORWARD;
    }
  }

  /** Brings the transport checksum up to date after an address and a port changed. */
  #translated(
    w: number,
    length: number,
    protocol: number,
    old: number,
    addr: number,
    oldPort: number,
    port: number,
  ): void {
    const { words } = this;
    if (protocol === TCP) {
      const word = words[w + 9]!;
      words[w + 9] = (word & ~0xffff) | checksumUpdate(word & 0xffff, old, addr, oldPort, port);
      return;
    }
    const word = words[w + 6]!;
    let updated: number;
    if (word >>> 16 === 0) {
      const pseudo = half(words[w + 3]!) + half(words[w + 4]!) + (UDP << 8) + swap(length - IP);
      const sum = ~checksum(words, (w + 5) << 2, length - IP) & 0xffff;
      updated = ~fold(pseudo + sum) & 0xffff;
    } else updated = checksumUpdate(word >>> 16, old, addr, oldPort, port);
    words[w + 6] = (word & 0xffff) | ((updated === 0 ? 0xffff : updated) << 16);
  }

  /** Puts the outer header in front; byte offset of the frame's new first byte. */
  #encapsulate(w: number, dest: number, whole: number): number {
    const { words } = this;
    const to = this.#world.dests[dest]!;
    let tos = (words[w]! >> 8) & 0xff;
    if ((tos & 3) === 3) tos = (tos & ~3) | 2;
    const df = (words[w + 1]! >>> 16) & DF_BE;
    const first = 0x45 | (tos << 8) | (swap(whole) << 16);
    const second = (df ? 0 : swap(this.#ipId++ & 0xffff)) | (df << 16);
    const low = (words[w + 2]! & 0xff) | (IPIP << 8);
    const sum = half(first) + half(second) + low + half(to.source) + half(to.address);
    words[w - 5] = first;
    words[w - 4] = second;
    words[w - 3] = low | (~fold(sum) << 16);
    words[w - 2] = to.source;
    words[w - 1] = to.address;
    return (w << 2) - IP - ETH;
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
