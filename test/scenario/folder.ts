/** Scenario folders for tests, and directors that do what a test says. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReplayNotes, ReplayOutcome, ReplayTarget } from '../../src/scenario/replay.js';
import { C0_MAC, CLI_MAC, pcap, RS1_MAC, SRV_MAC } from './packets.js';

/** The start of every crafted scenario, ns since the epoch; more digits than a number holds. */
export const START = 1_795_332_854_130_095_138n;
export const MS = 1_000_000n;

export interface Timed {
  /** ms after the start. */
  at: number;
  data: Uint8Array;
}

export interface Crafted {
  cliIn?: Timed[];
  srvIn?: Timed[];
  cliOut?: Timed[];
  srvOut?: Timed[];
  /** `at` in ms after the start. */
  events?: { at: number; kind: string; [key: string]: unknown }[];
  note?: unknown;
  /** Packets that scenario.json claims, where it is not the truth. */
  packets?: Record<string, number>;
}

const NETWORK = {
  interfaces: [
    { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, addrs: ['127.0.0.1/8'] },
    { name: 'cli', mac: CLI_MAC, mtu: 1500, addrs: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', mac: SRV_MAC, mtu: 1500, addrs: ['10.1.0.1/24'] },
  ],
  routes: [
    { dst: '10.0.0.0/24', dev: 'cli', prefsrc: '10.0.0.1' },
    { dst: '10.1.0.0/24', dev: 'srv', prefsrc: '10.1.0.1' },
  ],
  neighbours: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: C0_MAC },
    { dst: '10.1.0.21', dev: 'srv', lladdr: RS1_MAC },
  ],
};

export function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'ipvs-scenario-'));
}

const nanoseconds = (at: number) => START + BigInt(Math.round(at * 1e6));

/** Writes a folder in the format of the kernel's; gives its path. */
export function craft(parent: string, name: string, crafted: Crafted): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  const captures: Record<string, { packets: number }> = {};
  const lists = {
    'cli-in': crafted.cliIn,
    'srv-in': crafted.srvIn,
    'cli-out': crafted.cliOut,
    'srv-out': crafted.srvOut,
  };
  for (const [capture, frames = []] of Object.entries(lists)) {
    captures[capture] = { packets: crafted.packets?.[capture] ?? frames.length };
    writeFileSync(
      join(folder, `${capture}.pcap`),
      pcap(frames.map(({ at, data }) => ({ time: nanoseconds(at), data }))),
    );
  }
  const events = (crafted.events ?? []).map(({ at, ...rest }) => ({ t_ns: `${nanoseconds(at)}`, ...rest }));
  const text = JSON.stringify({ name, captures, topology: { director: NETWORK }, events }, null, 1);
  // As in the real ones, times are numbers without a loss.
  writeFileSync(join(folder, 'scenario.json'), text.replace(/"t_ns": "(\d+)"/g, '"t_ns": $1'));
  if (crafted.note !== undefined) writeFileSync(join(folder, 'note.json'), JSON.stringify(crafted.note));
  return folder;
}

/** What a scripted director does with its n-th frame, from 0. */
export type Script = (
  frame: Uint8Array,
  index: number,
  inInterface: string,
  now: number,
  notes: ReplayNotes,
) => Partial<ReplayOutcome>[];

/** Does what it is told, and remembers what was done to it. */
export class Scripted implements ReplayTarget {
  readonly calls: string[] = [];
  closed = 0;
  readonly #script: Script;
  #frames = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  send(frame: Uint8Array, inInterface: string, now: number, notes: ReplayNotes): ReplayOutcome[] {
    this.calls.push(`send ${inInterface} ${now}`);
    return this.#script(frame, this.#frames++, inInterface, now, notes).map((outcome) => ({
      verdict: 'forward',
      reason: 'routed',
      outInterface: 'srv',
      frame,
      made: false,
      ...outcome,
    }));
  }

  advance(now: number): void {
    this.calls.push(`advance ${now}`);
  }

  close(): void {
    this.closed++;
  }

  addLocalAddress = this.#record('addLocalAddress');
  deleteLocalAddress = this.#record('deleteLocalAddress');
  setSysctl = this.#record('setSysctl');
  setNetwork = this.#record('setNetwork');
  addService = this.#record('addService');
  editService = this.#record('editService');
  deleteService = this.#record('deleteService');
  clear = this.#record('clear');
  addDest = this.#record('addDest');
  editDest = this.#record('editDest');
  deleteDest = this.#record('deleteDest');
  setTimeouts = this.#record('setTimeouts');
  zeroStats = this.#record('zeroStats');

  #record(name: string): (...words: unknown[]) => void {
    return (...words) => {
      this.calls.push(`${name} ${words.map((word) => JSON.stringify(word)).join(' ')}`.trim());
    };
  }
}
