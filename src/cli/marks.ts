/**
 * `--mark`: firewall marks by match rules, as a director's iptables would set them in PREROUTING before IPVS sees a packet.
 *
 * @module
 */
import { familyOf, type PrefixBytes, prefixBytes } from '../address.js';
import type { LinkKind } from '../capture/link-type.js';
import { type Headers, locateHeaders } from '../decode/headers.js';
import { isEthernet } from '../explain/routes.js';
import { commonBits } from '../prefix-bits.js';
import type { NetworkConfig } from '../types.js';
import { usageError } from './io.js';

/** What a packet must be to get a mark; what is absent may be anything. */
interface MarkRule {
  readonly mark: number;
  /** Index of the interface that received it. */
  readonly received?: number;
  readonly source?: PrefixBytes;
  readonly destination?: PrefixBytes;
  readonly protocol?: number;
  /** Of the destination, first and last. */
  readonly ports?: readonly [number, number];
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
const FORM = "--mark takes '[INTERFACE] [from PREFIX] [PREFIX] [tcp|udp|sctp [PORT[-PORT]]] = N'";

/** Gives frames their marks: that of the first rule that matches, else 0. */
export class Marks {
  readonly #rules: readonly MarkRule[];
  readonly #links: readonly LinkKind[];

  /** @throws {CliError} for a rule that does not parse, an interface that the network does not have, and what is no mark */
  constructor(texts: readonly string[], { interfaces }: NetworkConfig) {
    const names = interfaces.map(({ name }) => name);
    const seen = new Map<string, string>();
    this.#rules = texts.map((text) => {
      const rule = parseRule(text, names);
      const { mark: _, ...match } = rule;
      const key = JSON.stringify(match);
      if (seen.has(key)) throw usageError(`--mark ${text}: '${seen.get(key)}' takes these packets already`);
      seen.set(key, text);
      return rule;
    });
    this.#links = interfaces.map((one) => (isEthernet(one) ? 'ether' : 'raw'));
  }

  /** Whether some packet may get that mark. */
  gives(mark: number): boolean {
    return this.#rules.some((rule) => rule.mark === mark);
  }

  /** The mark of a frame at `bytes[start, end)` that was received on the interface of this index. */
  of(bytes: Uint8Array, start: number, end: number, received: number): number {
    let headers: Headers | undefined | null = null;
    for (const rule of this.#rules) {
      if (rule.received !== undefined && rule.received !== received) continue;
      if (rule.source === undefined && rule.destination === undefined && rule.protocol === undefined) return rule.mark;
      const frame = bytes.subarray(start, end);
      if (headers === null) headers = locateHeaders(frame, this.#links[received] ?? 'raw');
      if (headers !== undefined && matches(rule, frame, headers)) return rule.mark;
    }
    return 0;
  }
}

function matches({ source, destination, protocol, ports }: MarkRule, frame: Uint8Array, headers: Headers): boolean {
  const { family, ip, start, end, isFirst } = headers;
  const [size, at] = family === 4 ? [4, ip + 12] : [16, ip + 8];
  const isIn = (prefix: PrefixBytes, from: number): boolean =>
    prefix.family === family && commonBits(prefix.bytes, frame.subarray(from, from + size)) >= prefix.length;
  if (source !== undefined && !isIn(source, at)) return false;
  if (destination !== undefined && !isIn(destination, at + size)) return false;
  if (protocol !== undefined && headers.protocol !== protocol) return false;
  if (ports === undefined) return true;
  // Later fragments have none.
  if (!isFirst || start + 4 > end) return false;
  const port = (frame[start + 2]! << 8) | frame[start + 3]!;
  return ports[0] <= port && port <= ports[1];
}

/** The forms of words, in their order. */
function parseRule(text: string, interfaces: readonly string[]): MarkRule {
  const [, match = '', number] = /^(.*?)\s*=\s*(\d+|0x[0-9a-f]+)\s*$/i.exec(text) ?? [];
  const mark = Number(number);
  const words = match.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0 || !(mark <= 0xffffffff)) throw usageError(`${FORM}, N being 0 to 4294967295, not '${text}'`);
  const next = (isIt: (word: string) => boolean): string | undefined =>
    words[0] !== undefined && isIt(words[0]) ? words.shift() : undefined;
  const prefix = (word: string | undefined): PrefixBytes => {
    try {
      return prefixBytes(word ?? '', word?.includes(':') ? 6 : 4);
    } catch (error) {
      throw usageError(`--mark ${text}: ${(error as Error).message}`);
    }
  };
  const name = next((word) => interfaces.includes(word));
  const source = next((word) => word === 'from') === undefined ? undefined : prefix(words.shift());
  const destination = next((word) => familyOf(word.replace(/\/.*/, '')) !== undefined);
  const protocol = next((word) => Object.hasOwn(PROTOCOLS, word));
  const range = protocol === undefined ? undefined : next((word) => /^\d+(-\d+)?$/.test(word));
  if (words.length > 0) {
    const lone = words.length === 1 && match === words[0];
    throw usageError(
      lone
        ? `--mark ${text}: the network has no interface ${match}`
        : `${FORM}: '${words[0]}' of '${text}' is none of these`,
    );
  }
  const [first = 0, last = first] = (range ?? '').split('-').map(Number);
  if (!(first <= last && last <= 0xffff)) throw usageError(`--mark ${text}: ports are 0 to 65535, the lower one first`);
  return {
    mark,
    ...(name !== undefined && { received: interfaces.indexOf(name) }),
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination: prefix(destination) }),
    ...(protocol !== undefined && { protocol: PROTOCOLS[protocol]! }),
    ...(range !== undefined && { ports: [first, last] as const }),
  };
}
