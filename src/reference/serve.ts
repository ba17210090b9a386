/**
 * Packets of a connection from its client, wherever they are looked for.
 *
 * @module
 */
import { type Connection, isOneWay } from './connections.js';
import { countRequest } from './counts.js';
import { hearExpected } from './expiry.js';
import { hearSyn, initialNumber } from './fullnat/numbers.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { ipLength } from './packet/ip.js';
import { isOpening, type Transport } from './ports.js';
import { endOnce } from './schedule.js';
import { hasEnded } from './states.js';

/**
 * What becomes of a packet from a client.
 *
 * @param connection the packet's, if it has one
 * @param open makes one
 * @param pass sends the packet on in one
 */
export function serve<Passed>(
  host: Host,
  { now }: Received,
  connection: Connection | undefined,
  transport: Transport,
  open: () => Connection | Judgement,
  pass: (connection: Connection) => Passed,
): Passed | Judgement {
  const isAgain = connection !== undefined && beginsAgain(host, connection, transport);
  if (connection !== undefined && !isAgain) {
    if (connection.dest?.available !== false) return pass(connection);
    if (host.sysctl.expire_nodest_conn === 0) return drop('dest-unavailable');
  }
  const made = open();
  const judgement = 'verdict' in made ? made : pass(made);
  if (!('verdict' in made)) endOnce(host, made);
  // A timer ends the old one: until then its dest counts it, and what is told of its tuple may be of it.
  if (connection !== undefined && !(isAgain && connection.controlled.size > 0)) host.connections.end(connection, now);
  return judgement;
}

/** Whether a packet is the first of a new connection, although it has one: that has ended, or its dest takes no new ones. */
function beginsAgain(host: Host, connection: Connection, transport: Transport): boolean {
  if (!isOpening(transport)) return false;
  const { dest, state, control } = connection;
  const { expire_nodest_conn, conn_reuse_mode } = host.sysctl;
  if (expire_nodest_conn !== 0 && dest?.weight === 0) return true;
  // One that is under control waits for its timeout.
  if (conn_reuse_mode === 0 || control !== undefined) return false;
  const isHalfSeen = (conn_reuse_mode & 2) !== 0 && state === 'FIN_WAIT' && isOneWay(connection);
  return hasEnded(state) || isHalfSeen;
}

/** The packet is counted, and the connection follows it. */
export function follow(host: Host, received: Received, connection: Connection, transport: Transport): void {
  countRequest(ipLength(received.packet), connection);
  connection.inPackets += 1;
  listen(host, received, connection);
  const { state } = connection;
  host.connections.pass(connection, 'input', transport.event, received.now);
  hearExpected(host, received.packet, connection, 'input', state);
}

/** The numbers that FullNAT gives to a client's SYN. */
function listen({ key }: Host, { packet, now }: Received, { fullnat, state, destAddress, destPort }: Connection): void {
  if (fullnat === undefined) return;
  const server = { address: destAddress, port: destPort };
  hearSyn(packet, fullnat.numbers, state, () => initialNumber(fullnat.local, server, key, now));
}
