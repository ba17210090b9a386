/**
 * Two directors, the core and the reference, that are told the same and must answer the same.
 *
 * @module
 */
import type { Director, EcnName, Outcome } from '../../src/director.js';
import { type ReferenceConnectionInfo, ReferenceDirector, type ReferenceOutcome } from '../../src/reference/index.js';
import { Choices, matchFrames } from '../../src/scenario/masks.js';
import type { FrameNotes, LocalPortsConfig, NetworkConfig, SysctlConfig } from '../../src/types.js';
import { type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { ethernet, toHex } from '../support/packets.js';
import { finishedFrame } from './finish.js';
import type { ServiceWorld } from './world.js';

/** Few, so that the table is full now and then. */
/** What twos draws by. */
const SEED = 1n;
const CONNECTIONS = 6;
/** The same for datagrams that wait for fragments. */
const DATAGRAMS = 3;
/** And for local addresses, and their ports. */
const LOCALS = 5;
const LOCAL_PORTS = { first: 1024, last: 1030 };
/** The core ends a connection at most a tick of its wheel after it is due; nobody can tell by packets of its own. */
const LATENESS = 256;
/** By how much what controls connections outlives its time. */
const LONGER = 60_000;
const START = 1_700_000_000_000;

/** How often each reason was given, over all runs of a file. */
export type Tally = Map<string, number>;

/** A frame, the interface that it comes in by, and what it carries beside its bytes. */
export interface Arrival {
  frame: Uint8Array;
  inInterface: string;
  notes?: FrameNotes;
}

/** Everything that directors start with. */
export interface Start {
  network: NetworkConfig;
  sysctl: SysctlConfig;
  ecn?: EcnName;
  services: readonly ServiceWorld[];
  localPorts?: LocalPortsConfig;
}

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
  /** What the core chose at random, and the reference by counting. */
  readonly #chosen = new Choices();
  #packets = 0;
  /** What happened so far, for people. */
  readonly #story: unknown[] = [];

  constructor(start: Start, binary: Binary, tally: Tally) {
    const { network, sysctl, services, ecn = 'kernel', localPorts = LOCAL_PORTS } = start;
    this.#network = network;
    this.#tally = tally;
    const tables = {
      connections: CONNECTIONS,
      connections6: CONNECTIONS,
      datagrams: DATAGRAMS,
      schedulerBytes: 1 << 19,
      extensions: 2 * CONNECTIONS,
      localAddresses: LOCALS,
    };
    const plan = { ...SMALL_PLAN, ...tables };
    this.core = createDirector(binary, {
      plan,
      network,
      sysctl,
      ecn,
      localPorts,
      seed: SEED,
      memory: memoryOf(binary),
    });
    const { connections, connections6, datagrams, localAddresses } = tables;
    const limits = { connections, connections6, datagrams, localPorts, localAddresses };
    this.reference = new ReferenceDirector({ network, sysctl, ecn, seed: SEED, ...limits });
    this.#story.push({ network, sysctl, ecn, localPorts });
    for (const { service, dests } of services) {
      this.both('addService', service);
      for (const dest of dests) this.both('addDest', service, dest);
    }
    // Whoever lists the connections tells the reference the time: the core must know it, too.
    this.both('advance', this.now);
  }

  /** The network as it is. */
  get network(): NetworkConfig {
    return this.#network;
  }

  setNetwork(network: NetworkConfig): void {
    this.#network = network;
    this.both('setNetwork', network);
  }

  /** The connections that there are. */
  connections(): ReferenceConnectionInfo[] {
    return this.reference.connections(this.now);
  }

  /** The services that there are. */
  services(): ReturnType<ReferenceDirector['services']> {
    return this.reference.services();
  }

  /** Tells both; both refuse, or none. */
  both<M extends Command>(method: M, ...words: Parameters<Director[M]>): void {
    this.#story.push([method, ...words]);
    const [core, reference] = [this.core, this.reference].map((director) => {
      try {
        (director as unknown as Record<M, (...given: unknown[]) => void>)[method](...words);
        return 'done';
      } catch {
        return 'refused';
      }
    });
    this.#same(method, core as string, reference as string);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const due = this.connections().map(({ expires }) => this.now + expires * 1000);
    let to = this.now + ms;
    // Of those that control others any number of minutes later, too.
    const isNear = (late: number): boolean => late >= 0 && late % LONGER <= LATENESS;
    while (due.some((at) => isNear(to - at))) to += LATENESS;
    this.now = to;
    this.both('advance', to);
  }

  /** Sends both the frame. @returns what became of it. @throws Error that names the first difference. */
  send({ frame, inInterface, notes = {} }: Arrival): Outcome[] {
    this.#story.push([toHex(frame), inInterface, notes]);
    const expected = inOrder(this.reference.send(frame, inInterface, this.now, notes));
    const outcomes = inOrder(this.core.send(frame, inInterface, this.now, notes));
    for (const { verdict, reason, made } of outcomes) {
      const name = `${made ? 'made ' : ''}${verdict} ${reason}`;
      this.#tally.set(name, (this.#tally.get(name) ?? 0) + 1);
    }
    this.#same('judgement', outcomes.map(words).join('\n'), expected.map(words).join('\n'));
    let packet = { number: 0, reason: '', made: false };
    outcomes.forEach((outcome, i) => {
      const { reason, made } = outcome;
      if (reason !== 'fragment') packet = { number: ++this.#packets, reason, made };
      const other = expected[i] as ReferenceOutcome;
      if (outcome.verdict !== 'drop') this.#compareFrames(outcome, other, frame, packet);
    });
    return outcomes;
  }

  /** Compares what both know at the end. */
  compareState(): void {
    const { core, reference, now } = this;
    const sorted = (all: readonly object[]): string =>
      all
        .map((one) => text(one))
        .sort()
        .join('\n');
    this.#same('connections', sorted(core.connections(now)), sorted(reference.connections(now)));
    this.#same('services', sorted(core.services()), sorted(reference.services()));
  }

  /** Everything must be the same but what the director itself chose: identifications, and source ports of GUE. */
  #compareFrames(ours: Outcome, theirs: ReferenceOutcome, offered: Uint8Array, packet: SentPacket): void {
    const frame = ours.partialChecksum ? theirs.frame : completed(theirs);
    const [got, expected] = [toHex(ours.frame), toHex(frame)];
    if (got === expected) return;
    const onEthernet = (frame: Uint8Array): Uint8Array =>
      ipAt(frame) === 0 ? ethernet('000000000000', '000000000000', frame, etherType(frame)) : frame;
    const time = BigInt(this.now) * 1_000_000n;
    // What NAT64 gives to the host begins with its header, and is numbered as what it sends.
    const isForHost = packet.reason === 'local-dest' && ipAt(ours.frame) === 0 && ours.frame[0] === 0x45;
    const match =
      ours.verdict === 'forward' || isForHost
        ? matchFrames({
            expected: onEthernet(frame),
            got: onEthernet(ours.frame),
            offered,
            reason: isForHost ? 'nat64-in' : packet.reason,
            made: packet.made,
            packet: packet.number,
            arrival: time,
            departure: time,
          })
        : undefined;
    const conflict = this.#chosen.conflict(match?.choices ?? []);
    if (match === undefined || conflict !== undefined)
      this.#same(conflict?.key ?? `frame, ${ours.reason}`, got, expected);
    else this.#chosen.keep(match.choices);
  }

  #same(what: string, core: string, reference: string): void {
    if (core === reference) return;
    const story = this.#story.map((each) => text(each)).join('\n');
    throw new Error(`${what}\ncore:\n${core}\nreference:\n${reference}\nafter:\n${story}`);
  }
}

