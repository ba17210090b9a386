/**
 * Frames that the host stack of the captured director made, not IPVS: answers to packets for which our verdict was
 * `local`, that is, which we left to the host.
 *
 * @module
 */
import { layersOf } from '../decode/layers.js';

/** A packet that we left to the host. */
export interface LocalInput {
  readonly capture: string;
  /** Number in its capture, from 1. */
  readonly frame: number;
  /** ns since the epoch. */
  readonly time: bigint;
  readonly data: Uint8Array;
  /** The packet within it, when that was taken out of a tunnel (starts at its IP header). */
  readonly inner: Uint8Array | undefined;
  readonly reason: string;
}

/** Answers that the host makes to one packet: a RST, an ICMP error, an echo reply. */
const ANSWERS = 1;
/** A real server on the director itself has a socket that acknowledges and answers. */
const SERVER_ANSWERS = 16;

/** Finds the cause of frames of the host. */
export class HostAnswers {
  readonly #open: { input: LocalInput; left: number }[];
  readonly #ours: ReadonlySet<string>;

  /** `ours`: the addresses of the director, dotted quads. */
  constructor(inputs: readonly LocalInput[], ours: ReadonlySet<string>) {
    this.#open = inputs.map((input) => ({ input, left: input.reason === 'local-dest' ? SERVER_ANSWERS : ANSWERS }));
    this.#ours = ours;
  }

  /**
   * The packet that a captured frame answers, `undefined`: none, so IPVS must have made it. Each packet left to the
   * host explains a limited number of frames.
   */
  take(frame: Uint8Array, time: bigint): LocalInput | undefined {
    const answer = flowOf(layersOf(frame));
    if (answer === undefined) return undefined;
    const found = this.#open.find(({ input, left }) => left > 0 && input.time <= time && this.#answers(input, answer));
    if (found === undefined) return undefined;
    found.left--;
    return found.input;
  }

  #answers(input: LocalInput, answer: Flow): boolean {
    const asked = flowOf(input.inner === undefined ? layersOf(input.data) : layersOf(input.inner, 'raw'));
    if (asked === undefined || answer.dst !== asked.src) return false;
    if (answer.src !== asked.dst && !this.#ours.has(answer.src)) return false;
    if (answer.quoted !== undefined) return sameFlow(answer.quoted, asked);
    if (answer.kind !== asked.kind) return false;
    if (answer.kind === 'tcp' || answer.kind === 'udp') {
      return answer.src === asked.dst && answer.sport === asked.dport && answer.dport === asked.sport;
    }
    return true;
  }
}

interface Flow {
  readonly kind: string;
  readonly src: string;
  readonly dst: string;
  readonly sport: string | undefined;
  readonly dport: string | undefined;
  /** The packet that an ICMP error is about. */
  readonly quoted: Flow | undefined;
}

function sameFlow(a: Flow, b: Flow): boolean {
  const same = a.kind === b.kind && a.src === b.src && a.dst === b.dst;
  return same && a.sport === b.sport && a.dport === b.dport;
}

type Layers = ReturnType<typeof layersOf>;

function flowOf(all: Layers): Flow | undefined {
  const layers = all.filter(({ kind }) => kind !== 'eth' && kind !== 'vlan');
  const [first, next] = layers;
  if (first === undefined) return undefined;
  const get = (layer: (typeof layers)[0] | undefined, name: string) =>
    layer?.fields.find((field) => field.name === layer.prefix + name)?.value;
  const arp = first.kind === 'arp';
  const src = get(first, arp ? 'arp.src.proto_ipv4' : 'ip.src');
  const dst = get(first, arp ? 'arp.dst.proto_ipv4' : 'ip.dst');
  if (src === undefined || dst === undefined) return undefined;
  const kind = arp ? 'arp' : `ip ${get(first, 'ip.proto')}`;
  if (next?.kind === 'tcp' || next?.kind === 'udp') {
    const [sport, dport] = [get(next, `${next.kind}.srcport`), get(next, `${next.kind}.dstport`)];
    return { kind: next.kind, src, dst, sport, dport, quoted: undefined };
  }
  const quoted = next?.kind === 'icmp' && layers.length > 2 ? flowOf(layers.slice(2)) : undefined;
  return { kind, src, dst, sport: undefined, dport: undefined, quoted };
}
