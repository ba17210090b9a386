/**
 * A control connection of FTP through a director with the helper, both ends of it played here.
 *
 * @module
 */

import type { ConnectionInfo } from '../../src/connections.js';
import type { Director, DirectorOptions, Outcome } from '../../src/director.js';
import type { DestConfig, FtpConfig, ServiceSettings } from '../../src/types.js';
import type { Binary } from './core.js';
import { CLIENT, CLIENT6, fromClient, fromServer, lab, NETWORK, SERVERS, SERVERS6, VIP, VIP6 } from './lab.js';
import { ACK, checksum, join, packet, pseudoHeader, SYN, type TransportWords, transportChecksum } from './packets.js';

export interface SegmentWords extends Partial<TransportWords> {
  seq?: number;
  ack?: number;
  /** TCP's, padded to words by whoever gives them. */
  tcpOptions?: Uint8Array;
  text?: string;
}

/** A segment with all its numbers. */
export function segment(
  words: SegmentWords & Pick<TransportWords, 'source' | 'destination' | 'sport' | 'dport'>,
): Uint8Array {
  const { tcpOptions = new Uint8Array(0), text = '', payload = new TextEncoder().encode(text) } = words;
  const header = new Uint8Array(20 + tcpOptions.length);
  const view = new DataView(header.buffer);
  view.setUint16(0, words.sport);
  view.setUint16(2, words.dport);
  view.setUint32(4, words.seq ?? 0);
  view.setUint32(8, words.ack ?? 0);
  view.setUint8(12, (header.length / 4) << 4);
  view.setUint8(13, words.flags ?? ACK);
  view.setUint16(14, 0xfaf0);
  header.set(tcpOptions, 20);
  const bytes = join(header, payload);
  new DataView(bytes.buffer).setUint16(16, words.checksum ?? transportChecksum(words, 6, bytes));
  return packet(words, 6, bytes);
}

/** An IPv4 packet without options whose segment's checksum is only begun: it holds the folded pseudo-header sum. */
export function begun(whole: Uint8Array): Uint8Array {
  const copy = whole.slice();
  const dots = (at: number) => copy.subarray(at, at + 4).join('.');
  const pseudo = pseudoHeader({ source: dots(12), destination: dots(16) }, 6, copy.length - 20);
  new DataView(copy.buffer).setUint16(36, ~checksum(pseudo) & 0xffff);
  return copy;
}

/** What is looked at of a segment that left. */
export interface Left {
  readonly source: string;
  readonly sport: number;
  readonly dport: number;
  readonly seq: number;
  readonly ack: number;
  readonly text: string;
  /** The TCP header's options. */
  readonly options: Uint8Array;
  /** Whether both checksums, and the lengths, are right. */
  readonly right: boolean;
}

/** Reads a frame that left, of either family. */
export function left(outcomes: readonly Outcome[]): Left | string {
  const [outcome] = outcomes;
  if (outcome?.verdict !== 'forward') return `${outcome?.verdict} ${outcome?.reason}`;
  const bytes = outcome.frame.subarray(14);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const isV6 = bytes[0]! >> 4 === 6;
  const at = isV6 ? 40 : (bytes[0]! & 15) * 4;
  const tcp = bytes.subarray(at);
  const header = (tcp[12]! >> 4) * 4;
  const dots = (from: number) => bytes.subarray(from, from + 4).join('.');
  const words = (from: number) =>
    Array.from({ length: 8 }, (_, i) => view.getUint16(from + 2 * i).toString(16)).join(':');
  const [source, destination] = isV6 ? [words(8), words(24)] : [dots(12), dots(16)];
  const zeroed = tcp.slice();
  zeroed.set([0, 0], 16);
  const expected = transportChecksum({ source, destination }, 6, zeroed);
  const length = isV6 ? view.getUint16(4) + 40 : view.getUint16(2);
  const sum = isV6 ? 0 : headerSum(bytes.subarray(0, at));
  return {
    source,
    sport: view.getUint16(at),
    dport: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    text: new TextDecoder('latin1').decode(tcp.subarray(header)),
    options: tcp.slice(20, header),
    right: view.getUint16(at + 16) === expected && length === bytes.length && sum === 0,
  };
}

