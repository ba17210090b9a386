/**
 * What both ends of a connection of TCP are told when it is forgotten while they think it stands: that it does not
 * (`conn_expire_tcp_rst`).
 *
 * @module
 */
import { type Connection, isTranslated, type Tuple } from './connections.js';
import { hasHeader } from './fullnat/numbers.js';
import type { Host } from './host.js';
import { isForAll } from './martians.js';
import type { Address } from './packet/address.js';
import { concatenate, internetChecksum, pseudoHeader } from './packet/checksum.js';
import { type IpPacket, serialiseIp } from './packet/ip.js';
import { IP_FLAG, withChecksum } from './packet/ipv4.js';
import { hasFlag, serialiseTcp, TCP_FLAG, TCP_LENGTH, type TcpSegment } from './packet/tcp.js';
import { segmentIn } from './segment.js';
import type { ConnectionState } from './states.js';
import type { ReferenceOutcome } from './types.js';
import { UPPER } from './upper.js';

/** The next number that each end of an established connection waits for, in its own words. */
export interface Expected {
  client: number;
  server: number;
}

type Direction = 'input' | 'output';

/** TTL and hop limit of what the host makes. */
const OWN_HOPS = 64;
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
function nextNumber(segment: TcpSegment, { fullnat, shift }: Connection, direction: Direction): number {
  const { sequence } = segment;
  const next = sequence + (hasFlag(segment, 'syn') ? 1 : 0);
  if (direction === 'output') {
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
  return [
    ...depart(host, reset(toServer, server), (method === 'nat' && dest?.address) || destAddress),
    ...depart(host, reset(toClient, client), clientAddress),
  ];
}

/** Addresses and ports of a packet. */
type Ends = Pick<Tuple, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

function reset({ source, sourcePort, destination, destinationPort }: Ends, sequence: number): IpPacket {
  const segment = {
    ...{ sourcePort, destinationPort, sequence, acknowledgment: 0, flags: TCP_FLAG.rst },
    ...{ offsetAndReserved: (TCP_LENGTH / 4) << 4, window: 0, checksum: 0, urgentPointer: 0 },
    rest: new Uint8Array(0),
  };
  const bytes = serialiseTcp(segment);
  const checksum = internetChecksum(concatenate(pseudoHeader(source, destination, UPPER.tcp, bytes.length), bytes));
  const payload = serialiseTcp({ ...segment, checksum });
  if (typeof source === 'bigint') {
    const fixed = { trafficClass: 0, flowLabel: 0, nextHeader: UPPER.tcp, hopLimit: OWN_HOPS };
    return { ...fixed, source, destination: destination as bigint, payload };
  }
  return withChecksum({
    ...{ tos: 0, identification: 0, flags: IP_FLAG.dontFragment, fragmentOffset: 0, ttl: OWN_HOPS, checksum: 0 },
    ...{ protocol: UPPER.tcp, source, destination: destination as number, options: new Uint8Array(0), payload },
  });
}

/** A packet of the director's own; by the way to `towards`, which may be another address than its destination. */
function depart(host: Host, packet: IpPacket, towards: Address): ReferenceOutcome[] {
  const { network } = host;
  if (network.isLocal(towards) || isForAll(host, towards)) return [];
  const found = network.route(towards);
  if (found === undefined) return [];
  const route = found.nextHop === towards ? { ...found, nextHop: packet.destination } : found;
  const departure = network.depart(route, serialiseIp(packet));
  if (typeof departure === 'string') return [];
  return [{ verdict: 'forward', reason: 'expired-reset', ...departure, made: true, partialChecksum: false }];
}
