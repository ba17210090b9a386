/**
 * What rules say of services and dests, read.
 *
 * @module
 */
import { canCarry } from './fullnat/carry.js';
import {
  type Address,
  type Family,
  familyOf,
  formatAddress,
  isLoopback,
  isUnicast,
  parseAnyAddress,
} from './packet/address.js';
import type { Dest, Service, ServiceEnd, Tunnel } from './services.js';
import type * as words from './types.js';

/** Of one service. */
const MOST_LOCAL = 255;

export function readEnd(key: words.ReferenceServiceKey): ServiceEnd {
  if ('fwmark' in key) {
    const { fwmark, family = 4 } = key;
    if (!(Number.isInteger(fwmark) && fwmark >= 1 && fwmark <= 0xffffffff)) {
      throw new RangeError(`expected a mark of 1..2^32-1, got ${fwmark}`);
    }
    return { fwmark, family };
  }
  return { protocol: key.protocol, address: parseAnyAddress(key.address), port: key.port };
}

export function readPersistence(
  { persistent = 0, netmask, ops = false, pe }: words.ReferenceService,
  family: Family,
): Pick<Service, 'persistence' | 'engine' | 'once'> {
  if (persistent === 0) return { persistence: undefined, engine: pe, once: ops };
  const given = netmask ?? (family === 4 ? '255.255.255.255' : 128);
  const mask = typeof given === 'string' ? parseAnyAddress(given) : (1n << 128n) - (1n << BigInt(128 - given));
  return { persistence: { timeout: persistent * 1000, mask, netmask: given, engine: pe }, engine: pe, once: ops };
}

/** How servers, those of `dests` too, are told who their client is. @throws RangeError where that cannot be */
export function readCarry(
  config: words.ReferenceService,
  family: Family,
  dests: readonly Dest[],
): words.ReferenceCarry | undefined {
  const { carry } = config;
  if (carry === undefined) return undefined;
  if (isSnat({ dests })) throw new RangeError(`${carry} cannot be had with snat`);
  for (const { method, address } of dests) {
    if (method === 'fullnat' && familyOf(address) !== family) checkCarryAcross(carry, formatAddress(address));
  }
  if (!('fwmark' in config) && !canCarry(config.protocol, carry)) {
    throw new RangeError(`${config.protocol} has nothing to carry an address by ${carry}`);
  }
  if (carry === 'uoa-option' && family === 6) throw new RangeError('uoa-option is an option of IPv4');
  return carry;
}

/** Whether there is a SYN proxy, with those dests. @throws RangeError where that cannot be */
export function readSynProxy(config: words.ReferenceService, dests: readonly Dest[]): boolean {
  if (!config.synproxy) return false;
  if (!('fwmark' in config) && config.protocol !== 'tcp') throw new RangeError(`${config.protocol} has no SYN`);
  for (const { method } of dests) checkBehindProxy(method);
  return true;
}

/** @throws RangeError for a dest that the SYN proxy cannot ask */
function checkBehindProxy(method: words.ReferenceMethod | undefined): void {
  if (method !== 'nat' && method !== 'fullnat') throw new RangeError(`there is no SYN proxy by ${method}`);
}

/** @throws RangeError */
export function readLocalAddresses({ localAddresses = [] }: words.ReferenceService, family: Family): Address[] {
  const addresses = localAddresses.map(parseAnyAddress);
  for (const [i, address] of addresses.entries()) {
    const text = localAddresses[i];
    // Those of IPv4 lead clients of IPv6 to servers of IPv4.
    if (familyOf(address) > family) throw new RangeError(`expected a local address of IPv4, got ${text}`);
    if (!isUnicast(address) || isLoopback(address)) {
      throw new RangeError(`expected a unicast local address that others can answer, got ${text}`);
    }
    if (addresses.indexOf(address) !== i) throw new RangeError(`local address ${text} is given twice`);
  }
  if (addresses.length > MOST_LOCAL) {
    throw new RangeError(`expected at most ${MOST_LOCAL} local addresses, got ${addresses.length}`);
  }
  return addresses;
}

export function endName(end: ServiceEnd): string {
  if ('fwmark' in end) return `mark ${end.fwmark} IPv${end.family}`;
  return `${end.protocol} ${formatAddress(end.address)} ${end.port}`;
}

