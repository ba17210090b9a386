/**
 * A random case: its world, and step by step what happens in it.
 *
 * @module
 */
import { fieldOf, packetOf } from '../../../src/scenario/packet.js';
import type { Done, Step } from '../case.js';
import type { Random } from '../random.js';
import type { StepSource } from '../record.js';
import { Context, type Kind, type Move } from './context.js';
import { control } from './control.js';
import { extensions } from './extensions.js';
import { FEATURES } from './features.js';
import { fragments } from './fragments.js';
import { icmpErrors, unaskedErrors } from './icmp-errors.js';
import { ipsec } from './ipsec.js';
import { arp, link } from './link.js';
import { requests } from './requests.js';
import { receivedLength } from './shapes.js';
import { tunnelled } from './tunnelled.js';
import type { World } from './world.js';

/** All kinds that are switched on. */
const KINDS: readonly Kind[] = [
  ...requests,
  fragments,
  icmpErrors,
  unaskedErrors,
  ipsec,
  link,
  arp,
  tunnelled,
  extensions,
  control,
];

/** Bytes of an Ethernet header. */
const ETHERNET = 14;

/** One case of so many has a pause in it. */
const PAUSED_CASES = 10;

/**
 * Ends of pauses, ms from the start. All timers that were set in the first 1.5 s and take 2 to 4 s have gone off by the
 * first, an eighth later at most, and those of 10, 30, 60 and 120 s by the next; none goes off in the 1.5 s behind a pause.
 */
const PAUSES: readonly (readonly [weight: number, until: number])[] = [
  [8, 6500],
  [8, 13_500],
  [3, 33_500],
  [1, 69_000],
  [1, 128_000],
];

/** Random steps in a world. */
export class Traffic implements StepSource {
  readonly #context: Context;
  #left: number;
  #planned: Move[] = [];
  #last: Move | undefined;
  /** When so many packets are left, there is a pause. */
  readonly #pauseAt: number;
  #pause: number | undefined;
  #isLate = false;

  /** Until `packets` were sent. */
  constructor(random: Random, world: World, packets: number) {
    this.#context = new Context(random, world);
    this.#left = packets;
    this.#pause = random.once(PAUSED_CASES) ? random.weighted(PAUSES) : undefined;
    this.#pauseAt = random.below(packets);
  }

  next(): Step | undefined {
    if (this.#pause !== undefined && this.#left <= this.#pauseAt) {
      const until = this.#pause;
      [this.#pause, this.#last, this.#isLate] = [undefined, undefined, true];
      this.#planned = [];
      return { kind: 'pause', until };
    }
    while (this.#planned.length === 0 && this.#left > 0) {
      const kind = this.#context.random.weighted(KINDS.map((each) => [each.weight, each] as const));
      this.#planned = kind.make(this.#context).filter((move) => this.#fits(move));
    }
    this.#last = this.#left > 0 ? this.#planned.shift() : undefined;
    const step = this.#last?.step;
    if (step?.kind === 'frame') this.#left--;
    return step;
  }

  #fits({ step }: Move): boolean {
    if (step.kind !== 'frame') return true;
    if (isOfHidden(step.frame, this.#isLate) || isWithoutLength(step.frame)) return false;
    if (this.#context.world.services.some(({ mark }) => mark !== undefined) && isAside(step.frame)) return false;
    return step.frame.length <= ETHERNET + receivedLength(this.#context.world, step.inInterface);
  }

  learn({ emitted }: Done): void {
    const { flow, direction } = this.#last ?? {};
    if (flow !== undefined && direction !== undefined) this.#context.flows.learn(flow, direction, emitted);
  }
}

/**
 * Whether a packet is about connections from port 0 where docs/deviations.md has a row: the host's own RST or ABORT would end one;
 * `late`: the newest may have ended, and this is a reply.
 */
function isOfHidden(frame: Uint8Array, late: boolean): boolean {
  const layers = packetOf(frame)?.layers ?? [];
  return layers.some((layer) => {
    const { kind, prefix } = layer;
    if ((kind !== 'tcp' && kind !== 'sctp') || prefix.includes('quoted.')) return false;
    const opens =
      kind === 'tcp' ? fieldOf(layer, 'tcp.flags')?.includes('S') : fieldOf(layer, 'sctp.chunk_type') === 'INIT';
    const isRefused = fieldOf(layer, `${kind}.srcport`) === '0' && !opens;
    return isRefused || (late && fieldOf(layer, `${kind}.dstport`) === '0');
  });
}

/** Whether it is from a directed broadcast address, which Linux with rules for marks looks at (docs/deviations.md), or to one. */
function isAside(frame: Uint8Array): boolean {
  return (packetOf(frame)?.layers ?? []).some((layer) => {
    const isFromAll = /^10\.\d\.0\.255$/.test(fieldOf(layer, 'ip.src') ?? '');
    const isToAll = /\.255$/.test(fieldOf(layer, 'ip.dst') ?? '');
    return isFromAll || (isToAll && !FEATURES.markedBroadcasts);
  });
}

/** Whether a packet of IPv6 has hop-by-hop options and gives its length as 0 (docs/deviations.md). */
function isWithoutLength(frame: Uint8Array): boolean {
  const layers = packetOf(frame)?.layers ?? [];
  return layers.some(
    (layer) => layer.kind === 'ipv6' && fieldOf(layer, 'ipv6.plen') === '0' && fieldOf(layer, 'ipv6.nxt') === '0',
  );
}
