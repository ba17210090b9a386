/**
 * What the profiles of FullNAT differ in: Linux has no FullNAT, alibaba/LVS and DPVS do it each their way.
 *
 * @module
 */
import type { StateTimeouts } from '../states.js';
import type { ReferenceProfile } from '../types.js';

/** Seconds, as alibaba/LVS and DPVS have them; those of UDP and SCTP are the director's. */
const SHORT_TIMEOUTS: Omit<StateTimeouts, 'UDP'> = {
  NONE: 2,
  ESTABLISHED: 90,
  SYN_SENT: 3,
  SYN_RECV: 30,
  FIN_WAIT: 7,
  TIME_WAIT: 7,
  CLOSE: 3,
  CLOSE_WAIT: 7,
  LAST_ACK: 7,
  LISTEN: 120,
  SYNACK: 30,
};

/** The timeouts of connections of a profile, where those of the director are `usual`. */
export function profileTimeouts(profile: ReferenceProfile | undefined, usual: StateTimeouts): StateTimeouts {
  return profile === undefined || profile === 'linux' ? usual : { ...usual, ...SHORT_TIMEOUTS };
}

/** Whether packets keep their TTL or hop limit. */
export function keepsHops(profile: ReferenceProfile | undefined): boolean {
  return profile === 'alibaba' || profile === 'dpvs';
}
