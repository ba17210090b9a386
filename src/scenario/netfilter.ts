/**
 * What netfilter of the captured director did to packets around IPVS: firewall marks before it, which `tc` gives, too, and
 * masquerading of what IPVS sends where `net.ipv4.vs.conntrack` lets it.
 *
 * @module
 */
import { BlockList } from 'node:net';
import type { Layer } from '../decode/layers.js';
import { readU16 } from '../decode/text.js';
import { IpvsError } from '../errors.js';
import { adjusted } from './checksum.js';
import { fieldOf, type Packet, packetOf } from './packet.js';

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

const FILTER = /^filter add dev (\S+) ingress protocol all flower src_mac (\S+) action skbedit mark (\d+)$/;

type Match = (packet: Packet, inInterface: string) => boolean;

/** The tables of a director, as far as its scenario's rules fill them. */
export class Netfilter {
  /** `net.ipv4.vs.conntrack`: whether IPVS's packets are tracked, which masquerading needs. */
  tracksIpvs = false;
  readonly #marks: { mark: number; matches: readonly Match[] }[] = [];
  /** Marks that `tc` gives by sender: interface and MAC address. */
  readonly #senders = new Map<string, number>();
  readonly #masquerades = new Map<string, string>();
  /** Sources before masquerading, by what replies carry. */
  readonly #sources = new Map<string, Uint8Array>();

  /**
   * Adds a rule of `iptables` or `ip6tables`, given in words without the program's name. `addressOf` gives the first
   * IPv4 address of an interface.
   *
   * @throws {IpvsError} `BAD_INPUT` for what is not handled
   */
  add(words: readonly string[], addressOf: (name: string) => string | undefined): void {
    const text = words.join(' ');
    const out = /^-t nat -A POSTROUTING -o (\S+) -j MASQUERADE$/.exec(text)?.[1];
    const address = out === undefined ? undefined : addressOf(out);
    if (out !== undefined && address !== undefined) this.#masquerades.set(out, address);
    else if (/^-t mangle -A PREROUTING .*-j MARK --set-mark \d+$/.test(text)) {
      this.#marks.push({ mark: Number(words.at(-1)), matches: matchesOf(words.slice(4, -4)) });
    } // A packet that is dropped as invalid would be missing from what is compared.
    else if (!/^-A FORWARD -m conntrack --ctstate INVALID -j (ACCEPT|DROP)$/.test(text)) throw notHandled(text);
  }

  /**
   * Adds a filter of `tc`, given in words without the program's name: `filter add dev DEV ingress protocol all flower
   * src_mac MAC action skbedit mark N`.
   *
   * @throws {IpvsError} `BAD_INPUT` for what is not handled
   */
  addFilter(words: readonly string[]): void {
    const text = words.join(' ');
    if (/^qdisc add dev \S+ ingress$/.test(text)) return;
    const [, device, mac, mark] = FILTER.exec(text) ?? [];
    if (mac === undefined) throw new IpvsError('BAD_INPUT', `not handled by tc here: ${text}`);
    this.#senders.set(`${device} ${mac.toLowerCase()}`, Number(mark));
  }

  /** The mark of a frame that came in, 0 without one. */
  markOf(frame: Uint8Array, inInterface: string): number {
    return this.#markByRules(frame, inInterface) ?? this.#markBySender(frame, inInterface);
  }

  #markBySender(frame: Uint8Array, inInterface: string): number {
    if (this.#senders.size === 0) return 0;
    const sender = Array.from(frame.subarray(6, 12), (byte) => byte.toString(16).padStart(2, '0')).join(':');
    return this.#senders.get(`${inInterface} ${sender}`) ?? 0;
  }

  #markByRules(frame: Uint8Array, inInterface: string): number | undefined {
    if (this.#marks.length === 0) return undefined;
    const packet = packetOf(frame);
    if (packet === undefined) return undefined;
    const found = this.#marks.filter(({ matches }) => matches.every((match) => match(packet, inInterface)));
    return found.at(-1)?.mark;
  }

