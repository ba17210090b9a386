/**
 * Connections in the lab, and what errors about them quote.
 *
 * @module
 */
import { expect } from 'vitest';
import type { Director } from '../../src/director.js';
import type { DestConfig } from '../../src/types.js';
import { CLIENT, fromClient, judged, lab, lab6, request, request6, SERVERS, VIP } from './lab.js';
import { ACK, tcp } from './packets.js';

export const ROUTER = '10.1.0.254';
export const UNREACHABLE = [3, 3] as const;

/** With the connection of the TCP request open. */
export function opened(dest: DestConfig, options = {}): Director {
  const director = lab([dest], options);
  director.send(fromClient(request('tcp')), 'cli', 0);
  return director;
}

export function opened6(dest: DestConfig, options = {}): Director {
  const director = lab6([dest], options);
  director.send(fromClient(request6('tcp')), 'cli', 0);
  return director;
}

/** The IP packet that left, when exactly one did. */
export function sent(director: Director, frame: Uint8Array, by: string, reason: string): Uint8Array {
  const outcomes = director.send(frame, by, 0);
  expect(judged(outcomes)).toEqual([`forward ${reason}`]);
  return outcomes[0]?.frame.slice(14) as Uint8Array;
}

/** What the client got from the service, and what the server had sent. */
export const reply = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });
export const replyOfServer = tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags: ACK });
