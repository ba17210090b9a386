/**
 * A director whose servers reach others by SNAT, and what they and the others send.
 *
 * @module
 */
import type {
  IpPacket,
  ReferenceDirector,
  ReferenceOptions,
  ReferenceOutcome,
  ReferenceService,
} from '../../src/reference/index.js';
import { ENDS, frame, plainDirector } from './builders6.js';
import { type Family, NOW } from './fullnat.js';

export const MARK = 7;

/** Two addresses of the director on the side of those who are reached. */
export const LOCALS = { 4: ['10.0.0.1', '10.0.0.100'], 6: ['fd00::1', 'fd00::100'] } as const;

export const markOf = (family: Family) => ({ fwmark: MARK, family }) as const;

/** One service of each family, with one dest. */
export function snat(
  words: Partial<ReferenceService> = {},
  options: Partial<ReferenceOptions> = {},
): ReferenceDirector {
  const made = plainDirector(options);
  for (const family of [4, 6] as const) {
    made.addService({ scheduler: 'rr', ...words, ...markOf(family) });
    made.addDest(markOf(family), { address: LOCALS[family][0], method: 'snat' });
  }
  return made;
}

/** From a server; with the mark unless it is told otherwise. */
export function leave(made: ReferenceDirector, packet: IpPacket, mark = MARK, now = NOW): ReferenceOutcome[] {
  return made.send(frame(packet, 'srv'), 'srv', now, { mark });
}

/** From outside. */
export function arrive(made: ReferenceDirector, packet: IpPacket, now = NOW): ReferenceOutcome[] {
  return made.send(frame(packet, 'cli'), 'cli', now);
}

/** Who asks, and whom; a neighbour, and one behind a router. */
export const TALKERS = {
  4: { inside: ENDS[4].server, outside: ENDS[4].client, far: ENDS[4].far },
  6: { inside: ENDS[6].server, outside: ENDS[6].client, far: ENDS[6].far },
} as const;
