/**
 * What the director's methods are given, checked and turned into the core's numbers.
 *
 * @module
 */
import { ADDRESS_SIZE, LOCAL_GIVEN_FAMILY, LOCAL_GIVEN_SIZE } from './abi/memory.js';
import {
  Carry,
  type Method,
  PersistenceEngine,
  type Profile,
  type Scheduler,
  ServiceFlag,
  type TunnelChecksum,
  type TunnelType,
} from './abi/protocol.js';
import {
  type AddressBytes,
  addressBytes,
  type Family,
  formatAddress,
  formatEndpoint,
  isIPv4,
  isLoopback,
} from './address.js';
import {
  CARRIERS,
  ENGINES,
  FLAG_BITS,
  METHODS,
  PROFILES,
  PROTOCOLS,
  SCHEDULERS,
  TUNNEL_CHECKSUMS,
  TUNNEL_TYPES,
} from './record-names.js';
import type { DestInfo, ServiceInfo } from './records.js';
import { bitNamesOf } from './schedulers.js';
import { assertKeys, assertObject, listOf, objectOf, ofKind, optional, placed, shown } from './shape.js';
import type {
  AddressServiceKey,
  CarryName,
  DestConfig,
  DestKey,
  FrameNotes,
  MarkServiceKey,
  MethodName,
  ProtocolName,
  ServiceConfig,
  ServiceKey,
  ServiceSettings,
  TunnelConfig,
} from './types.js';

/** Keys of `T`, each with a reason to be there: `true`. */
type Keys<T> = Readonly<Record<keyof T, true>>;

// What services() lists may be given back as it is.
const LISTED: Keys<Pick<ServiceInfo, 'stats' | 'rates' | 'dests'>> = { stats: true, rates: true, dests: true };
const SETTINGS: Keys<ServiceSettings> = {
  scheduler: true,
  flags: true,
  persistent: true,
  netmask: true,
  ops: true,
  pe: true,
  localAddresses: true,
  profile: true,
  synproxy: true,
  carry: true,
};
const ADDRESS_KEYS: Keys<AddressServiceKey> = { protocol: true, address: true, port: true };
const MARK_KEYS: Keys<MarkServiceKey> = { fwmark: true, family: true };
const DEST_KEYS: Keys<DestConfig & DestInfo> = {
  address: true,
  port: true,
  method: true,
  weight: true,
  upperThreshold: true,
  lowerThreshold: true,
  tunnel: true,
  activeConnections: true,
  persistentConnections: true,
  inactiveConnections: true,
  stats: true,
  rates: true,
};
const TUNNEL_KEYS: Keys<TunnelConfig> = { type: true, port: true, checksum: true };

/** @throws TypeError or RangeError for what a frame cannot carry. */
export const checkNotes = objectOf<FrameNotes>({
  mark: optional((mark) => assertInteger('mark', mark, 0xffffffff)),
  partialChecksum: optional(ofKind('boolean')),
});

const checkFlags = optional(listOf((flag) => lookUp(FLAG_BITS, 'scheduler flag', flag)));

/** ipvsadm's limit: 31 days. */
const PERSISTENCE_MAX = 31 * 24 * 3600;

/** Local addresses that a service may have. */
const LOCALS_MAX = 255;

const checkSwitch = optional(ofKind('boolean'));

/** A service's address, and its numbers as the core's functions take them. */
export interface ServiceArguments {
  /** ADDRESS_SIZE bytes. */
  readonly address: Uint8Array;
  readonly key: readonly [family: number, protocol: number, portBE: number, fwmark: number];
}

/** A dest's address, and its numbers as the core's functions take them. */
export interface DestArguments {
  /** ADDRESS_SIZE bytes. */
  readonly address: Uint8Array;
  readonly key: readonly [family: number, portBE: number];
}

/** For messages: `tcp 10.0.0.100:80`, `tcp [fd00::100]:80`, `fwmark 7`, `fwmark 7 (IPv6)`. */
export function serviceLabel(service: ServiceKey): string {
  if ('fwmark' in service) return `fwmark ${service.fwmark}${service.family === 6 ? ' (IPv6)' : ''}`;
  return `${service.protocol} ${formatEndpoint(service.address, service.port)}`;
}

