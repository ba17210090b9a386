/**
 * Counts what was compared.
 *
 * @module
 */
import { packetOf } from '../../src/scenario/packet.js';
import type { Recording } from './case.js';
import { ICMP, ICMP6 } from './generate/bytes.js';
import { CONNECT } from './generate/connections.js';
import type { World } from './generate/world.js';
import type { Judgement } from './judge.js';
import type { Emitted } from './uml.js';

type Counts = Map<string, number>;

function count(counts: Counts, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

/** Whether a server was chosen: whatever else comes out are errors, and a host that looks for others. */
function isServed(emitted: readonly Emitted[]): boolean {
  return emitted.some(({ data }) => ![undefined, ICMP, ICMP6].includes(packetOf(data)?.protocol));
}

export class Tally {
  readonly #started = performance.now();
  readonly #cases: Counts = new Map();
  readonly #labels: Counts = new Map();
  readonly #masked: Counts = new Map();
  readonly #accounted: Counts = new Map();
  readonly #signatures: Counts = new Map();
  readonly #once: Counts = new Map();
  #all = 0;
  #packets = 0;
  #matched = 0;
  #host = 0;
  #tables = 0;

  /** Cases that differ. */
  get differences(): number {
    return sum(this.#signatures);
  }

  /** Kinds of differences. */
  get kinds(): number {
    return this.#signatures.size;
  }

  /** A case differs, also when it is done again; whether it is the first one of this kind of difference. */
  differs(signature: string): boolean {
    count(this.#signatures, signature);
    return this.#signatures.get(signature) === 1;
  }

  /** A case differed, and not when it was done again. */
  differedOnce(signature: string): void {
    count(this.#once, signature);
  }

  add({ families, services }: World, { done }: Recording, found: Judgement): void {
    this.#all++;
    this.#packets += found.packets;
    this.#matched += found.matched;
    this.#host += found.host;
    for (const family of families) count(this.#cases, `IPv${family}`);
    const methods = services.flatMap(({ dests }) => dests.map(({ method }) => method));
    for (const method of new Set(methods)) count(this.#cases, method);
    for (const protocol of new Set(services.map((one) => one.protocol))) count(this.#cases, protocol);
    for (const { step, emitted } of done.slice(0, (found.difference?.step ?? done.length) + 1)) {
      if (step.kind !== 'frame') count(this.#labels, step.kind);
      else count(this.#labels, step.label === CONNECT && !isServed(emitted) ? `${CONNECT} in vain` : step.label);
    }
    for (const [name, by] of found.masked) count(this.#masked, name, by);
    for (const [name, by] of found.accounted) count(this.#accounted, name, by);
    if (found.tables) this.#tables++;
  }

  /** The summary. */
  text(): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const lines = [
      `${this.#packets} packets in ${this.#all} cases, ${Math.round(seconds)} s, ${Math.round(this.#packets / seconds)} packets/s`,
      `cases: ${list(this.#cases)}`,
      `steps: ${list(this.#labels)}`,
      `frames of the kernel: ${this.#matched} equal, ${this.#host} of its host stack; masked: ${list(this.#masked)}`,
      `connections and counts compared at the end of ${this.#tables} cases`,
      `known deviations: ${list(this.#accounted)}`,
      `${sum(this.#once)} cases differed once and not again`,
      ...kinds(this.#once),
      ...kinds(this.#signatures),
      `${this.differences} differences`,
    ];
    return lines.join('\n');
  }
}

function kinds(counts: Counts): string[] {
  return [...counts].map(([signature, times]) => `  ${times} times: ${signature}`);
}

function sum(counts: Counts): number {
  return [...counts.values()].reduce((all, each) => all + each, 0);
}

function list(counts: Counts): string {
  return [...counts].map(([name, times]) => `${name} ${times}`).join(', ') || 'none';
}
