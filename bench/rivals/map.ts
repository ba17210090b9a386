/**
 * The plain rival: what most people would write first. A `Map` keyed by strings, frames as
 * `Uint8Array` and `DataView`, every checksum summed anew.
 *
 * @module
 */
import { INPUT, INPUT_ONLY, isActive, OUTPUT, TIMEOUTS, tcpNext } from './states.js';
import { CONN_WORDS, DROP, FORWARD, type Judged, LOCAL, MASQ, PASS, TUNNEL, type World } from './world.js';

interface Connection {
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
  method: number;
  state: number;
  outputSeen: boolean;
  dest: number;
  touched: number;
  timeout: number;
  inPackets: number;
}

export interface Packet {
  /** Offset of the IP header. */
  ip: number;
  length: number;
  src: string;
  dst: string;
  protocol: number;
  sport: number;
  dport: number;
}

interface Counters {
  inPackets: number;
  inBytes: number;
  outPackets: number;
  outBytes: number;
}

const ETH = 14;
const IP = 20;
const TCP = 6;
const UDP = 17;

/** Key of a connection in one direction. */
export function key(src: string, sport: number, dst: string, dport: number, protocol: number): string {
  return `${src}:${sport}>${dst}:${dport}/${protocol}`;
}

function dotted(frame: Uint8Array, at: number): string {
  return `${frame[at]}.${frame[at + 1]}.${frame[at + 2]}.${frame[at + 3]}`;
}

function dottedWord(word: number): string {
  return `${word & 0xff}.${(word >> 8) & 0xff}.${(word >> 16) & 0xff}.${word >>> 24}`;
}

function hostPort(port: number): number {
  return ((port >> 8) & 0xff) | ((port & 0xff) << 8);
}

