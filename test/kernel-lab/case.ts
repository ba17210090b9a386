/**
 * A case: a director's network and rules, and what happens to it.
 *
 * @module
 */
import type { NetworkConfig } from '../../src/types.js';
import type { Emitted } from './uml.js';

/** Something that happens to the director. `settles`: timers that it sets to now have to go off before the next step. */
export type Step =
  | {
      readonly kind: 'frame';
      readonly inInterface: Wire;
      readonly frame: Uint8Array;
      /** The kind of traffic. */
      readonly label: string;
      readonly settles?: boolean;
    }
  /** `ipvsadm …`, `ip …` or `iptables …`. */
  | { readonly kind: 'command'; readonly text: string; readonly settles?: boolean }
  /** `net/ipv4/vs/NAME=VALUE`. */
  | { readonly kind: 'sysctl'; readonly text: string };

/** The interfaces that have wires. */
export type Wire = 'cli' | 'srv';

/** All that is needed to do it again. */
export interface Case {
  readonly network: NetworkConfig;
  /** Before the first packet: commands and sysctls. */
  readonly setup: readonly Step[];
  readonly steps: readonly Step[];
}

/** A step as it was done, ns since the epoch. */
export interface Done {
  readonly time: bigint;
  readonly step: Step;
  /** What the kernel sent then. */
  readonly emitted: readonly Emitted[];
}

/** A case as the kernel did it; commands that it refused are not there. */
export interface Recording {
  readonly network: NetworkConfig;
  readonly setup: readonly Done[];
  readonly done: readonly Done[];
}
