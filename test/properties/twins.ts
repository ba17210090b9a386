/**
 * Two directors, the core and the reference, that are told the same and must answer the same.
 *
 * @module
 */
import type { Director, Outcome } from '../../src/director.js';
import { ReferenceDirector, type ReferenceOutcome } from '../../src/reference/index.js';
import type { DestConfig, NetworkConfig } from '../../src/types.js';
import { type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { checksum, toHex } from '../support/packets.js';
import { frameOf } from './frames.js';
import { flowsOf, type Step } from './steps.js';
import { KEYS, networkOf, type World } from './world.js';

/** Few, so that the table is full now and then. */
const CONNECTIONS = 6;
/** The core ends a connection at most a tick of its wheel after it is due; nobody can tell by packets of its own. */
const LATENESS = 256;
const START = 1_700_000_000_000;

/** How often each reason was given, over all runs of a file. */
export type Tally = Map<string, number>;

const memories = new Map<Binary, WebAssembly.Memory>();

function memoryOf(binary: Binary): WebAssembly.Memory {
  let memory = memories.get(binary);
  if (memory === undefined) {
    memory = memoryFor(binary);
    memories.set(binary, memory);
  }
  return memory;
}

export class Twins {
  readonly core: Director;
  readonly reference: ReferenceDirector;
  now = START;
  #network: NetworkConfig;
  readonly #tally: Tally;

  constructor(world: World, binary: Binary, tally: Tally) {
    this.#network = networkOf(world.network);
    this.#tally = tally;
    const { sysctl } = world;
    const plan = { ...SMALL_PLAN, connections: CONNECTIONS };
    this.core = createDirector(binary, { plan, network: this.#network, sysctl, memory: memoryOf(binary) });
    this.reference = new ReferenceDirector({ network: this.#network, sysctl, connections: CONNECTIONS });
    for (const { service, dests } of world.services) {
      this.#both((director) => director.addService(service));
      for (const dest of dests) this.#both((director) => director.addDest(service, dest));
    }
  }

  /** Does the step to both. @throws Error that names the first difference. */
  take(step: Step): void {
    switch (step.kind) {
      case 'time':
        this.#pass(step.ms);
        break;
      case 'sysctl':
        this.#both((director) => director.setSysctl(step.sysctl));
        break;
      case 'network':
        this.#network = networkOf(step.network);
        this.#both((director) => director.setNetwork(this.#network));
        break;
      case 'timeouts':
        this.#both((director) => director.setTimeouts(step));
        break;
      case 'service':
        this.#both((director) => director[`${step.what}Service`](step.service));
        break;
      case 'dest': {
        const key = KEYS[step.key] as (typeof KEYS)[number];
        const { dests = [] } =
          this.reference
            .services()
            .find((each) => 'address' in each && each.address === key.address && each.port === key.port) ?? {};
        const { address, port } = (step.what === 'add' ? undefined : dests[step.there]) ?? step.dest;
        // A dest keeps its port only with NAT.
        const method = port === key.port ? step.dest.method : 'nat';
        const dest = { ...step.dest, address, port, method } as DestConfig;
        this.#both((director) => director[`${step.what}Dest`](key, dest));
        break;
      }
      default:
        this.#send(step);
    }
  }

  /** Compares what both know at the end. */
  compareState(): void {
    const { core, reference, now } = this;
    const ofConnection = (flow: object): string => text(Object.entries(flow).sort());
    same(
      'connections',
      core.connections(now).map(ofConnection).sort().join('\n'),
      reference.connections(now).map(ofConnection).sort().join('\n'),
    );
    const ofService = (service: object): string => text(Object.entries(service).sort());
    same(
      'services',
      core.services().map(ofService).sort().join('\n'),
      reference.services().map(ofService).sort().join('\n'),
    );
  }

  #send(step: Step): void {
    const flows = flowsOf(this.reference.connections(this.now));
    const arrival = frameOf(step, this.#network, flows);
    if (arrival === undefined) return;
    const expected = this.reference.send(arrival.frame, arrival.inInterface, this.now);
    const outcomes = this.core.send(arrival.frame, arrival.inInterface, this.now);
    for (const { verdict, reason, made } of outcomes) {
      const name = `${made ? 'made ' : ''}${verdict} ${reason}`;
      this.#tally.set(name, (this.#tally.get(name) ?? 0) + 1);
    }
    const where = `frame ${toHex(arrival.frame)} in by ${arrival.inInterface}`;
    same(
      where,
      outcomes.map((each) => this.#describe(each)).join('\n'),
      expected.map((each) => this.#describe(each)).join('\n'),
    );
  }

  /** What must be the same of an outcome. The bytes of a dropped frame are nobody's. */
  #describe(outcome: Outcome | ReferenceOutcome): string {
    const { verdict, reason, outInterface, made } = outcome;
    const frame = verdict === 'drop' ? '' : toHex(this.#masked(outcome));
    return `${made ? 'made ' : ''}${verdict} ${reason} ${outInterface} ${frame}`;
  }

  /** The frame without the identification that the director chose, and the checksum over it, which must be right. */
  #masked({ frame, reason, made, outInterface }: Outcome | ReferenceOutcome): Uint8Array {
    const { kind, vlan } = this.#network.interfaces.find(({ name }) => name === outInterface) ?? {};
    const at = kind === 'raw' ? 0 : vlan === undefined ? 14 : 18;
    const header = frame.slice(at, at + ((frame[at] as number) & 15) * 4);
    const tunnelled = (reason === 'tunnel-ipip' || reason === 'icmp-in' || reason === 'fragment') && header[9] === 4;
    if (!tunnelled && (!made || reason === 'fragment')) return frame;
    if (checksum(header) !== 0) throw new Error(`wrong checksum in a header of the director's own: ${toHex(header)}`);
    // With DF set it chooses nothing: the identification is 0 (RFC 6864 §4.1).
    if (((header[6] as number) & 0x40) !== 0) return frame;
    const masked = frame.slice();
    masked.fill(0, at + 4, at + 6);
    masked.fill(0, at + 10, at + 12);
    return masked;
  }

  #pass(ms: number): void {
    const due = this.reference.connections(this.now).map(({ expires }) => this.now + expires * 1000);
    let to = this.now + ms;
    while (due.some((at) => at <= to && to - at <= LATENESS)) to += LATENESS;
    this.now = to;
    this.#both((director) => director.advance(to));
  }

  /** Both refuse, or none. */
  #both(act: (director: Director & ReferenceDirector) => void): void {
    const refusals = [this.core, this.reference].map((director) => {
      try {
        act(director as Director & ReferenceDirector);
        return 'done';
      } catch {
        return 'refused';
      }
    });
    same('control', refusals[0] as string, refusals[1] as string);
  }
}

function text(value: unknown): string {
  // The core names the kind of every tunnel, the reference none but GRE and GUE.
  const plain = (name: string, each: unknown): unknown =>
    typeof each === 'bigint'
      ? String(each)
      : name === 'tunnel' && Object.values(each as object)[0] === 'ipip'
        ? undefined
        : each;
  return JSON.stringify(value, plain);
}

function same(what: string, core: string, reference: string): void {
  if (core !== reference) throw new Error(`${what}\ncore:\n${core}\nreference:\n${reference}`);
}