/** For messages: `tcp 10.0.0.100:80 -> 10.1.0.11:8080`. */
export function destLabel(service: ServiceKey, { address, port }: DestKey): string {
  const own = 'fwmark' in service ? 0 : service.port;
  return `${serviceLabel(service)} -> ${formatEndpoint(address, port ?? own)}`;
}

/** What names a service. @throws RangeError naming what is wrong. */
export function serviceArguments(service: ServiceKey): ServiceArguments {
  assertObject('service', service);
  if ('fwmark' in service) {
    assertKeys('service of a firewall mark', service, { ...MARK_KEYS, ...SETTINGS, ...LISTED });
    const { fwmark, family = 4 } = service;
    assertInteger('fwmark', fwmark, 0xffffffff, 1);
    if (family !== 4 && family !== 6) throw new RangeError(`expected a family of 4 or 6, got ${shown(family)}`);
    return { address: new Uint8Array(ADDRESS_SIZE), key: [family, 0, 0, fwmark] };
  }
  assertKeys('service', service, { ...ADDRESS_KEYS, ...SETTINGS, ...LISTED });
  const protocol = lookUp(PROTOCOLS, 'protocol', service.protocol);
  const { family, bytes } = addressBytes(service.address);
  return { address: padded(bytes), key: [family, protocol, portBE(service.port, 'service port', 0), 0] };
}

/** Scheduler, flags, timeout (ms), netmask, engine, profile and carrier of a service. @throws RangeError naming what is wrong. */
export function serviceSettings(
  service: ServiceConfig,
): [Scheduler, number, number, number, PersistenceEngine, Profile, Carry] {
  assertObject('service', service);
  localAddresses(service);
  const {
    scheduler = 'wlc',
    flags = [],
    persistent = 0,
    ops = false,
    pe,
    profile = 'linux',
    synproxy = false,
  } = service;
  const number = lookUp(SCHEDULERS, 'scheduler', scheduler);
  checkFlags(flags, 'service.flags');
  const foreign = flags.find((flag) => !bitNamesOf(scheduler).includes(flag));
  if (foreign !== undefined)
    throw new RangeError(`service.flags: "${foreign}" is no flag of the scheduler ${scheduler}`);
  assertInteger('number of seconds (persistent)', persistent, PERSISTENCE_MAX);
  checkSwitch(ops, 'service.ops');
  checkSwitch(synproxy, 'service.synproxy');
  if (!('fwmark' in service) && service.port === 0 && persistent === 0) {
    throw new RangeError('expected a service port from 1 to 65535 unless the service is persistent, got 0');
  }
  if (ops && !('fwmark' in service) && service.protocol !== 'udp') {
    throw new RangeError(`expected one-packet scheduling (ops) of UDP or a firewall mark, got ${service.protocol}`);
  }
  if (synproxy && !('fwmark' in service) && service.protocol !== 'tcp') {
    throw new RangeError(`service.synproxy: expected TCP or a firewall mark, got ${service.protocol}`);
  }
  const kinds =
    (persistent > 0 ? ServiceFlag.Persistent : 0) |
    (ops ? ServiceFlag.OnePacket : 0) |
    (synproxy ? ServiceFlag.SynProxy : 0);
  return [
    number,
    flags.reduce((sum, flag) => sum | FLAG_BITS[flag], kinds as number),
    persistent * 1000,
    netmaskOf(service),
    pe === undefined ? PersistenceEngine.None : lookUp(ENGINES, 'persistence engine', pe),
    placed('service.profile', () => lookUp(PROFILES, 'profile', profile)),
    carrierOf(service),
  ];
}

/** What services of a protocol may have. */
const CARRIED: Readonly<Record<ProtocolName, readonly CarryName[]>> = {
  tcp: ['toa', 'proxy-v1', 'proxy-v2'],
  udp: ['uoa-option', 'uoa-protocol', 'proxy-v2'],
  sctp: [],
};

function carrierOf(service: ServiceConfig): Carry {
  const { carry } = service;
  if (carry === undefined) return Carry.None;
  const number = placed('service.carry', () => lookUp(CARRIERS, 'carry', carry));
  if ('protocol' in service && !CARRIED[service.protocol].includes(carry)) {
    const known = CARRIED[service.protocol].join(', ') || 'none';
    throw new RangeError(`service.carry: expected one that ${service.protocol} has (${known}), got ${carry}`);
  }
  if (carry === 'uoa-option' && serviceFamily(service) === 6) {
    throw new RangeError(
      'service.carry: expected uoa-protocol or proxy-v2 for IPv6, which has no such option, got uoa-option',
    );
  }
  return number;
}