  /** A frame that leaves, with its source masqueraded where a rule says so. */
  leaving(frame: Uint8Array, outInterface: string): Uint8Array {
    const address = this.tracksIpvs ? this.#masquerades.get(outInterface) : undefined;
    const found = address === undefined ? undefined : endsOf(frame);
    if (address === undefined || found === undefined) return frame;
    const { ip, transport } = found;
    const own = Uint8Array.from(address.split('.').map(Number));
    const source = frame.slice(ip.start + 12, ip.start + 16);
    const changed = rewritten(frame, ip, transport, ip.start + 12, own);
    const key = keyOf(changed, ip, transport, false);
    const known = this.#sources.get(key);
    // Linux would choose another port.
    if (known !== undefined && Buffer.compare(known, source) !== 0) throw notHandled(`a second source behind ${key}`);
    this.#sources.set(key, source);
    return changed;
  }

  /** A frame that comes in, sent to its sender's peer again when it answers a masqueraded one. */
  arriving(frame: Uint8Array): Uint8Array {
    const found = this.#sources.size === 0 ? undefined : endsOf(frame);
    if (found === undefined) return frame;
    const { ip, transport } = found;
    const source = this.#sources.get(keyOf(frame, ip, transport, true));
    return source === undefined ? frame : rewritten(frame, ip, transport, ip.start + 16, source);
  }
}

/** Conditions of a rule: `-i`, `-s`, `-d`, `-p`, `--sport`, `--dport`, and `-m multiport --dports`. */
function matchesOf(words: readonly string[]): Match[] {
  const matches: Match[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const [option, value = ''] = [words[i], words[i + 1]];
    const port = (name: 'srcport' | 'dstport'): Match => {
      const wanted = value.split(',');
      return ({ layers }) => {
        const layer = layers.find(({ kind, prefix }) => prefix === '' && kind in PROTOCOLS);
        return wanted.includes(fieldOf(layer, `${layer?.kind}.${name}`) ?? '');
      };
    };
    if (option === '-i') matches.push((_, inInterface) => inInterface === value);
    else if (option === '-p' && value in PROTOCOLS) matches.push(({ protocol }) => protocol === PROTOCOLS[value]);
    else if (option === '-s') matches.push(({ version, src }) => within(value, version, src));
    else if (option === '-d') matches.push(({ version, dst }) => within(value, version, dst));
    else if (option === '--sport') matches.push(port('srcport'));
    else if (option === '--dport' || option === '--dports') matches.push(port('dstport'));
    else if (option !== '-m' || value !== 'multiport') throw notHandled(words.join(' '));
  }
  return matches;
}

function within(prefix: string, version: 4 | 6, address: string): boolean {
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const [network = '', length = version === 4 ? '32' : '128'] = prefix.split('/');
  if (network.includes(':') !== (version === 6)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return list.check(address, family);
}

interface Ends {
  readonly ip: Layer;
  readonly transport: Layer;
}

/** The headers of a TCP or UDP packet over IPv4. */
function endsOf(frame: Uint8Array): Ends | undefined {
  const [ip, transport] = packetOf(frame)?.layers ?? [];
  if (ip?.kind !== 'ip' || (transport?.kind !== 'tcp' && transport?.kind !== 'udp')) return undefined;
  return { ip, transport };
}

/** Protocol, address and port of this side, address and port of the other. */
function keyOf(frame: Uint8Array, ip: Layer, transport: Layer, isReply: boolean): string {
  const name = (word: string) => fieldOf(ip, `ip.${word}`) ?? '';
  const [from, to] = [readU16(frame, transport.start), readU16(frame, transport.start + 2)];
  const ends = [`${name('src')}:${from}`, `${name('dst')}:${to}`];
  // The source may have been written since the layers were read.
  if (!isReply) ends[0] = `${frame.subarray(ip.start + 12, ip.start + 16).join('.')}:${from}`;
  return `${transport.kind} ${(isReply ? ends.reverse() : ends).join(' ')}`;
}

/** The frame with another address at `at`, and the checksums that follow. */
function rewritten(frame: Uint8Array, ip: Layer, transport: Layer, at: number, address: Uint8Array): Uint8Array {
  const copy = frame.slice();
  const before = frame.subarray(at, at + 4);
  copy.set(address, at);
  const isUdp = transport.kind === 'udp';
  for (const place of [ip.start + 10, transport.start + (isUdp ? 6 : 16)]) {
    const isNone = isUdp && place > transport.start && readU16(frame, place) === 0;
    const value = isNone ? 0 : adjusted(readU16(frame, place), before, address);
    copy.set([value >> 8, value & 255], place);
  }
  return copy;
}

function notHandled(text: string): IpvsError {
  return new IpvsError('BAD_INPUT', `not handled by netfilter here: ${text}`);
}
