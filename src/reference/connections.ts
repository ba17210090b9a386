/**
 * The connection table.
 *
 * @module
 */
import {
  beginning,
  type Connection,
  type Controller,
  controlRank,
  defer,
  isOneWay,
  isTemplate,
  isTranslated,
  type Making,
  methodOf,
  type Tuple,
  takes,
} from './connection.js';
import { owesResets, turnBehind } from './expiry.js';
import type { LocalPorts } from './fullnat/pools.js';
import { profileTimeouts } from './fullnat/profile.js';
import { isNat64 } from './nat64/headers.js';
import { type Family, familyOf } from './packet/address.js';
import type { Records } from './records.js';
import type { Dest, ServiceTable } from './services.js';
import {
  type ConnectionState,
  firstState,
  isActiveState,
  nextState,
  type StateTimeouts,
  stateTimeout,
  type TransportEvent,
} from './states.js';
import { isAsking } from './synproxy/proxied.js';
import type { TemplateTable } from './templates.js';
import { replyTuple, requestTuple, tupleName } from './tuples.js';

/** Connections at which the table of each family is full. */
export type Limits = Record<Family, number>;

/** Milliseconds that a connection lives which no packet has given a state yet. */
const FIRST_TIMEOUT = 3000;

/** All connections. */
export class ConnectionTable {
  readonly #services: ServiceTable;
  readonly #templates: TemplateTable;
  readonly #timeouts: StateTimeouts;
  readonly #records: Records;
  /** All, also those from port 0 in whose place there is a newer one. */
  readonly #all = new Set<Connection>();
  /** By client and virtual end; the newest stands first. */
  readonly #requests = new Map<string, Connection[]>();
  /** NAT by real end and client, FullNAT by real end and local end: connections of several services may share it; the newest stands first. */
  readonly #replies = new Map<string, Connection[]>();
  readonly #ftpPorts: () => readonly number[];
  readonly #isSecure: () => boolean;
  readonly #localPorts: LocalPorts;
  /** Whether ends are told of connections whose time is over. */
  readonly #tellsEnds: () => boolean;
  /** Those that are to be told, with the next packet. */
  readonly #owing = new Set<Connection>();

  constructor(
    services: ServiceTable,
    templates: TemplateTable,
    timeouts: StateTimeouts,
    records: Records,
    ftpPorts: () => readonly number[],
    isSecure: () => boolean,
    localPorts: LocalPorts,
    tellsEnds: () => boolean,
  ) {
    this.#services = services;
    this.#templates = templates;
    this.#timeouts = timeouts;
    this.#records = records;
    this.#ftpPorts = ftpPorts;
    this.#isSecure = isSecure;
    this.#localPorts = localPorts;
    this.#tellsEnds = tellsEnds;
  }

  /**
   * The connection of a packet from the client, else one that waits to hear of the client's port. Linux never finds one from
   * port 0: each packet may open another. As an identifier of ICMP 0 is like any other.
   */
  findRequest(tuple: Tuple): Connection | undefined {
    if (tuple.message === 'reply') return undefined;
    const isPortless = tuple.sourcePort === 0 && tuple.message === undefined;
    const at = (sourcePort: number, awaitsPort: boolean): Connection | undefined =>
      this.#requests
        .get(tupleName({ ...tuple, sourcePort }))
        ?.find((each) => each.awaitsPort === awaitsPort && takes(each, tuple));
    return (isPortless ? undefined : at(tuple.sourcePort, false)) ?? at(0, true);
  }

