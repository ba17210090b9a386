/**
 * The connection table.
 *
 * @module
 */
import { formatAddress } from './packet/address.js';
import type { Dest, ServiceTable } from './services.js';
import { type ConnectionState, type Direction, isActiveState, nextTcpState, type StateTimeouts } from './states.js';
import type * as words from './types.js';

/** One connection: client, virtual and real end. */
export interface Connection {
  protocol: words.ReferenceProtocol;
  clientAddress: number;
  clientPort: number;
  virtualAddress: number;
  virtualPort: number;
  /** Holds the method that the dest had when the connection was made. */
  method: words.ReferenceMethod;
  dest: Dest;
  state: ConnectionState;
  active: boolean;
  /** Milliseconds that it lives without a packet. */
  timeout: number;
  /** When it ends unless a packet comes, in milliseconds. */
  expiresAt: number;
  /** Packets from the client. */
  inPackets: number;
}

/** Addresses and ports of a packet. */
export interface Tuple {
  protocol: words.ReferenceProtocol;
  source: number;
  sourcePort: number;
  destination: number;
  destinationPort: number;
}

/** All connections. */
export class ConnectionTable {
  readonly #services: ServiceTable;
  readonly #timeouts: StateTimeouts;
  readonly #limit: number;
  /** By client and virtual end. */
  readonly #requests = new Map<string, Connection>();
  /** NAT only, by real end and client: connections of several services may share it; the newest stands first. */
  readonly #replies = new Map<string, Connection[]>();
  /** No connection ends before this. */
  #nextExpiry = Number.POSITIVE_INFINITY;

  constructor(services: ServiceTable, timeouts: StateTimeouts, limit: number) {
    this.#services = services;
    this.#timeouts = timeouts;
    this.#limit = limit;
  }

  /** The connection of a packet from the client. */
  findRequest(tuple: Tuple): Connection | undefined {
    return this.#requests.get(tupleName(tuple));
  }

  /** The connection of a packet from the server. */
  findReply(tuple: Tuple): Connection | undefined {
    return this.#replies.get(tupleName(tuple))?.[0];
  }

  get full(): boolean {
    return this.#requests.size >= this.#limit;
  }

  /** A new connection, inactive and without a state yet. */
  create(tuple: Tuple, dest: Dest): Connection {
    const connection: Connection = {
      protocol: tuple.protocol,
      clientAddress: tuple.source,
      clientPort: tuple.sourcePort,
      virtualAddress: tuple.destination,
      virtualPort: tuple.destinationPort,
      method: dest.method,
      dest,
      state: tuple.protocol === 'udp' ? 'UDP' : 'NONE',
      active: false,
      timeout: 0,
      expiresAt: Number.POSITIVE_INFINITY,
      inPackets: 0,
    };
    this.#requests.set(tupleName(tuple), connection);
    if (connection.method === 'nat') {
      const name = tupleName(replyTuple(connection));
      this.#replies.set(name, [connection, ...(this.#replies.get(name) ?? [])]);
    }
    this.#services.bind(dest);
    return connection;
  }

  /**
   * A packet of the connection passes at `now`: state and timer follow it.
   *
   * @param tcpFlags `undefined` for UDP, and where the packet is too short to have any: then only the timer is set
   */
  pass(connection: Connection, direction: 'input' | 'output', tcpFlags: number | undefined, now: number): void {
    if (connection.state !== 'UDP' && tcpFlags !== undefined) {
      // The servers' answers of DR and TUN go past the director.
      const table: Direction = connection.method === 'nat' ? direction : 'input-only';
      connection.state = nextTcpState(connection.state, table, tcpFlags);
      const active = isActiveState(connection.state);
      if (active !== connection.active) {
        connection.dest.activeConnections += active ? 1 : -1;
        connection.dest.inactiveConnections += active ? -1 : 1;
        connection.active = active;
      }
    }
    // A segment without flags says nothing, not even that the timeouts were set anew.
    if (connection.state === 'UDP' || tcpFlags !== undefined) {
      connection.timeout = this.#timeouts[connection.state] * 1000;
    }
    connection.expiresAt = now + connection.timeout;
    this.#nextExpiry = Math.min(this.#nextExpiry, connection.expiresAt);
  }

  remove(connection: Connection): void {
    this.#requests.delete(tupleName(requestTuple(connection)));
    const name = tupleName(replyTuple(connection));
    const rest = (this.#replies.get(name) ?? []).filter((each) => each !== connection);
    if (rest.length === 0) this.#replies.delete(name);
    else this.#replies.set(name, rest);
    this.#services.unbind(connection.dest, connection.active);
  }

  /** Removes what has ended by `now`. */
  expire(now: number): void {
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const connection of this.#requests.values()) {
      if (connection.expiresAt <= now) this.remove(connection);
      else this.#nextExpiry = Math.min(this.#nextExpiry, connection.expiresAt);
    }
  }

  /** Oldest first. */
  list(): Connection[] {
    return [...this.#requests.values()];
  }
}

function requestTuple(connection: Connection): Tuple {
  return {
    protocol: connection.protocol,
    source: connection.clientAddress,
    sourcePort: connection.clientPort,
    destination: connection.virtualAddress,
    destinationPort: connection.virtualPort,
  };
}

function replyTuple(connection: Connection): Tuple {
  return {
    protocol: connection.protocol,
    source: connection.dest.address,
    sourcePort: connection.dest.port,
    destination: connection.clientAddress,
    destinationPort: connection.clientPort,
  };
}

function tupleName(tuple: Tuple): string {
  const from = `${formatAddress(tuple.source)}:${tuple.sourcePort}`;
  const to = `${formatAddress(tuple.destination)}:${tuple.destinationPort}`;
  return `${tuple.protocol} ${from} -> ${to}`;
}