type SentPacket = { number: number; reason: string; made: boolean };
export type Command =
  | 'setNetwork'
  | 'setSysctl'
  | 'setTimeouts'
  | 'advance'
  | `${'add' | 'edit' | 'delete'}${'Service' | 'Dest'}`;

const etherType = (packet: Uint8Array): number => ((packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800);

/** Made because it was time, and by the SYN proxy for other reasons, too. */
const TIMED: readonly string[] = ['expired-reset', 'syn-proxied', 'syn-proxy-reset'];

/** Nobody promises in which order ends hear of what has ended at once: these come behind the frame that was sent. */
function inOrder<O extends Outcome | ReferenceOutcome>(outcomes: O[]): O[] {
  const isReset = ({ reason, made }: O): boolean => made && TIMED.includes(reason);
  const key = ({ frame }: O): string => toHex(frame);
  const resets = outcomes.filter(isReset).sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const [first, ...rest] = outcomes.filter((each) => !isReset(each));
  return [first as O, ...resets, ...rest];
}

/** Where an IP header begins: all MAC addresses here begin with 02, no IP packet does. */
function ipAt(frame: Uint8Array): number {
  return (frame[0] ?? 0) >> 4 !== 0 ? 0 : frame[12] === 0x81 ? 18 : 14;
}

/** The reference may leave the checksum of what it rewrites to the card. */
function completed({ verdict, reason, frame, partialChecksum }: ReferenceOutcome): Uint8Array {
  const isRewritten = verdict === 'forward' || reason === 'local-dest' || reason === 'local-client';
  if (!isRewritten || !partialChecksum) return frame;
  return finishedFrame(frame, ipAt(frame), reason.startsWith('tunnel-'));
}

/** What must be the same of an outcome beside its bytes. */
function words({ verdict, reason, outInterface, made, partialChecksum }: Outcome | ReferenceOutcome): string {
  const unfinished = (verdict === 'pass' || reason === 'local-delivery') && partialChecksum ? ' unfinished' : '';
  return `${made ? 'made ' : ''}${verdict} ${reason} ${outInterface}${unfinished}`;
}

/** The value as JSON, its keys in order. */
function text(value: unknown): string {
  const plain = (name: string, each: unknown): unknown => {
    if (typeof each === 'bigint') return String(each);
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    // The core names the kind of every tunnel, the reference none but GRE and GUE.
    if (name === 'tunnel' && (each as { type?: string }).type === 'ipip') return undefined;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify(value, plain);
}
