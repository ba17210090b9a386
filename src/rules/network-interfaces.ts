/**
 * Interfaces from the words of `ip -j addr` and `ip -j -d link`.
 *
 * @module
 */
import { addressBytes, formatAddress, parseMac, prefixBytes } from '../address.js';
import type { InterfaceConfig } from '../types.js';
import { type JsonEntry, type JsonInput, shown } from './json-input.js';

/** States of RFC 2863 in which nothing is received or sent. `UNKNOWN` (loopback, dummy) is up. */
const DOWN_STATES: readonly unknown[] = ['DOWN', 'LOWERLAYERDOWN', 'NOTPRESENT'];
type Kind = NonNullable<InterfaceConfig['kind']>;
const KIND_OF_LINK: Record<string, Kind> = {
  ether: 'ether',
  loopback: 'loopback',
  none: 'raw',
  ipip: 'ipip',
  sit: 'sit',
  tunnel6: 'ip6tnl',
  gre: 'gre',
  gre6: 'ip6gre',
};
/** By `linkinfo.info_kind`; other devices of a tunnel's link type (vti) are no such tunnels. */
const TUNNEL_OF_INFO: Record<string, Kind> = {
  ipip: 'ipip',
  sit: 'sit',
  ip6tnl: 'ip6tnl',
  gre: 'gre',
  ip6gre: 'ip6gre',
};
/** The devices that are there as soon as the kernel can do such a tunnel. */
export const TUNNEL_OF_NAME: Record<string, Kind> = {
  tunl0: 'ipip',
  sit0: 'sit',
  ip6tnl0: 'ip6tnl',
  gre0: 'gre',
  ip6gre0: 'ip6gre',
};
const TUNNELS: readonly Kind[] = Object.values(TUNNEL_OF_NAME);

/** The interfaces read so far; also knows those whose kind this version cannot use. */
export class Interfaces {
  private readonly byName = new Map<string, InterfaceConfig>();
  private readonly unusable = new Map<string, string>();

  constructor(readonly input: JsonInput) {}

  get list(): InterfaceConfig[] {
    return [...this.byName.values()];
  }

  get(name: string): InterfaceConfig | undefined {
    return this.byName.get(name);
  }

  add(entry: JsonEntry, config: InterfaceConfig): void {
    if (this.byName.has(config.name)) {
      this.input.fail(entry.path, `expected each interface once, got ${shown(config.name)} again`);
    }
    this.byName.set(config.name, config);
  }

  /** Remembers an interface of a kind that cannot be used: it only matters once a route needs it. */
  addUnusable(name: string, linkType: string): void {
    this.unusable.set(name, linkType);
  }

  isUnusable(name: string): boolean {
    return this.unusable.has(name);
  }

  /** The interface that `entry[key]` names. */
  nameAt(entry: JsonEntry, key: string): string {
    const name = this.input.string(entry, key, 'the name of an interface');
    if (this.byName.has(name) || this.unusable.has(name)) return name;
    return this.input.fail(
      `${entry.path}.${key}`,
      `expected the name of an interface, got ${shown(name)}: there is none`,
    );
  }

  /** The same, refusing an interface whose kind cannot be used. */
  usableAt(entry: JsonEntry, key: string): string {
    const name = this.nameAt(entry, key);
    const linkType = this.unusable.get(name);
    if (linkType === undefined) return name;
    const path = `${entry.path}.${key}`;
    return this.input.fail(path, `the link type ${shown(linkType)} of ${name} is not handled by this version`);
  }

  /** Whether an interface takes packets out of a tunnel; nothing can be sent by it. */
  isTunnel(name: string): boolean {
    const kind = this.byName.get(name)?.kind;
    return kind !== undefined && TUNNELS.includes(kind);
  }

  /** Whether one of the interfaces has this address. */
  owns(address: string): boolean {
    const wanted = formatAddress(addressBytes(address).bytes);
    return this.list.some(({ addresses }) =>
      addresses?.some((text) => formatAddress(prefixBytes(text).bytes) === wanted),
    );
  }
}