/** Internet checksum (RFC 1071) of a range, on top of `sum`. */
export function checksum(view: DataView, at: number, length: number, sum = 0): number {
  for (let i = 0; i + 1 < length; i += 2) sum += view.getUint16(at + i);
  if (length & 1) sum += view.getUint8(at + length - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export class MapRival {
  readonly connections = new Map<string, Connection>();
  readonly service: Counters = { inPackets: 0, inBytes: 0, outPackets: 0, outBytes: 0 };
  readonly dests: (Counters & { active: number; inactive: number })[];
  readonly #world: World;
  readonly #locals: Set<string>;
  #ipId = 0;

  constructor(world: World) {
    this.#world = world;
    this.#locals = new Set(world.locals.map(dottedWord));
    this.dests = world.dests.map(() => ({ ...this.service, active: 0, inactive: 0 }));
    for (let at = 0; at < world.connections.length; at += CONN_WORDS) this.#open(at);
  }

  #open(at: number): void {
    const { connections, dests } = this.#world;
    const ports = connections[at + 1]!;
    const last = connections[at + 3]!;
    const number = last & 0xffff;
    const dest = dests[number]!;
    const protocol = (last >>> 16) & 0xff;
    const c: Connection = {
      clientAddress: dottedWord(connections[at]!),
      clientPort: hostPort(ports),
      virtualAddress: dottedWord(connections[at + 2]!),
      virtualPort: hostPort(ports >>> 16),
      destAddress: dottedWord(dest.address),
      destPort: hostPort(dest.port),
      method: dest.method,
      state: last >>> 24,
      outputSeen: dest.method === MASQ,
      dest: number,
      touched: 0,
      timeout: TIMEOUTS[last >>> 24]!,
      inPackets: 0,
    };
    this.connections.set(key(c.clientAddress, c.clientPort, c.virtualAddress, c.virtualPort, protocol), c);
    if (c.method === MASQ) {
      this.connections.set(key(c.destAddress, c.destPort, c.clientAddress, c.clientPort, protocol), c);
    }
    if (isActive(c.state)) this.dests[number]!.active++;
    else this.dests[number]!.inactive++;
  }

  /** The packet at `ip`, or why there is none. */
  parse(frame: Uint8Array, view: DataView, ip: number): Packet | 'drop' | 'pass' {
    if (frame.length < ip + IP || frame[ip] !== 0x45 || checksum(view, ip, IP) !== 0) return 'drop';
    const length = view.getUint16(ip + 2);
    if (length < IP || ip + length > frame.length) return 'drop';
    const src = dotted(frame, ip + 12);
    const dst = dotted(frame, ip + 16);
    if (isSpecial(frame[ip + 12]!) || isSpecial(frame[ip + 16]!) || this.#locals.has(src)) return 'drop';
    if (view.getUint16(ip + 6) & 0x3fff) return 'pass';
    const protocol = frame[ip + 9]!;
    const ports = length >= IP + (protocol === TCP ? 20 : 8) && (protocol === TCP || protocol === UDP);
    const sport = ports ? view.getUint16(ip + IP) : 0;
    const dport = ports ? view.getUint16(ip + IP + 2) : 0;
    return { ip, length, src, dst, protocol, sport, dport };
  }

  /** The connection of a packet, of either direction. */
  lookup(packet: Packet): Connection | undefined {
    return this.connections.get(key(packet.src, packet.sport, packet.dst, packet.dport, packet.protocol));
  }

  /** Judges one frame; a forwarded one is changed in place, an encapsulated one is a new array. */
  process(frame: Uint8Array, inInterface: number, now: number): Judged {
    const refuse = (verdict: number): Judged => ({ verdict, out: 0, frame });
    if (frame.length < ETH) return refuse(DROP);
    const { mac } = this.#world.interfaces[inInterface]!;
    for (let i = 0; i < 6; i++) if (frame[i] !== mac[i]) return refuse(PASS);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    if (view.getUint16(12) !== 0x0800) return refuse(PASS);
    let packet = this.parse(frame, view, ETH);
    if (typeof packet === 'string') return refuse(packet === 'drop' ? DROP : PASS);
    const local = this.#locals.has(packet.dst);
    if (local && packet.protocol === 4) {
      const outerTos = frame[ETH + 1]!;
      packet = this.parse(frame, view, ETH + IP);
      if (typeof packet === 'string') return refuse(packet === 'drop' ? DROP : PASS);
      if (!mergeEcn(frame, view, packet.ip, outerTos)) return refuse(DROP);
      frame = frame.subarray(packet.ip, packet.ip + packet.length);
    }
    if (packet.protocol !== TCP && packet.protocol !== UDP) return refuse(PASS);
    const connection = this.lookup(packet);
    if (!connection) return refuse(this.#locals.has(packet.dst) && !this.#served(packet) ? LOCAL : PASS);
    if (local) return this.#forwardIn(frame, view, packet, connection, now);
    return this.#forwardOut(frame, view, packet, connection, now);
  }

  #served(packet: Packet): boolean {
    const { vip, vport, protocol } = this.#world;
    return packet.dst === dottedWord(vip) && packet.dport === hostPort(vport) && packet.protocol === protocol;
  }

  #updateState(c: Connection, packet: Packet, direction: number, flags: number, now: number): void {
    c.touched = now;
    if (packet.protocol !== TCP) return;
    if (direction === OUTPUT) c.outputSeen = true;
    else if (!c.outputSeen) direction = INPUT_ONLY;
    const next = tcpNext(direction, c.state, flags);
    if (isActive(next) !== isActive(c.state)) {
      const dest = this.dests[c.dest]!;
      dest.active += isActive(next) ? 1 : -1;
      dest.inactive += isActive(next) ? -1 : 1;
    }
    c.state = next;
    c.timeout = TIMEOUTS[next]!;
  }

  #forwardIn(frame: Uint8Array, view: DataView, packet: Packet, c: Connection, now: number): Judged {
    const dest = this.#world.dests[c.dest]!;
    const { ip, length } = packet;
    c.inPackets++;
    for (const counters of [this.service, this.dests[c.dest]!]) {
      counters.inPackets++;
      counters.inBytes += length;
    }
    this.#updateState(c, packet, INPUT, frame[ip + IP + 13]!, now);
    const whole = c.method === TUNNEL ? length + IP : length;
    if (frame[ip + 8]! <= 1 || whole > dest.mtu) return { verdict: DROP, out: 0, frame };
    frame[ip + 8]!--;
    if (c.method === MASQ) {
      setAddress(view, ip + 16, c.destAddress);
      view.setUint16(ip + IP + 2, c.destPort);
      signTransport(view, packet);
    }
    sign(view, ip);
    let out = frame.subarray(0, ETH + length);
    if (c.method === TUNNEL) out = this.#encapsulate(out, view, ip, dest.source, dest.address);
    return this.#send(out, dest.mac, dest.interface);
  }

  #forwardOut(frame: Uint8Array, view: DataView, packet: Packet, c: Connection, now: number): Judged {
    const { ip, length } = packet;
    if (frame[ip + 8]! <= 1 || length > this.#world.interfaces[0]!.mtu) return { verdict: DROP, out: 0, frame };
    for (const counters of [this.service, this.dests[c.dest]!]) {
      counters.outPackets++;
      counters.outBytes += length;
    }
    this.#updateState(c, packet, OUTPUT, frame[ip + IP + 13]!, now);
    frame[ip + 8]!--;
    setAddress(view, ip + 12, c.virtualAddress);
    view.setUint16(ip + IP, c.virtualPort);
    signTransport(view, packet);
    sign(view, ip);
    return this.#send(frame.subarray(0, ETH + length), this.#world.clientMac, 0);
  }

  #encapsulate(inner: Uint8Array, view: DataView, ip: number, source: number, address: number): Uint8Array {
    const frame = new Uint8Array(inner.length + IP);
    frame.set(inner.subarray(0, ETH));
    frame.set(inner.subarray(ETH), ETH + IP);
    const outer = new DataView(frame.buffer);
    const tos = inner[ip + 1]!;
    const df = view.getUint16(ip + 6) & 0x4000;
    frame[ETH] = 0x45;
    frame[ETH + 1] = (tos & 3) === 3 ? (tos & ~3) | 2 : tos;
    outer.setUint16(ETH + 2, frame.length - ETH);
    outer.setUint16(ETH + 4, df ? 0 : this.#ipId++ & 0xffff);
    outer.setUint16(ETH + 6, df);
    frame[ETH + 8] = inner[ip + 8]!;
    frame[ETH + 9] = 4;
    outer.setUint32(ETH + 12, source, true);
    outer.setUint32(ETH + 16, address, true);
    sign(outer, ETH);
    return frame;
  }

  #send(frame: Uint8Array, mac: Uint8Array, out: number): Judged {
    frame.set(mac, 0);
    frame.set(this.#world.interfaces[out]!.mac, 6);
    return { verdict: FORWARD, out, frame };
  }
}

