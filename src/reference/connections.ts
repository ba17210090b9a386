/**
 * The connection table.
 *
 * @module
 */
import { type Address, type Family, familyOf, formatAddress } from './packet/address.js';
import type { Dest, ServiceTable } from './services.js';
import {
  type ConnectionState,
  isActiveState,
  nextState,
  type StateTimeouts,
  stateTimeout,
  type TransportEvent,
} from './states.js';
import type { Template, TemplateTable } from './templates.js';
import type * as words from './types.js';

/** One connection: client, virtual and real end. */
export interface Connection {
  protocol: words.ReferenceProtocol;
  clientAddress: Address;
  clientPort: number;
  virtualAddress: Address;
  virtualPort: number;
  /** Holds the method that the dest had when the connection was made. */
  method: words.ReferenceMethod | 'bypass';
  /** `undefined`: sent on to where it was addressed. */
  dest: Dest | undefined;
  /** Where packets go: the dest's, and its port unless the packet keeps its own. */
  destAddress: Address;
  destPort: number;
  state: ConnectionState;
  active: boolean;
  /** Milliseconds that it lives without a packet. */
  timeout: number;
  /** When it ends unless a packet comes, in milliseconds. */
  expiresAt: number;
  /** Packets from the client. */
  inPackets: number;
  /** Whether a packet of its server came by. */
  outputSeen: boolean;
  /** The template that made it. */
  control: Template | undefined;
  /** Whether it lives for one packet: nobody finds it. */
  once: boolean;
}

/** How a connection is made, where it is not made as usual. */
export interface Making {
  destPort?: number;
  once?: boolean;
  control?: Template;
}

/** Addresses and ports of a packet. */
export interface Tuple {
  protocol: words.ReferenceProtocol;
  source: Address;
  sourcePort: number;
  destination: Address;
  destinationPort: number;
}

/** Connections at which the table of each family is full. */
export type Limits = Record<Family, number>;

/** Milliseconds that a connection lives which no packet has given a state yet. */
const FIRST_TIMEOUT = 3000;

/** All connections. */
export class ConnectionTable {
  readonly #services: ServiceTable;
  readonly #templates: TemplateTable;
  readonly #timeouts: StateTimeouts;
  readonly #limits: Limits;
  /** All, also those from port 0 in whose place there is a newer one. */
  readonly #all = new Set<Connection>();
  /** By client and virtual end. */
  readonly #requests = new Map<string, Connection>();
  /** NAT only, by real end and client: connections of several services may share it; the newest stands first. */
  readonly #replies = new Map<string, Connection[]>();
  /** No connection ends before this. */
  #nextExpiry = Number.POSITIVE_INFINITY;

  constructor(services: ServiceTable, templates: TemplateTable, timeouts: StateTimeouts, limits: Limits) {
    this.#services = services;
    this.#templates = templates;
    this.#timeouts = timeouts;
    this.#limits = limits;
  }

  /** The connection of a packet from the client. Linux never finds one from port 0: each packet may open another. */
  findRequest(tuple: Tuple): Connection | undefined {
    return tuple.sourcePort === 0 ? undefined : this.#requests.get(tupleName(tuple));
  }

