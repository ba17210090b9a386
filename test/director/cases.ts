/**
 * What a case of the reasons' test is: a lab, what went before, and a frame.
 *
 * @module
 */
import type { Director, DirectorOptions } from '../../src/director.js';
import type { ReasonName } from '../../src/reasons.js';
import type { DestConfig, FrameNotes, ServiceKey } from '../../src/types.js';
import { CLIENT, CLIENT6, fromClient, request, request6, SERVERS, SERVERS6 } from '../support/lab.js';
import { ACK, SYN, tcp } from '../support/packets.js';

export interface Case {
  /** The frame's own reason stands first, then those of what the director made of it. */
  expect: readonly ReasonName[];
  /** Default: one by NAT. */
  dests?: readonly DestConfig[];
  /** Default: TCP and UDP at the VIP of the dests' family. */
  services?: readonly ServiceKey[];
  options?: DirectorOptions;
  /** Frames before, and what else must have been. */
  before?: (director: Director) => void;
  frame: Uint8Array;
  by?: string;
  notes?: FrameNotes;
}

/** The client opens its TCP connection. */
export const open = (director: Director): void => {
  director.send(fromClient(request('tcp')), 'cli', 0);
};
export const open6 = (director: Director): void => {
  director.send(fromClient(request6('tcp')), 'cli', 0);
};

/** The server's packet on it. */
export const reply = (flags = SYN | ACK, more = {}): Uint8Array =>
  tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags, ...more });
export const reply6 = (flags = SYN | ACK, more = {}): Uint8Array =>
  reply(flags, { source: SERVERS6[0], destination: CLIENT6, ...more });
