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

/** Random steps in a world. */
export class Traffic implements StepSource {
  readonly #context: Context;
  #left: number;
  #planned: Move[] = [];
  #last: Move | undefined;
  #settles = false;

  /** Until `packets` were sent. */
  constructor(random: Random, world: World, packets: number) {
    this.#context = new Context(random, world);
    this.#left = packets;
  }

  next(): Step | undefined {
    while (this.#planned.length === 0 && this.#left > 0) {
      const kind = this.#context.random.weighted(KINDS.map((each) => [each.weight, each] as const));
      this.#planned = kind.make(this.#context).filter((move) => this.#fits(move));
    }
    this.#last = this.#left > 0 ? this.#planned.shift() : undefined;
    const step = this.#last?.step;
    if (step === undefined || step.kind === 'sysctl') return step;
    // What ends a connection at once is a timer, which takes a tick of the clock: a rule, and what opens another instead.
    const { expire_nodest_conn: expires, conn_reuse_mode: reuses } = this.#context.world.sysctl;
    if (step.kind === 'command') this.#settles ||= expires === 1;
    else this.#left--;
    const isNew = this.#last?.flow !== undefined && this.#last.flow.server === undefined;
    const mayReplace = reuses === 1 && !isNew && step.kind === 'frame' && mayOpenAgain(step.frame);
    return this.#settles || mayReplace ? { ...step, settles: true } : step;
  }

  #fits({ step }: Move): boolean {
    if (step.kind !== 'frame') return true;
    if (isOfHidden(step.frame)) return false;
    return step.frame.length <= ETHERNET + receivedLength(this.#context.world, step.inInterface);
  }

  learn({ emitted }: Done): void {
    const { flow, direction } = this.#last ?? {};
    if (flow !== undefined && direction !== undefined) this.#context.flows.learn(flow, direction, emitted);
  }
}

/**
 * Whether a packet may move a connection on that its client opened from port 0, but none that is the newest of its client's:
 * a reply, or what the host itself answers with a reset (docs/deviations.md).
 */
function isOfHidden(frame: Uint8Array): boolean {
  const layers = packetOf(frame)?.layers ?? [];
  return layers.some((layer) => {
    const { kind, prefix } = layer;
    if ((kind !== 'tcp' && kind !== 'sctp') || prefix.includes('quoted.')) return false;
    const isReset =
      kind === 'tcp' && fieldOf(layer, 'tcp.srcport') === '0' && !fieldOf(layer, 'tcp.flags')?.includes('S');
    return isReset || fieldOf(layer, `${kind}.dstport`) === '0';
  });
}

/** Whether a packet is a SYN or an INIT, also in a tunnel, or a fragment with which one may be whole. */
function mayOpenAgain(frame: Uint8Array): boolean {
  const packet = packetOf(frame);
  if (packet?.fragment) return true;
  const layers = packet?.layers ?? [];
  return layers.some(
    (layer) =>
      (layer.kind === 'tcp' && fieldOf(layer, 'tcp.flags')?.includes('S')) ||
      (layer.kind === 'sctp' && fieldOf(layer, 'sctp.chunk_type') === 'INIT'),
  );
}
