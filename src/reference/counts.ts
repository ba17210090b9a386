/**
 * Counting what goes to a dest, and what comes from it.
 *
 * @module
 */
import type { Connection } from './connection.js';

/** Counts `bytes` from the client; a deleted dest counts no more. */
export function countRequest(bytes: number, { dest }: Connection): void {
  if (dest?.available !== true) return;
  for (const stats of [dest.stats, dest.service.stats]) {
    stats.inPackets += 1n;
    stats.inBytes += BigInt(bytes);
  }
}

/** Counts `bytes` to the client. */
export function countReply(bytes: number, { dest }: Connection): void {
  if (dest?.available !== true) return;
  for (const stats of [dest.stats, dest.service.stats]) {
    stats.outPackets += 1n;
    stats.outBytes += BigInt(bytes);
  }
}