export function identify(
  service: Service,
  config: words.ReferenceDest,
): [name: string, address: Address, port: number] {
  const { end } = service;
  const address = parseAnyAddress(config.address);
  const usual = 'fwmark' in end ? 0 : end.port;
  // Only NAT and FullNAT can change a service's port; a key without a method must name the dest's own port.
  const forced = !('fwmark' in end) && (config.method === 'dr' || config.method === 'tun');
  const port = forced ? usual : (config.port ?? usual);
  return [`${endName(end)} -> ${formatAddress(address)} ${port}`, address, port];
}

/** A connection for one packet is gone when the reply comes. @throws RangeError */
export function checkOnce(method: words.ReferenceMethod | undefined, once: boolean): void {
  if (once && (method === 'fullnat' || method === 'snat')) throw new RangeError(`${method} cannot be had with ops`);
}

/** Whether a service is by SNAT. */
export function isSnat({ dests }: { dests: readonly Dest[] }): boolean {
  return dests.some(({ method }) => method === 'snat');
}

/** The local addresses that a dest is. */
export function localsOf({ method, address }: Pick<Dest, 'method' | 'address'>): Address[] {
  return method === 'snat' ? [address] : [];
}

/** SNAT is for packets by their mark, and for all of a service's. @throws RangeError */
function checkSnat(service: Service, config: words.ReferenceDest): void {
  const { end, dests, carry } = service;
  const isWanted = config.method === 'snat';
  const [name] = identify(service, config);
  const others = dests.filter((each) => each.name !== name);
  if (others.some(({ method }) => (method === 'snat') !== isWanted)) {
    throw new RangeError('a service with dests by snat has no others');
  }
  if (!isWanted) return;
  if (!('fwmark' in end)) throw new RangeError('snat is for services by firewall mark');
  if ((config.port ?? 0) !== 0) throw new RangeError(`a dest by snat has no port, got ${config.port}`);
  if (isLoopback(parseAnyAddress(config.address))) throw new RangeError(`nobody can answer ${config.address}`);
  if (carry !== undefined) throw new RangeError(`snat cannot be had with ${carry}`);
}

/** UOA speaks of datagrams of the server's family. @throws RangeError */
function checkCarryAcross(carry: words.ReferenceCarry | undefined, address: string): void {
  if (carry === 'uoa-option' || carry === 'uoa-protocol') {
    throw new RangeError(`${carry} cannot be had with NAT64, to which the dest ${address} leads`);
  }
}

/** What the method cannot do. @throws RangeError */
export function checkForwarding(service: Service, config: words.ReferenceDest): void {
  const isTunnelled = config.method === 'tun';
  checkOnce(config.method, service.once);
  checkSnat(service, config);
  if (service.synproxy) checkBehindProxy(config.method);
  if (!isTunnelled && familyOf(parseAnyAddress(config.address)) !== service.family) {
    if (config.method !== 'fullnat') {
      throw new RangeError(`only tunnels and fullnat lead to another address family, got ${config.address}`);
    }
    if (service.family === 4) throw new RangeError(`there is no NAT46, got ${config.address} for a service of IPv4`);
    checkCarryAcross(service.carry, config.address);
  }
  if (config.tunnel === undefined) return;
  if (!isTunnelled) throw new RangeError('only the method tun has a tunnel');
  const { type = 'ipip', port, checksum = 'nocsum' } = config.tunnel;
  const isPort = port !== undefined && Number.isInteger(port) && port >= 1 && port <= 0xffff;
  if (type === 'gue' ? !isPort : port !== undefined) throw new RangeError('GUE needs a port, and only GUE has one');
  if ((type === 'ipip' && checksum !== 'nocsum') || (type === 'gre' && checksum === 'remcsum')) {
    throw new RangeError(`${type} tunnels have no ${checksum}`);
  }
}

export function readTunnel({ type = 'ipip', port = 0, checksum = 'nocsum' }: words.ReferenceTunnel = {}): Tunnel {
  return { type, port, checksum };
}

export function configure(dest: Dest, config: words.ReferenceDest): void {
  dest.routed = undefined;
  dest.method = config.method ?? 'dr';
  dest.tunnel = readTunnel(config.tunnel);
  dest.weight = config.weight ?? 1;
  if (dest.weight !== 0) dest.lastWeight = dest.weight;
  const upper = config.upperThreshold ?? 0;
  // Only a limit that was raised or lifted takes the mark away at once.
  if (upper === 0 || upper > dest.upperThreshold) dest.overloaded = false;
  dest.upperThreshold = upper;
  dest.lowerThreshold = config.lowerThreshold ?? 0;
}