function isSpecial(first: number): boolean {
  return first === 0 || first === 127 || first >= 224;
}

function setAddress(view: DataView, at: number, address: string): void {
  for (const [i, part] of address.split('.').entries()) view.setUint8(at + i, Number(part));
}

/** Sets the IP header checksum. */
function sign(view: DataView, ip: number): void {
  view.setUint16(ip + 10, 0);
  view.setUint16(ip + 10, checksum(view, ip, IP));
}

/** Sets the TCP or UDP checksum. */
function signTransport(view: DataView, { ip, length, protocol }: Packet): void {
  const at = ip + IP + (protocol === TCP ? 16 : 6);
  view.setUint16(at, 0);
  let pseudo = protocol + length - IP;
  for (let i = 12; i < IP; i += 2) pseudo += view.getUint16(ip + i);
  const sum = checksum(view, ip + IP, length - IP, pseudo);
  view.setUint16(at, sum === 0 && protocol === UDP ? 0xffff : sum);
}

/** RFC 6040 §4.2; false when the packet must be dropped. */
function mergeEcn(frame: Uint8Array, view: DataView, ip: number, outerTos: number): boolean {
  const ecn = frame[ip + 1]! & 3;
  const outer = outerTos & 3;
  if (outer === 3 && ecn === 0) return false;
  const merged = outer === 3 ? 3 : outer === 1 && ecn === 2 ? 1 : ecn;
  frame[ip + 1] = (frame[ip + 1]! & ~3) | merged;
  if (merged !== ecn) sign(view, ip);
  return true;
}
