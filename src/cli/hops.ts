/**
 * One packet's way from client to server and its answer's back, hop by hop, with the names that LVS has for addresses:
 * CIP the client's, VIP the service's, DIP the director's, LIP its local address of FullNAT, RIP the server's. A star marks
 * what the hop before changed.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import { fields } from '../decode.js';
import type { PacketWalk } from '../explain.js';
import type { NetworkConfig } from '../types.js';
import type { Style } from './style.js';

/** A frame as it came to the director, and as it left. */
export interface Pair {
  readonly offered: Uint8Array;
  readonly sent: Uint8Array;
  /** Interfaces. */
  readonly in: string;
  readonly out: string;
}

type Connection = NonNullable<PacketWalk['connection']>;

/** What a hop shows of a frame: the Ethernet header, each IP header from the outside in, and the numbers of TCP. */
interface Row {
  /** IP headers are counted from the innermost one: outer ones come and go. */
  readonly key: string;
  /** Source and destination, where there are some. */
  readonly ends: readonly string[];
  readonly rest: readonly string[];
}

/** The hops of a connection's packet; `reply` is absent where the director sees none. */
export function hopsText(
  network: NetworkConfig,
  connection: Connection,
  request: Pair,
  reply: Pair | undefined,
  style: Style,
): string {
  const names = new Names(network, connection, request);
  const lines = [names.legend(), ''];
  let number = 0;
  const hop = (from: string, to: string, frame: Uint8Array, before?: Uint8Array): void => {
    lines.push(`${++number} ${style.bold(`${from} > ${to}`)}`);
    const old = new Map(before === undefined ? [] : names.rows(before).map((row) => [row.key, row]));
    for (const row of names.rows(frame))
      lines.push(`    ${rowText(row, before && (old.get(row.key) ?? NOTHING), style)}`);
  };
  hop('client', `director, ${request.in}`, request.offered);
  hop(`director, ${request.out}`, 'server', request.sent, request.offered);
  if (reply !== undefined) {
    hop('server', `director, ${reply.in}`, reply.offered);
    hop(`director, ${reply.out}`, 'client', reply.sent, reply.offered);
  } else {
    const { virtualAddress, virtualPort, clientAddress, clientPort } = connection;
    if (connection.method === 'tun')
      lines.push(`${++number} ${style.bold('server')}: takes the packet out of its tunnel`);
    lines.push(`${++number} ${style.bold('server > client')}: past the director, which sees no answers`);
    const [from, to] = [names.endpoint(virtualAddress, virtualPort), names.endpoint(clientAddress, clientPort)];
    lines.push(`    ${from} > ${to}`);
  }
  return lines.map((line) => (line === '' ? '\n' : `  ${line}\n`)).join('');
}

const NOTHING: Row = { key: '', ends: [], rest: [] };

function rowText(row: Row, old: Row | undefined, style: Style): string {
  const marked = (what: 'ends' | 'rest'): string[] =>
    row[what].map((text, i) => (old === undefined || old[what][i] === text ? text : style.good(`${text}*`)));
  return [...(row.ends.length === 0 ? [] : [marked('ends').join(' > ')]), ...marked('rest')].join('  ');
}

/** Who has which address. */
class Names {
  readonly #roles = new Map<string, string>();
  readonly #owners = new Map<string, string>();

  constructor(network: NetworkConfig, connection: Connection, { out }: Pair) {
    const { clientAddress, virtualAddress, destAddress, localAddress } = connection;
    const family = (address: string): boolean => address.includes(':') === destAddress.includes(':');
    const own = network.interfaces.find(({ name }) => name === out)?.addresses ?? [];
    const dip = own.map((address) => address.replace(/\/.*/, '')).find(family);
    if (dip !== undefined) this.#roles.set(dip, 'DIP');
    if (localAddress !== undefined) this.#roles.set(localAddress, 'LIP');
    this.#roles.set(clientAddress, 'CIP').set(virtualAddress, 'VIP').set(destAddress, 'RIP');
    for (const { dst, lladdr } of network.neighbours ?? []) {
      const owner = dst === destAddress ? 'server' : dst === clientAddress ? 'client' : undefined;
      if (owner !== undefined) this.#owners.set(lladdr.toLowerCase(), owner);
    }
    for (const { mac } of network.interfaces) if (mac !== undefined) this.#owners.set(mac.toLowerCase(), 'director');
  }

  legend(): string {
    return [...this.#roles]
      .map(([address, role]) => `${role} ${address}`)
      .sort()
      .join('  ');
  }

  /** `VIP 10.0.0.100:80` */
  endpoint(address: string, port: number | undefined): string {
    const role = this.#roles.get(address);
    const text = port === undefined ? address : formatEndpoint(address, port);
    return role === undefined ? text : `${role} ${text}`;
  }

  rows(frame: Uint8Array): Row[] {
    const all = fields(frame).filter(({ name }) => !name.startsWith('quoted.'));
    const value = (name: string): string | undefined => all.find((field) => field.name === name)?.value;
    const depths = ['', 'inner.', 'inner.inner.'].filter((prefix) => this.#isIp(value, prefix));
    const rows = depths.map((prefix, i): Row => {
      const ip = value(`${prefix}ip.src`) === undefined ? 'ipv6' : 'ip';
      const port = (side: 'src' | 'dst'): number | undefined => {
        const text = value(`${prefix}tcp.${side}port`) ?? value(`${prefix}udp.${side}port`);
        return text === undefined ? undefined : Number(text);
      };
      return {
        key: String(depths.length - i),
        ends: [
          this.endpoint(value(`${prefix}${ip}.src`)!, port('src')),
          this.endpoint(value(`${prefix}${ip}.dst`)!, port('dst')),
        ],
        rest: [`TTL ${value(`${prefix}${ip === 'ip' ? 'ip.ttl' : 'ipv6.hlim'}`)}`],
      };
    });
    const [sequence, acknowledged] = ['seq', 'ack'].map((name) =>
      value(`${'inner.'.repeat(depths.length - 1)}tcp.${name}`),
    );
    if (sequence !== undefined) {
      rows.push({ key: 'tcp', ends: [], rest: [`sequence ${sequence}`, `acknowledges ${acknowledged}`] });
    }
    const mac = (name: string): string | undefined => {
      const text = value(name)?.toLowerCase();
      const owner = text && this.#owners.get(text);
      return owner ? `${owner} ${text}` : text;
    };
    const [source, destination] = [mac('eth.src'), mac('eth.dst')];
    if (source === undefined || destination === undefined) return rows;
    return [{ key: 'eth', ends: [source, destination], rest: [] }, ...rows];
  }

  #isIp(value: (name: string) => string | undefined, prefix: string): boolean {
    return (value(`${prefix}ip.dst`) ?? value(`${prefix}ipv6.dst`)) !== undefined;
  }
}
