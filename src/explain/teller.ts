/**
 * What a walk is told from, and the lines that were told so far.
 *
 * @module
 */

import type { LinkKind } from '../decode.js';
import type { ConnectionInfo, DestInfo, Outcome, ServiceInfo } from '../director.js';
import { reasonText } from '../reasons.js';
import type { NetworkConfig, SysctlConfig } from '../types.js';
import { type IpFacts, packetFacts } from './packet.js';
import { interfaceOf, isEthernet } from './routes.js';

/** Where on its way a packet is: the link layer, the routing decision, and the five netfilter hooks. */
export type Hook = 'link' | 'PREROUTING' | 'routing' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** One thing that was looked up, and what was found. */
export interface WalkLine {
  readonly looked: string;
  readonly found: string;
}

/** A stage of the way with everything that happened at it. */
export interface WalkStep {
  readonly hook: Hook;
  readonly lines: WalkLine[];
}

/** What the walk is told from. */
export interface WalkInput {
  readonly network: NetworkConfig;
  readonly sysctl: Required<SysctlConfig>;
  /** The frame as it was offered. */
  readonly frame: Uint8Array;
  readonly interfaceName: string;
  /** Firewall mark of the frame, 0: none. */
  readonly mark: number;
  readonly outcome: Outcome;
  /** The frames that the director made because of it. */
  readonly made: readonly Outcome[];
  /** Services and connections before the packet. */
  readonly services: readonly ServiceInfo[];
  readonly connections: readonly ConnectionInfo[];
  /** Connections after it. */
  readonly connectionsAfter?: readonly ConnectionInfo[];
  /** Connections and templates that made room for that of the packet. */
  readonly evicted?: readonly ConnectionInfo[];
  /** The server of a connection that lived for this packet alone. */
  readonly once?: DestInfo | undefined;
  /** Whether a server was not told its client, because there was room for that nowhere. */
  readonly lost?: boolean;
}

/** A segment of the director's own has taken the place of the packet. */
const REPLACED = ['syn-cookie', 'syn-proxied', 'syn-proxy-ack', 'syn-proxy-reset'];

/** Tells a walk, line by line. */
export class Teller {
  readonly steps: WalkStep[] = [];
  /** Whether the way has been told to where the packet ended. */
  ended = false;

  constructor(readonly input: WalkInput) {}

  hook(hook: Hook): void {
    this.steps.push({ hook, lines: [] });
  }

  line(looked: string, found: string): void {
    this.steps.at(-1)?.lines.push({ looked, found });
  }

  /** Whether the packet ended for one of these reasons. */
  is(...reasons: string[]): boolean {
    return reasons.includes(this.input.outcome.reason);
  }

  /** The way ends: what was looked at gets the reason as its answer. */
  end(looked: string): undefined {
    this.line(looked, reasonText(this.input.outcome.reason));
    this.ended = true;
  }

  /** Whether a segment of the director's own leaves in place of the packet. */
  get isReplaced(): boolean {
    return this.is(...REPLACED);
  }

  /** The outcome of the packet itself: a packet of the director's own may have gone ahead of it. */
  get own(): Outcome {
    const { outcome, made } = this.input;
    const isOwn = ({ reason }: Outcome) => reason === 'fullnat-in' || reason === 'nat64-in';
    return this.is('client-address') ? (made.find(isOwn) ?? outcome) : outcome;
  }

  /** What frames of an interface begin with. */
  linkOn(name: string): LinkKind {
    const side = interfaceOf(this.input.network, name);
    return side === undefined || isEthernet(side) ? 'ether' : 'raw';
  }

  /** What the frame of an outcome begins with. */
  linkOf({ outInterface, decapsulated }: Outcome): LinkKind {
    if (outInterface === undefined && decapsulated) return 'raw';
    return this.linkOn(outInterface ?? this.input.interfaceName);
  }

  /** An outcome's packet. */
  factsOf(outcome: Outcome): IpFacts | undefined {
    return packetFacts(outcome.frame, this.linkOf(outcome)).ip;
  }

  /** Pieces in which the packet left; 1: whole. */
  get pieces(): number {
    return 1 + this.input.made.filter(({ reason }) => String(reason) === 'fragment').length;
  }
}