  /** The connection of a packet from the virtual end to the client, as of a server that is not translated. */
  findDirect({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Connection | undefined {
    const ends = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
    return this.#requests.get(tupleName({ protocol, ...ends }))?.find((each) => !isTranslated(each));
  }

  /** The connection of a packet from the server. */
  findReply(tuple: Tuple): Connection | undefined {
    if (tuple.message === 'query') return undefined;
    return this.#replies.get(tupleName(tuple))?.find((each) => takes(each, tuple));
  }

  /** Whether there is one by NAT64: it is not only its client's family that packets of it have. */
  hasNat64(): boolean {
    return this.list().some(isNat64);
  }

  /** Whether there is no room for another connection, or template, of that family. */
  isFull(family: Family): boolean {
    return this.#records.isFull(family);
  }

  /** A new connection, inactive and without a state yet; without a dest it goes to where it was addressed. */
  create(tuple: Tuple, dest: Dest | undefined, now: number, making: Making = {}): Connection {
    const { control, awaitsPort = false } = making;
    const method = methodOf(dest, making);
    // A template of another service may lead to a dest that the service of one-packet scheduling itself may not have.
    const once = making.once === true && method !== 'fullnat' && method !== 'snat';
    const isHelped = tuple.protocol === 'tcp' && method === 'nat' && this.#ftpPorts().includes(tuple.destinationPort);
    const connection: Connection = {
      protocol: tuple.protocol,
      clientAddress: tuple.source,
      clientPort: tuple.sourcePort,
      virtualAddress: tuple.destination,
      virtualPort: tuple.destinationPort,
      method,
      dest,
      destAddress: making.destAddress ?? dest?.address ?? (familyOf(tuple.source) === 6 ? 0n : 0),
      destPort: dest === undefined ? 0 : (making.destPort ?? (dest.port || tuple.destinationPort)),
      state: firstState(tuple.protocol),
      active: false,
      timeout: FIRST_TIMEOUT,
      expiresAt: now + FIRST_TIMEOUT,
      inPackets: 0,
      outputSeen: false,
      control,
      controlled: new Set(),
      once,
      awaitsPort,
      ftp: isHelped ? 'idle' : undefined,
      shift: undefined,
      fullnat: making.fullnat && beginning(making.fullnat, tuple),
      proxied: undefined,
      expected: undefined,
    };
    this.#records.enter(connection);
    control?.controlled.add(connection);
    if (dest !== undefined) this.#services.bind(dest);
    if (once) return connection;
    this.#all.add(connection);
    this.#enter(connection);
    return connection;
  }

  /** From now on it is found. */
  #enter(connection: Connection): void {
    const { clientPort } = connection;
    add(this.#requests, tupleName(requestTuple(connection)), connection);
    if (!isTranslated(connection)) return;
    const name = tupleName(replyTuple(connection));
    // Port 0 may open any number of them: only the newest is kept for replies.
    if (clientPort === 0) this.#replies.delete(name);
    add(this.#replies, name, connection);
  }

  #leave(connection: Connection): void {
    take(this.#requests, tupleName(requestTuple(connection)), connection);
    take(this.#replies, tupleName(replyTuple(connection)), connection);
  }

  /** The client's port is known. */
  fillPort(connection: Connection, port: number): void {
    this.#leave(connection);
    connection.clientPort = port;
    connection.awaitsPort = false;
    this.#enter(connection);
  }

  /** What the FTP helper expects: a connection that waits for its first segment. Its dest counts it as before. */
  listen(connection: Connection, now: number): void {
    connection.state = 'LISTEN';
    connection.timeout = this.#timeouts.LISTEN * 1000;
    connection.expiresAt = now + connection.timeout;
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
      const way = isOneWay(connection) ? 'input-only' : direction;
      const state = nextState(connection.state, way, event, this.#isSecure());
      this.#change(connection, state);
      const { control } = connection;
      if (isTemplate(control) && direction === 'output' && state === 'UDP') control.assured = true;
    }
    connection.expiresAt = now + connection.timeout;
  }

  #change(connection: Connection, state: ConnectionState): void {
    const active = connection.protocol !== 'udp' && isActiveState(state);
    const isChanged = state !== connection.state;
    if (isChanged && active !== connection.active) {
      connection.active = active;
      if (connection.dest !== undefined) {
        connection.dest.activeConnections += active ? 1 : -1;
        connection.dest.inactiveConnections += active ? -1 : 1;
      }
    }
    const { control } = connection;
    if (isTemplate(control) && isChanged && state === 'ESTABLISHED') control.assured = true;
    connection.state = state;
    const timeouts = profileTimeouts(connection.fullnat?.profile, this.#timeouts);
    connection.timeout = stateTimeout(state, connection.protocol === 'sctp', timeouts) * 1000;
  }

  /** The SYN proxy asks its server. */
  ask(connection: Connection, now: number): void {
    this.#owing.delete(connection);
    this.#change(connection, 'SYN_SENT');
    connection.timeout = FIRST_TIMEOUT;
    connection.expiresAt = now + connection.timeout;
  }

  /** The server that the SYN proxy has asked has answered. */
  establish(connection: Connection, now: number): void {
    connection.outputSeen = true;
    this.#change(connection, 'ESTABLISHED');
    connection.expiresAt = now + connection.timeout;
  }

  /** Ends it at once; one that controls others ends some time after them. */
  end(connection: Connection, now: number): void {
    if (connection.controlled.size === 0) this.remove(connection);
    else defer(connection, now);
  }

  remove(connection: Connection): void {
    this.#remove(connection);
    this.#records.leave(connection);
  }

  /** Removes it, but for its number. */
  #remove(connection: Connection): void {
    this.#all.delete(connection);
    this.#owing.delete(connection);
    connection.control?.controlled.delete(connection);
    this.#leave(connection);
    if (connection.fullnat !== undefined) this.#localPorts.free(connection.fullnat.local);
    if (connection.dest !== undefined) this.#services.unbind(connection.dest, connection.active);
  }

  /**
   * Removes what has ended by `now`, templates too, in the order in which it did; what owes its ends a word waits. Numbers of
   * what may control others become free last.
   */
  expire(now: number): void {
    const ended: [Controller[], Controller[], Controller[]] = [[], [], []];
    for (let due = this.#firstDue(); due !== undefined && this.#endOf(due) <= now; due = this.#firstDue()) {
      if (due.controlled.size > 0) {
        defer(due, due.expiresAt);
      } else if (this.#owes(due)) {
        this.#owing.add(due);
      } else {
        ended[controlRank(due)].push(due);
        if (isTemplate(due)) this.#templates.remove(due);
        else this.#remove(due);
      }
    }
    for (const each of ended.flat()) this.#records.leave(each);
  }

  /** Ends whose dest was deleted: by their numbers, but what controls others after these. */
  removeAbandoned(): void {
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const entry of this.#records.list()) {
        if (entry.dest?.available !== false || entry.controlled.size > 0) continue;
        this.#removeEither(entry);
        isDone = false;
      }
    }
  }

  /** Removes those that waited, but for those whose servers were asked; gives those whose ends are still to be told. */
  takeOwing(): Connection[] {
    const owing = [...this.#owing];
    for (const connection of owing) if (!isAsking(connection)) this.remove(connection);
    return owing.filter((connection) => this.#owes(connection));
  }

  #owes(entry: Controller): entry is Connection {
    return !isTemplate(entry) && (isAsking(entry) || owesResets(entry, this.#tellsEnds()));
  }

  #endOf(entry: Controller): number {
    return this.#owes(entry) && entry.controlled.size === 0 ? turnBehind(entry.expiresAt) : entry.expiresAt;
  }

  /** Removes it before its time, and what controlled it alone; not a template of which a connection was established. */
  cutOff(entry: Controller): void {
    this.#removeEither(entry);
    const control = isTemplate(entry) ? undefined : entry.control;
    if (control?.controlled.size === 0 && !(isTemplate(control) && control.assured)) this.cutOff(control);
  }

  #removeEither(entry: Controller): void {
    if (!isTemplate(entry)) {
      this.remove(entry);
      return;
    }
    this.#templates.remove(entry);
    this.#records.leave(entry);
  }

  /** What ends next; of several at once what cannot control others comes first, and of those what has the lowest number, IPv4 first. */
  #firstDue(): Controller | undefined {
    const isEarlier = (one: Controller, other: Controller): boolean => {
      const by = this.#endOf(one) - this.#endOf(other) || one.expiresAt - other.expiresAt;
      return (by || controlRank(one) - controlRank(other)) < 0;
    };
    let first: Controller | undefined;
    for (const each of this.#records.list()) {
      const isLiving = isTemplate(each) ? this.#templates.has(each) : this.#all.has(each);
      if (!isLiving || this.isOwing(each)) continue;
      if (first === undefined || isEarlier(each, first)) first = each;
    }
    return first;
  }

  /** Oldest first. */
  list(): Connection[] {
    return [...this.#all];
  }

  /** Whether its time is over, and its ends are to be told. */
  isOwing(entry: Controller): boolean {
    return !isTemplate(entry) && this.#owing.has(entry);
  }
}

function add(map: Map<string, Connection[]>, name: string, connection: Connection): void {
  map.set(name, [connection, ...(map.get(name) ?? [])]);
}

function take(map: Map<string, Connection[]>, name: string, connection: Connection): void {
  const rest = (map.get(name) ?? []).filter((each) => each !== connection);
  if (rest.length === 0) map.delete(name);
  else map.set(name, rest);
}
