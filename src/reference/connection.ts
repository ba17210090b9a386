/**
 * One connection: what it has, and of what kind it is.
 *
 * @module
 */
import type { Expected } from './expiry.js';
import { type Numbers, noNumbers } from './fullnat/numbers.js';
import type { LocalEnd } from './fullnat/pools.js';
import type { Address } from './packet/address.js';
import type { Message } from './queries.js';
import type { SequenceShift } from './sequences.js';
import type { Dest } from './services.js';
import type { ConnectionState } from './states.js';
import type { Proxied } from './synproxy/proxied.js';
import type { Template } from './templates.js';
import type * as words from './types.js';

/** One connection: client, virtual and real end. */
export interface Connection {
  protocol: words.ReferenceConnectionProtocol;
  clientAddress: Address;
  clientPort: number;
  virtualAddress: Address;
  virtualPort: number;
  /** Holds the method that the dest had when the connection was made. */
  method: words.ReferenceMethod | 'bypass';
  /** `undefined`: sent on to where it was addressed. */
  dest: Dest | undefined;
  /** Where packets go: the dest's, and its port unless the packet keeps its own; by SNAT to where they are addressed. */
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
  /** The template that made it, or the connection on which FTP agreed on it. */
  control: Controller | undefined;
  /** Connections that it controls. */
  controlled: Set<Connection>;
  /** Whether it lives for one packet: nobody finds it. */
  once: boolean;
  /** Whether the client's port is not known before its first packet. */
  awaitsPort: boolean;
  /** Whether the FTP helper listens, and which answer of the server it waits for. */
  ftp: 'idle' | 'PASV' | 'EPSV' | undefined;
  /** By how much the helper has moved what the server sends. */
  shift: SequenceShift | undefined;
  fullnat: FullNat | undefined;
  /** What it has besides behind the SYN proxy. */
  proxied: Proxied | undefined;
  /** What its ends wait for; `undefined`: nobody is told when its time is over. */
  expected: Expected | undefined;
}

/** What a connection by FullNAT has besides. */
export interface FullNat {
  local: LocalEnd;
  /** Of the service when the connection was made. */
  profile: words.ReferenceProfile;
  carry: words.ReferenceCarry | undefined;
  /** What the PROXY protocol puts in front of what the client says. */
  header: Uint8Array;
  numbers: Numbers;
  /** How many datagrams of the client have told who it is. */
  datagrams: number;
}

/** What it begins with. */
export type FullNatMaking = Omit<FullNat, 'numbers' | 'datagrams'>;

/** What does not end while it controls connections. */
export type Controller = Template | Connection;

/** How a connection is made, where it is not made as usual. */
export interface Making {
  destAddress?: Address;
  destPort?: number;
  once?: boolean;
  control?: Controller;
  awaitsPort?: boolean;
  fullnat?: FullNatMaking;
}

/** Addresses and ports of a packet. */
export interface Tuple {
  protocol: words.ReferenceConnectionProtocol;
  source: Address;
  sourcePort: number;
  destination: Address;
  destinationPort: number;
  /** Whether it is of AH or ESP, which FullNAT does not take. */
  isSecured?: boolean;
  /** Of ICMP: who asks sends queries alone, who is asked replies. */
  message?: Message;
}

/** By how much what controls connections outlives its time, again and again. */
const LONGER = 60_000;

/** It controls others: its time begins again. */
export function defer(controller: Controller, now: number): void {
  controller.timeout = LONGER;
  controller.expiresAt = now + LONGER;
}

/** What may control others ends behind what it controls: FTP's control connections, then templates. */
export function controlRank(entry: Controller): 0 | 1 | 2 {
  if (isTemplate(entry)) return 2;
  return entry.ftp === undefined ? 0 : 1;
}

/** Whether it is a template, and no connection of FTP. */
export function isTemplate(controller: Controller | undefined): controller is Template {
  return controller !== undefined && 'assured' in controller;
}

/** What a connection by FullNAT has at its beginning. */
export function beginning(making: FullNatMaking, { protocol }: Tuple): FullNat {
  const { length } = making.header;
  return { ...making, numbers: noNumbers(protocol === 'tcp' ? length : 0), datagrams: 0 };
}

/** The method of a new connection. FTP's data connections have what they need for NAT alone. */
export function methodOf(dest: Dest | undefined, { fullnat }: Making): Connection['method'] {
  if (dest?.method === 'fullnat' && fullnat === undefined) return 'nat';
  return dest?.method ?? 'bypass';
}

/** Whether a connection takes packets of that kind. */
export function takes({ fullnat }: Connection, { isSecured = false }: Tuple): boolean {
  return fullnat === undefined || !isSecured;
}

/** Whether its packets get other addresses: its server answers by way of the director. */
export function isTranslated({ method }: Pick<Connection, 'method'>): boolean {
  return method === 'nat' || method === 'fullnat' || method === 'snat';
}

/** Whether nothing that its server answers was ever seen here, nor can be expected: DR and TUN. */
export function isOneWay(connection: Connection): boolean {
  return !isTranslated(connection) && connection.method !== 'bypass' && !connection.outputSeen;
}