/** The data of what left, or what became of it else. */
export const textOf = (outcome: Left | string): string => (typeof outcome === 'string' ? outcome : outcome.text);

function headerSum(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset);
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** What a session can be. */
export interface SessionOptions {
  binary?: Binary;
  v6?: boolean;
  ftp?: FtpConfig | undefined;
  port?: number;
  serverPort?: number;
  dests?: readonly DestConfig[];
  service?: ServiceSettings;
  options?: DirectorOptions;
}

export const CONTROL_PORT = 37_000;
export const CLIENT_ISN = 1000;
export const SERVER_ISN = 5000;

/** Replies of the server. */
export const PASSIVE = '227 Entering Passive Mode (10,1,0,11,156,64).\r\n';
export const EXTENDED = '229 Entering Extended Passive Mode (|||40000|)\r\n';
/** The entry that waits for the client after either. */
export const WAITING = `${CLIENT} 0 > 40000 > ${SERVERS[0]} 40000 LISTEN`;

/** A control connection, from when it is opened. */
export class Session {
  readonly director: Director;
  readonly client: string;
  readonly server: string;
  readonly vip: string;
  readonly port: number;
  readonly serverPort: number;
  now = 0;

  constructor({
    binary = 'release',
    v6 = false,
    port = 21,
    serverPort = port,
    service = {},
    dests,
    options = {},
    ...rest
  }: SessionOptions = {}) {
    [this.client, this.server, this.vip] = v6 ? [CLIENT6, SERVERS6[0], VIP6] : [CLIENT, SERVERS[0], VIP];
    [this.port, this.serverPort] = [port, serverPort];
    const network =
      'ftp' in rest
        ? rest.ftp === undefined
          ? NETWORK
          : { ...NETWORK, ip_vs_ftp: rest.ftp }
        : { ...NETWORK, ip_vs_ftp: {} };
    this.director = lab(
      dests ?? [{ address: this.server, port: serverPort, method: 'nat' }],
      { binary, network, ...options },
      service,
      [{ protocol: 'tcp', address: this.vip, port }],
    );
  }

  /** Opens the control connection. */
  open(): this {
    this.toServer({ flags: SYN, seq: CLIENT_ISN - 1 });
    this.toClient({ flags: SYN | ACK, seq: SERVER_ISN - 1, ack: CLIENT_ISN });
    this.toServer({ seq: CLIENT_ISN, ack: SERVER_ISN });
    return this;
  }

  /** A segment of the client, by default of the control connection. */
  toServer(words: SegmentWords): Outcome[] {
    const ends = { source: this.client, destination: this.vip, sport: CONTROL_PORT, dport: this.port };
    return this.director.send(
      fromClient(segment({ seq: CLIENT_ISN, ack: SERVER_ISN, ...ends, ...words })),
      'cli',
      this.now,
    );
  }

  /** A segment of the server. */
  toClient(words: SegmentWords): Outcome[] {
    const ends = { source: this.server, destination: this.client, sport: this.serverPort, dport: CONTROL_PORT };
    return this.director.send(
      fromServer(segment({ seq: SERVER_ISN, ack: CLIENT_ISN, ...ends, ...words })),
      'srv',
      this.now,
    );
  }

  /** What the client gets when the server answers a command so. */
  reply(command: string, text: string): Left | string {
    this.toServer({ text: command });
    return left(this.toClient({ text }));
  }

  /** All connections but the control connection, as `client virtual destination state`. */
  calls(): string[] {
    return this.director
      .connections(this.now)
      .filter(({ virtualPort, template }) => virtualPort !== this.port && template === undefined)
      .map(lineOf);
  }
}

function lineOf(one: ConnectionInfo): string {
  const { clientAddress, clientPort, virtualPort, destAddress, destPort, state } = one;
  return `${clientAddress} ${clientPort} > ${virtualPort} > ${destAddress} ${destPort} ${state}`;
}