  /** The connection of a packet from the virtual end to the client, as of a server that is not translated. */
  findDirect({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Connection | undefined {
    const ends = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
    return this.#requests.get(tupleName({ protocol, ...ends }));
  }

  /** The connection of a packet from the server. */
  findReply(tuple: Tuple): Connection | undefined {
    return this.#replies.get(tupleName(tuple))?.[0];
  }

  /** Whether there is no room for another connection, or template, of that family. */
  isFull(family: Family): boolean {
    const connections = this.list().filter(({ clientAddress }) => familyOf(clientAddress) === family).length;
    return connections + this.#templates.count(family) >= this.#limits[family];
  }

  /** A new connection, inactive and without a state yet; without a dest it goes to where it was addressed. */
  create(tuple: Tuple, dest: Dest | undefined, now: number, making: Making = {}): Connection {
    const { once = false, control } = making;
    const connection: Connection = {
      protocol: tuple.protocol,
      clientAddress: tuple.source,
      clientPort: tuple.sourcePort,
      virtualAddress: tuple.destination,
      virtualPort: tuple.destinationPort,
      method: dest?.method ?? 'bypass',
      dest,
      destAddress: dest?.address ?? (familyOf(tuple.source) === 6 ? 0n : 0),
      destPort: dest === undefined ? 0 : (making.destPort ?? (dest.port || tuple.destinationPort)),
      state: tuple.protocol === 'udp' ? 'UDP' : 'NONE',
      active: false,
      timeout: FIRST_TIMEOUT,
      expiresAt: now + FIRST_TIMEOUT,
      inPackets: 0,
      outputSeen: false,
      control,
      once,
    };
    control?.controlled.add(connection);
    if (dest !== undefined) this.#services.bind(dest);
    if (once) return connection;
    this.#nextExpiry = Math.min(this.#nextExpiry, connection.expiresAt);
    this.#all.add(connection);
    // Only replies that are not translated look for a request from port 0.
    if (tuple.sourcePort !== 0 || connection.method !== 'nat') this.#requests.set(tupleName(tuple), connection);
    if (connection.method === 'nat') {
      const name = tupleName(replyTuple(connection));
      // Port 0 may open any number of them: only the newest is kept for replies.
      const older = connection.clientPort === 0 ? [] : (this.#replies.get(name) ?? []);
      this.#replies.set(name, [connection, ...older]);
    }
    return connection;
  }

  /**
   * A packet of the connection passes at `now`: state and timer follow it.
   *
   * @param event `undefined` where the packet is too short to say anything, and for AH and ESP: only the timer restarts
   */
  pass(connection: Connection, direction: 'input' | 'output', event: TransportEvent | undefined, now: number): void {
    if (event !== undefined) {
      if (direction === 'output') connection.outputSeen = true;
      // The servers' answers of DR and TUN go past the director, usually.
      const state = nextState(connection.state, isOneWay(connection) ? 'input-only' : direction, event);
      const active = connection.protocol !== 'udp' && isActiveState(state);
      if (active !== connection.active && connection.dest !== undefined) {
        connection.dest.activeConnections += active ? 1 : -1;
        connection.dest.inactiveConnections += active ? -1 : 1;
      }
      const isEstablished = state === 'ESTABLISHED' && connection.state !== state;
      if (connection.control !== undefined && (isEstablished || (direction === 'output' && state === 'UDP'))) {
        connection.control.assured = true;
      }
      connection.active = active;
      connection.state = state;
      connection.timeout = stateTimeout(state, connection.protocol === 'sctp', this.#timeouts) * 1000;
    }
    connection.expiresAt = now + connection.timeout;
    this.#nextExpiry = Math.min(this.#nextExpiry, connection.expiresAt);
  }

  remove(connection: Connection): void {
    this.#all.delete(connection);
    connection.control?.controlled.delete(connection);
    const request = tupleName(requestTuple(connection));
    if (this.#requests.get(request) === connection) this.#requests.delete(request);
    const name = tupleName(replyTuple(connection));
    const rest = (this.#replies.get(name) ?? []).filter((each) => each !== connection);
    if (rest.length === 0) this.#replies.delete(name);
    else this.#replies.set(name, rest);
    if (connection.dest !== undefined) this.#services.unbind(connection.dest, connection.active);
  }

  /** Removes what has ended by `now`, templates too. */
  expire(now: number): void {
    this.#templates.expire(now);
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const connection of this.#all) {
      if (connection.expiresAt <= now) this.remove(connection);
      else this.#nextExpiry = Math.min(this.#nextExpiry, connection.expiresAt);
    }
  }

  /** Oldest first. */
  list(): Connection[] {
    return [...this.#all];
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
    source: connection.destAddress,
    sourcePort: connection.destPort,
    destination: connection.clientAddress,
    destinationPort: connection.clientPort,
  };
}

function tupleName(tuple: Tuple): string {
  const from = `${formatAddress(tuple.source)} ${tuple.sourcePort}`;
  const to = `${formatAddress(tuple.destination)} ${tuple.destinationPort}`;
  return `${tuple.protocol} ${from} -> ${to}`;
}

/** Whether nothing that its server answers was ever seen here, nor can be expected: DR and TUN. */
export function isOneWay({ method, outputSeen }: Connection): boolean {
  return method !== 'nat' && method !== 'bypass' && !outputSeen;
}