/** Merges the two lists by `ifname` and adds each interface once, in the order of `addr`, then of `link`. */
export function addInterfaces(interfaces: Interfaces, addr: readonly JsonEntry[], link: readonly JsonEntry[]): void {
  const { input } = interfaces;
  const sources = new Map<string, JsonEntry[]>();
  for (const list of [addr, link]) {
    const seen = new Set<string>();
    for (const entry of list) {
      const name = input.string(entry, 'ifname', 'the name of an interface');
      if (seen.has(name)) input.fail(entry.path, `expected each interface once, got ${shown(name)} again`);
      seen.add(name);
      sources.set(name, [...(sources.get(name) ?? []), entry]);
    }
  }
  const parents: [JsonEntry, string][] = [];
  for (const [name, entries] of sources) {
    const source = new Merged(entries);
    const kind = kindOf(input, source);
    if (kind === undefined) {
      interfaces.addUnusable(name, String(source.from('link_type').value.link_type));
      continue;
    }
    const config = interfaceOf(input, name, kind, source);
    if (config.vlan !== undefined) parents.push([source.from('link'), config.vlan.parent]);
    interfaces.add(entries[0]!, config);
  }
  for (const [entry, parent] of parents) {
    if (interfaces.get(parent)?.kind !== 'ether') {
      input.fail(`${entry.path}.link`, `expected the name of an Ethernet interface, got ${shown(parent)}`);
    }
  }
}

/** The entries about one interface: `addr` before `link`. */
class Merged {
  constructor(private readonly entries: readonly JsonEntry[]) {}

  /** The entry that has `key`, else the first one, where its lack is reported. */
  from(key: string): JsonEntry {
    return this.entries.find(({ value }) => value[key] !== undefined) ?? this.entries[0]!;
  }

  get(key: string): unknown {
    return this.from(key).value[key];
  }
}

function kindOf(input: JsonInput, source: Merged): Kind | undefined {
  const info = infoKind(source);
  if (typeof info === 'string' && Object.hasOwn(TUNNEL_OF_INFO, info)) return TUNNEL_OF_INFO[info];
  const { ifname } = source.from('ifname').value;
  if (info === undefined && Object.hasOwn(TUNNEL_OF_NAME, String(ifname))) return TUNNEL_OF_NAME[String(ifname)];
  const linkType = input.string(source.from('link_type'), 'link_type', 'a link type such as ether');
  const kind = Object.hasOwn(KIND_OF_LINK, linkType) ? KIND_OF_LINK[linkType] : undefined;
  return kind !== undefined && TUNNELS.includes(kind) && info !== undefined ? undefined : kind;
}

function infoKind(source: Merged): unknown {
  return (source.get('linkinfo') as { info_kind?: unknown } | undefined)?.info_kind;
}

function interfaceOf(input: JsonInput, name: string, kind: Kind, source: Merged): InterfaceConfig {
  const addresses = input
    .entries(source.from('addr_info'), 'addr_info')
    .flatMap((entry) => addressOf(input, entry) ?? []);
  if (kind === 'ether') input.parsed(source.from('address'), 'address', parseMac);
  return {
    name,
    kind,
    ...(kind === 'ether' && { mac: source.get('address') as string }),
    mtu: input.integer(source.from('mtu'), 'mtu', 68, 65536, 'an MTU'),
    up: isUp(input, source),
    addresses,
    ...(infoKind(source) === 'vlan' && { vlan: vlanOf(input, source) }),
  };
}

function isUp(input: JsonInput, source: Merged): boolean {
  const flags = source.get('flags');
  if (flags !== undefined && !Array.isArray(flags)) {
    input.fail(`${source.from('flags').path}.flags`, `expected a list, got ${shown(flags)}`);
  }
  return (flags === undefined || flags.includes('UP')) && !DOWN_STATES.includes(source.get('operstate'));
}

function addressOf(input: JsonInput, entry: JsonEntry): string | undefined {
  const { family, address } = entry.value;
  if (family !== 'inet' && family !== 'inet6') return undefined;
  const version = family === 'inet' ? 4 : 6;
  const bits = version === 4 ? 32 : 128;
  const prefixLength = input.integer(entry, 'prefixlen', 0, bits, 'a prefix length');
  // With a peer (`address`) the prefix is the peer's network: of the local side only the address itself is ours.
  return `${input.address(entry, 'local', version)}/${address === undefined ? prefixLength : bits}`;
}

function vlanOf(input: JsonInput, source: Merged): { parent: string; id: number } {
  const from = source.from('linkinfo');
  const info = input.entry(from.value.linkinfo, `${from.path}.linkinfo`);
  const data = input.entry(info.value.info_data, `${info.path}.info_data`);
  const { protocol = '802.1Q' } = data.value;
  if (protocol !== '802.1Q') {
    input.fail(`${data.path}.protocol`, `expected 802.1Q, got ${shown(protocol)}: not handled by this version`);
  }
  const id = input.integer(data, 'id', 1, 4094, 'a VLAN ID');
  return { parent: input.string(source.from('link'), 'link', "the name of the VLAN's parent"), id };
}