/** The local addresses of a service, LOCAL_GIVEN_SIZE bytes each. @throws TypeError or RangeError naming what is wrong. */
export function localAddresses(service: ServiceConfig): Uint8Array {
  const { localAddresses: given = [] } = service;
  listOf(ofKind('string'))(given, 'service.localAddresses');
  if (given.length > LOCALS_MAX) {
    throw new RangeError(`service.localAddresses: expected up to ${LOCALS_MAX}, got ${given.length}`);
  }
  const all = new Uint8Array(given.length * LOCAL_GIVEN_SIZE);
  const own = serviceFamily(service);
  const seen = new Set<string>();
  for (const [i, text] of given.entries()) {
    const refuse = (expected: string): never => {
      throw new RangeError(`service.localAddresses[${i}]: expected ${expected}, got ${text}`);
    };
    const address = placed(`service.localAddresses[${i}]`, () => addressBytes(text));
    if (address.family === 6 && own === 4) refuse("an address of the service's family");
    if (!isUnicast(address)) refuse('the address of a host');
    if (isLoopback(address)) refuse('an address that servers can answer');
    if (seen.has(address.bytes.join())) refuse('each address once');
    seen.add(address.bytes.join());
    all.set(address.bytes, i * LOCAL_GIVEN_SIZE);
    all[i * LOCAL_GIVEN_SIZE + LOCAL_GIVEN_FAMILY] = address.family;
  }
  return all;
}

/** One of them, as `services()` tells it. @throws TypeError or RangeError as {@link localAddresses} */
export function localAddressOf(service: ServiceKey, address: string): string {
  localAddresses({ ...service, localAddresses: [address] });
  return formatAddress(addressBytes(address).bytes);
}

/** As the core has it: a mask of IPv4 as loaded, or the bits of a prefix of IPv6. */
function netmaskOf(service: ServiceConfig): number {
  if (serviceFamily(service) === 6) {
    const { netmask = 128 } = service;
    assertInteger('netmask of IPv6 (bits of a prefix)', netmask, 128, 1);
    return Number(netmask);
  }
  const { netmask = '255.255.255.255' } = service;
  if (typeof netmask !== 'string' || !isIPv4(netmask)) {
    throw new RangeError(`expected a netmask such as 255.255.255.0, got ${shown(netmask)}`);
  }
  return new DataView(addressBytes(netmask).bytes.buffer).getUint32(0, true);
}

/** What names a dest of a service. @throws RangeError when the address is none that a host can have. */
export function destArguments(service: ServiceKey, dest: DestKey): DestArguments {
  assertKeys('dest', dest, DEST_KEYS);
  const address = addressBytes(dest.address);
  if (!isUnicast(address)) throw new RangeError(`expected the address of a server, got ${dest.address}`);
  const port = portBE(dest.port ?? ('fwmark' in service ? 0 : service.port), 'server port', 0);
  return { address: padded(address.bytes), key: [address.family, port] };
}

/** A dest as it will be: DR and TUN send to the service's own port, whatever port was given. */
export function withForcedPort<D extends DestConfig>(service: ServiceKey, dest: D): D {
  assertObject('service', service);
  assertObject('dest', dest);
  if (dest.port !== undefined) portBE(dest.port, 'server port', 0);
  return dest.method === 'nat' || dest.method === 'fullnat' || 'fwmark' in service
    ? dest
    : { ...dest, port: service.port };
}

/** Method, weight, thresholds and tunnel of a dest. @throws RangeError naming what is wrong. */
export function destSettings(
  service: ServiceKey,
  dest: DestConfig,
): [Method, number, number, number, TunnelType, number, TunnelChecksum] {
  const { method = 'dr', weight = 1, upperThreshold = 0, lowerThreshold = 0, tunnel } = dest;
  const number = lookUp(METHODS, 'method', method);
  assertInteger('weight', weight, 65_535);
  assertInteger('upperThreshold', upperThreshold, 0x7fffffff);
  assertInteger('lowerThreshold', lowerThreshold, 0x7fffffff);
  if (method !== 'tun') {
    if (tunnel !== undefined) throw new RangeError(`expected a tunnel only with the method tun, got ${method}`);
    assertReachable(serviceFamily(service), addressBytes(dest.address).family, method, dest.address);
  }
  return [number, weight, upperThreshold, lowerThreshold, ...tunnelSettings(tunnel)];
}

