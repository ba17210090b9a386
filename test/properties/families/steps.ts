/**
 * Random steps in the life of a director of both families, as choices of which packets are made when it is their turn.
 *
 * @module
 */
import fc from 'fast-check';
import { type Drawn, drawn } from './choices.js';

const WEIGHTS = {
  /** A client's first packet to a service. */
  open: 16,
  /** A packet of a connection there is. */
  again: 30,
  /** Of no connection. */
  stray: 5,
  /** An ICMP error about a packet that was sent. */
  error: 14,
  /** Words of a control connection of FTP. */
  ftp: 5,
  /** Frames that are none of the director's. */
  link: 1,
  time: 6,
  /** Rules, switches and the network change. */
  control: 5,
} as const;

/** Of lives in which connections time out. */
const IDLE_WEIGHTS = {
  open: 6,
  again: 10,
  /** A connection of TCP talks, and then nobody does. */
  idle: 8,
  time: 1,
  control: 1,
} as const;

/** What becomes of handshakes behind a SYN proxy. */
type Proxied = 'cookie' | 'asked' | 'talk';

export interface Step {
  kind: keyof typeof WEIGHTS | keyof typeof IDLE_WEIGHTS | Proxied;
  drawn: Drawn;
}

const CHOICES = 80;

const stepOf = (weights: Readonly<Partial<Record<Step['kind'], number>>>): fc.Arbitrary<Step> =>
  fc.oneof(
    ...Object.entries(weights).map(([kind, weight]) => ({
      weight,
      arbitrary: fc.record({ kind: fc.constant(kind as Step['kind']), drawn: drawn(CHOICES) }),
    })),
  );

/** A world and what happens in it. */
export interface LifeChoices {
  world: Drawn;
  steps: Step[];
}

const livesOf = (step: fc.Arbitrary<Step>): fc.Arbitrary<LifeChoices> =>
  fc.record({
    world: drawn(240),
    steps: fc.noBias(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' })),
  });

export const lives = livesOf(stepOf(WEIGHTS));
export const idleLives = livesOf(stepOf(IDLE_WEIGHTS));
