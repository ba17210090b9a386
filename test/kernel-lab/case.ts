/**
 * A case: a director's network and rules, and what happens to it.
 *
 * @module
 */
import type { ScenarioEvent } from '../../src/scenario/events.js';
import type { NetworkConfig } from '../../src/types.js';
import type { Emitted } from './uml.js';

/** Something that happens to the director. */
export type Step =
  | {
      readonly kind: 'frame';
      readonly inInterface: Wire;
      readonly frame: Uint8Array;
      /** The kind of traffic. */
      readonly label: string;
    }
  /** `ipvsadm …`, `ip …`, `tc …` or `iptables …`. */
  | { readonly kind: 'command'; readonly text: string }
  /** `net/ipv4/vs/NAME=VALUE`. */
  | { readonly kind: 'sysctl'; readonly text: string }
  /** Nothing, up to so many ms after the first step. */
  | { readonly kind: 'pause'; readonly until: number }
  /** Connections and counts are held against each other. */
  | { readonly kind: 'look' };

/** What changes the director itself. */
export type Change = Extract<Step, { kind: 'command' | 'sysctl' }>;

/** The interfaces that have wires. */
export type Wire = 'cli' | 'srv';

/** All that is needed to do it again. */
export interface Case {
  readonly network: NetworkConfig;
  /** Before the first packet: commands and sysctls. */
  readonly setup: readonly Change[];
  readonly steps: readonly Step[];
  /** For how long steps may come at the start, ms: until the first timer may go off. Default 1500. */
  readonly busy?: number;
}

/** A step as it was done, ns since the epoch. */
export interface Done<Kind extends Step = Step> {
  readonly time: bigint;
  readonly step: Kind;
  /** What the kernel sent then. */
  readonly emitted: readonly Emitted[];
  /** What it had, when it was a look. */
  readonly tables?: KernelTables;
}

/** A case as the kernel did it; commands that it refused are not there. */
export interface Recording {
  /** Of the kernel, such as 6.1.176. */
  readonly release: string;
  readonly network: NetworkConfig;
  readonly setup: readonly Done<Change>[];
  readonly done: readonly Done[];
  /** What it had in the end. */
  readonly tables: KernelTables;
}

/** IPVS as the kernel prints it below `/proc/net`, between two times. */
export interface KernelTables {
  readonly from: bigint;
  readonly to: bigint;
  /** `ip_vs`, and `ip_vs_conn` behind it. */
  readonly text: string;
}

/** A command or a switch as a scenario has it. */
export function eventOf({ kind, text }: Change, time: bigint, number: number): ScenarioEvent {
  return { time, number, kind: kind === 'command' ? 'cmd' : 'sysctl', host: 'director', text };
}
