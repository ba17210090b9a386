/**
 * What both ends of a connection of TCP are told when it is forgotten while they think it stands: that it does not
 * (`conn_expire_tcp_rst`).
 *
 * @module
 */
import { type Connection, isTranslated } from './connection.js';
import { hasHeader } from './fullnat/numbers.js';
import type { Host } from './host.js';
import { leave, made, makeSegment, type SegmentEnds } from './own.js';
import type { IpPacket } from './packet/ip.js';
import { hasFlag, TCP_FLAG, type TcpSegment } from './packet/tcp.js';
import { segmentIn } from './segment.js';
import type { ConnectionState } from './states.js';
import type { ReferenceOutcome } from './types.js';

/** The next number that each end of an established connection waits for, in its own words. */
export interface Expected {
  client: number;
  server: number;
}

type Direction = 'input' | 'output';

/** The wheel that ends connections turns by so many milliseconds. */
const TURN = 256;

/** Hears what a segment says of that; it was `before` it that the connection was in that state. */
export function hearExpected(
  host: Host,
  packet: IpPacket,
  connection: Connection,
  direction: Direction,
  before: ConnectionState,
): void {
  if (connection.protocol !== 'tcp' || connection.state !== 'ESTABLISHED') return;
  const segment = segmentIn(packet);
  const acknowledges = segment !== undefined && hasFlag(segment, 'ack');
  const [own, other] = direction === 'input' ? (['client', 'server'] as const) : (['server', 'client'] as const);
  const { expected } = connection;
  if (before === 'ESTABLISHED') {
    if (expected === undefined || !acknowledges) return;
    if (((segment.acknowledgment - expected[own]) | 0) > 0) expected[own] = segment.acknowledgment;
    return;
  }
  connection.expected = undefined;
  if (host.sysctl.conn_expire_tcp_rst === 0 || !acknowledges || !isTranslated(connection)) return;
  const next = nextNumber(segment, connection, direction);
  connection.expected = { client: 0, server: 0, [own]: segment.acknowledgment, [other]: next };
}

/** What whoever gets the segment waits for, as it counts. */
function nextNumber(segment: TcpSegment, { fullnat, shift, proxied }: Connection, direction: Direction): number {
  const { sequence } = segment;
  const next = sequence + (hasFlag(segment, 'syn') ? 1 : 0);
  if (direction === 'output') {
    if (proxied !== undefined) return (next + proxied.shift) >>> 0;
    if (shift === undefined) return next >>> 0;
    return (next + (((next - shift.at) | 0) > 0 ? shift.after : shift.before)) >>> 0;
  }
  if (fullnat === undefined) return next >>> 0;
  const { numbers } = fullnat;
  return (next + numbers.delta + (hasHeader(numbers) ? numbers.header : 0)) >>> 0;
}

/** Whether its ends are told when its time is over. */
export function owesResets({ state, expected }: Connection, isOn: boolean): boolean {
  return isOn && state === 'ESTABLISHED' && expected !== undefined;
}

/** When one that owes that ends: at the first turn of the wheel behind its time. */
export function turnBehind(time: number): number {
  return (Math.floor(time / TURN) + 1) * TURN;
}

/** The RSTs to both ends, as far as there is a way to them (RFC 9293 §3.10.5). */
export function resetsOf(host: Host, connection: Connection): ReferenceOutcome[] {
  const { clientAddress, clientPort, virtualAddress, virtualPort, destAddress, destPort, fullnat } = connection;
  const { method, dest } = connection;
  const { client, server } = connection.expected!;
  const from = fullnat?.local ?? { address: clientAddress, port: clientPort };
  const toServer = { source: from.address, sourcePort: from.port, destination: destAddress, destinationPort: destPort };
  const toClient = {
    ...{ source: virtualAddress, sourcePort: virtualPort },
    ...{ destination: clientAddress, destinationPort: clientPort },
  };
  const reset = (ends: SegmentEnds, sequence: number) => makeSegment(ends, { sequence, flags: TCP_FLAG.rst });
  return [
    ...made('expired-reset', leave(host, reset(toServer, server), (method === 'nat' && dest?.address) || destAddress)),
    ...made('expired-reset', leave(host, reset(toClient, client))),
  ];
}