/** FullNAT leads from IPv6 to IPv4 (NAT64), tunnels lead anywhere. */
function assertReachable(own: Family, server: Family, method: MethodName, address: string): void {
  if (own === server || (method === 'fullnat' && own === 6)) return;
  const how = method === 'fullnat' ? ': there is no NAT46' : ' unless the method is tun, or fullnat from IPv6 to IPv4';
  throw new RangeError(`expected a server of the service's family${how}, got ${address}`);
}

/** Type, UDP port and checksum of a tunnel. */
function tunnelSettings(tunnel: TunnelConfig = {}): [TunnelType, number, TunnelChecksum] {
  assertKeys('tunnel', tunnel, TUNNEL_KEYS);
  const { type = 'ipip', port, checksum = 'nocsum' } = tunnel;
  const number = lookUp(TUNNEL_TYPES, 'tunnel type', type);
  const sum = lookUp(TUNNEL_CHECKSUMS, 'tunnel checksum', checksum);
  if (type !== 'gue' && port !== undefined)
    throw new RangeError(`expected no port for a tunnel of type ${type}, got ${port}`);
  if ((type === 'ipip' && checksum !== 'nocsum') || (type === 'gre' && checksum === 'remcsum')) {
    throw new RangeError(`expected a checksum that a tunnel of type ${type} can have, got ${checksum}`);
  }
  return [number, type === 'gue' ? portBE(port ?? 0, 'port of a GUE tunnel') : 0, sum];
}

/** Family of the packets that a service takes. */
export function serviceFamily(service: ServiceKey): Family {
  return 'fwmark' in service ? (service.family ?? 4) : addressBytes(service.address).family;
}

/** Whether the kernel takes the address for that of one host: reserved ones of IPv4 are like any. */
function isUnicast({ family, bytes }: AddressBytes): boolean {
  const [first = 0, second = 0] = bytes;
  if (family === 4) {
    const isAlike = bytes.every((byte) => byte === first);
    return first >> 4 !== 0xe && !(isAlike && (first === 0 || first === 255));
  }
  const leadingZeros = bytes.findIndex((byte) => byte !== 0);
  const isMapped = leadingZeros === 10 && bytes[10] === 0xff && bytes[11] === 0xff;
  const isLinkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  return leadingZeros >= 0 && first !== 0xff && !isLinkLocal && !isMapped;
}

/** @throws TypeError unless `now` is a number; RangeError unless it is a time in milliseconds. */
export function assertTime(now: number): void {
  if (typeof now !== 'number') throw new TypeError(`expected a time in milliseconds as a number, got ${shown(now)}`);
  if (!(now >= 0 && now <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`expected a time in milliseconds from 0 on, got ${now}`);
  }
}

/**
 * The 16 bytes of a seed; drawn by the host when none is given.
 *
 * @throws TypeError for what is neither a bigint nor bytes; RangeError for another number of bytes.
 */
export function seedBytes(seed: bigint | Uint8Array | undefined): Uint8Array {
  let bytes: Uint8Array;
  if (typeof seed === 'bigint') {
    bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, seed), true);
    view.setBigUint64(8, BigInt.asUintN(64, seed >> 64n), true);
  } else {
    bytes = seed ?? crypto.getRandomValues(new Uint8Array(16));
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`expected a seed as a bigint or a Uint8Array of 16 bytes, got ${shown(seed)}`);
    }
  }
  if (bytes.length !== 16) throw new RangeError(`expected a seed of 16 bytes, got ${bytes.length}`);
  return bytes;
}

function lookUp<T extends number>(table: Readonly<Record<string, T>>, what: string, name: unknown): T {
  const value = typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
  if (value === undefined) {
    throw new RangeError(`expected a ${what} of ${Object.keys(table).join(', ')}, got ${shown(name)}`);
  }
  return value;
}

/** An address in the room that records and calls have for either family. */
function padded(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(ADDRESS_SIZE);
  room.set(bytes);
  return room;
}

function portBE(port: number, what: string, min = 1): number {
  assertInteger(what, port, 65_535, min);
  return ((port & 0xff) << 8) | (port >> 8);
}

function assertInteger(what: string, value: unknown, max: number, min = 0): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`expected a ${what} from ${min} to ${max}, got ${shown(value)}`);
  }
}
