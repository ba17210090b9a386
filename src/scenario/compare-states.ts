/**
 * Holds a connection's state, or a dest's counts, to what they were on the captured director.
 *
 * @module
 */
import type { IpvsadmTarget } from '../rules/program.js';
import { clockText, secondsOf, told } from './compare-listings.js';
import type { StateLook } from './listings.js';

/** What is wrong; nothing when it is as it was, but for a second. `now` in ms. */
export function stateDifferences(look: StateLook, target: IpvsadmTarget, now: number): string[] {
  const { file, line, clientPort, expected } = look;
  const where = `${file}: port ${clientPort}: ${line.trim()}`;
  if (expected.startsWith('active')) {
    const dest = target.services()[0]?.dests[0];
    const got = `active ${dest?.activeConnections} inactive ${dest?.inactiveConnections}`;
    return got === expected ? [] : [`${where}: ${told(expected, got)}`];
  }
  const connection = target.connections(now).find((one) => one.clientPort === clientPort);
  const got = connection === undefined ? 'none' : `${clockText(connection.expires)} ${connection.state}`;
  const isNear = Math.abs(secondsOf(expected) - secondsOf(got)) <= 1;
  if (got === expected || (isNear && expected.slice(6) === got.slice(6))) return [];
  return [`${where}: ${told(expected, got)}`];
}
