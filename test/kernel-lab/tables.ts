/**
 * Holds the core's connections, services and counts against those that the kernel prints.
 *
 * @module
 */
import { addressBytes, formatAddress } from '../../src/address.js';
import type { Director } from '../../src/director.js';
import type { KernelTables } from './case.js';

/** What is in a table: what has to be the same, and what may be a little off. */
interface Connection {
  /** Protocol, ends and server. */
  readonly ends: string;
  /** These and the state. */
  readonly name: string;
  /** Seconds until it ends. */
  readonly expires: number;
}

/** Something that is in one table only, or not the same in both. */
export interface TableDifference {
  /** One line. */
  readonly text: string;
  /** Protocol, ends and server of the connection, if it is one. */
  readonly ends?: string;
  /** How many more of it the kernel has: 1, 0 or -1. */
  readonly surplus: number;
}

interface Tables {
  readonly connections: readonly Connection[];
  /** Dests in the order of the list, by the service's name. */
  readonly services: ReadonlyMap<string, readonly string[]>;
}

/** Seconds by which times may differ: those of the kernel are whole, and both count from when they saw a packet. */
const SLACK = 1.2;
/** Seconds before its end at which a connection may have ended in the kernel. */
const ENDING = 0.3;

/**
 * Each difference; `undefined`: no telling, as a connection may end this very moment.
 *
 * @throws Error when `kernel` is not in the kernel's format
 */
export function compareTables(kernel: KernelTables, director: Director): TableDifference[] | undefined {
  const theirs = kernelTables(kernel.text);
  const ours = directorTables(director, Number(kernel.from / 1_000_000n));
  const passed = Number(kernel.to - kernel.from) / 1e9;
  if (ours.connections.some(({ expires }) => expires < passed + ENDING)) return undefined;
  return [
    ...compareConnections(theirs.connections, ours.connections, passed),
    ...compareServices(theirs.services, ours.services),
  ];
}

function compareConnections(
  theirs: readonly Connection[],
  ours: readonly Connection[],
  passed: number,
): TableDifference[] {
  const differences: TableDifference[] = [];
  const left = new Map<string, Connection[]>();
  for (const one of byTime(ours)) {
    const list = left.get(one.name);
    if (list === undefined) left.set(one.name, [one]);
    else list.push(one);
  }
  for (const { name, ends, expires } of byTime(theirs)) {
    const found = left.get(name)?.shift();
    if (found === undefined) {
      differences.push({ text: `a connection of the kernel only: ${name}, ${expires} s`, ends, surplus: 1 });
      continue;
    }
    const isLate = expires > found.expires + SLACK;
    const isEarly = expires < found.expires - passed - SLACK;
    if (isLate || isEarly) {
      const text = `${name} ends in ${found.expires.toFixed(1)} s, in the kernel in ${expires} s`;
      differences.push({ text, ends, surplus: 0 });
    }
  }
  for (const { name, ends, expires } of [...left.values()].flat())
    differences.push({ text: `a connection of the core only: ${name}, ${expires.toFixed(1)} s`, ends, surplus: -1 });
  return differences;
}

const byTime = (connections: readonly Connection[]) => [...connections].sort((a, b) => a.expires - b.expires);

function compareServices(theirs: Tables['services'], ours: Tables['services']): TableDifference[] {
  const text = (dests: readonly string[] | undefined) => dests?.join(', ') ?? 'not there';
  return [...new Set([...theirs.keys(), ...ours.keys()])].flatMap((name) => {
    const [expected, got] = [text(theirs.get(name)), text(ours.get(name))];
    return expected === got ? [] : { text: `service ${name}: expected ${expected}; got ${got}`, surplus: 0 };
  });
}

/** Reads `/proc/net/ip_vs` with `/proc/net/ip_vs_conn` behind it. */
function kernelTables(text: string): Tables {
  const connections: Connection[] = [];
  const services = new Map<string, string[]>();
  let dests: string[] = [];
  for (const line of text.split('\n').map((one) => one.trim())) {
    const words = line.split(/\s+/);
    if (/^(IP Virtual|Prot|Pro|-> Remote|$)/.test(line)) continue;
    if (words[0] === '->') {
      const [, at = '', , weight, active, inactive] = words;
      dests.push(destName(endOf(at), Number(weight), Number(active), Number(inactive)));
    } else if (words.length >= 9) {
      const [protocol = '', client, cport, virtual, vport, server, dport, state = '', expires] = words;
      const ends = [`${client}:${cport}`, `${virtual}:${vport}`, `${server}:${dport}`].map(endOf);
      connections.push(connectionOf(protocol, ends, state, Number(expires)));
    } else if (words.length >= 3 && /^(TCP|UDP|SCTP|FWM)$/.test(words[0] ?? '')) {
      const [kind, at = '', scheduler] = words;
      dests = [];
      services.set(`${kind} ${kind === 'FWM' ? Number.parseInt(at, 16) : endOf(at)} ${scheduler}`, dests);
    } else {
      throw new Error(`expected a line of /proc/net/ip_vs or ip_vs_conn, got ${line}`);
    }
  }
  return { connections, services };
}

/** `0A000064:0050`, `[fd00:…:0100]:0050` or the same without brackets. */
function endOf(text: string): string {
  const [, address = '', port = ''] = /^\[?([\da-fA-F:]+?)\]?:([\da-fA-F]{4})$/.exec(text) ?? [];
  const plain = address.includes(':')
    ? address
    : (address.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  return `${plain.includes(':') ? formatAddress(addressBytes(plain).bytes) : plain} ${Number.parseInt(port, 16)}`;
}

function directorTables(director: Director, now: number): Tables {
  const connections = director.connections(now).map((one) => {
    const ends = [
      `${one.clientAddress} ${one.clientPort}`,
      `${one.virtualAddress} ${one.virtualPort}`,
      `${one.destAddress} ${one.destPort}`,
    ];
    return connectionOf(one.protocol.toUpperCase(), ends, one.state, one.expires);
  });
  const services = new Map(
    director.services().map((one) => {
      const kind =
        one.protocol === undefined ? `FWM ${one.fwmark}` : `${one.protocol.toUpperCase()} ${one.address} ${one.port}`;
      const dests = one.dests.map((dest) =>
        destName(`${dest.address} ${dest.port}`, dest.weight, dest.activeConnections, dest.inactiveConnections),
      );
      return [`${kind} ${one.scheduler}`, dests];
    }),
  );
  return { connections, services };
}

function connectionOf(protocol: string, all: readonly string[], state: string, expires: number): Connection {
  const ends = `${protocol} ${all.join(' > ')}`;
  return { ends, name: `${ends} ${state}`, expires };
}

function destName(end: string, weight: number, active: number, inactive: number): string {
  return `${end} weight ${weight} active ${active} inactive ${inactive}`;
}
