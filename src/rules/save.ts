/**
 * Services back as rules, the same bytes as `ipvsadm -S -n`.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import { SCHEDULER_FLAGS } from '../schedulers.js';
import type { MethodName, ProtocolName, ServiceKey, TunnelConfig } from '../types.js';
import type { SavedDest, SavedService } from './listed.js';
import { compareDests, compareServices, mergeSort } from './order.js';

const PROTOCOL_OPTION: Record<ProtocolName, string> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };
const METHOD_OPTION: Record<MethodName, string> = { nat: '-m', dr: '-g', tun: '-i' };

/** How to save. */
export interface SaveOptions {
  /** Also write the thresholds (`-x`, `-y`), which `ipvsadm -S` loses. Default false: the same bytes as ipvsadm. */
  readonly lossless?: boolean;
}

/**
 * One `-A` line a service and one `-a` line a dest, each ended by a newline; an empty string without services.
 * Sorted as ipvsadm sorts.
 *
 * @throws RangeError for a dest of method `local`: no rule makes one.
 */
export function saveRules(services: readonly SavedService[], options: SaveOptions = {}): string {
  let text = '';
  for (const service of mergeSort(services, compareServices)) {
    const key = keyOptions(service);
    const flags = SCHEDULER_FLAGS.filter((flag) => service.flags.includes(flag)).join(',');
    text += `-A ${key} -s ${service.scheduler}${persistenceOptions(service)}${flags && ` -b ${flags}`}\n`;
    for (const dest of mergeSort(service.dests, compareDests)) text += destLine(key, dest, options);
  }
  return text;
}

function persistenceOptions({ persistent, netmask, pe, ops }: SavedService): string {
  const isWhole = netmask === undefined || netmask === 128 || netmask === '255.255.255.255';
  const mask = isWhole ? '' : ` -M ${netmask}`;
  return `${persistent === undefined ? '' : ` -p ${persistent}${mask}`}${pe === undefined ? '' : ` --pe ${pe}`}${ops ? ' -o' : ''}`;
}

function keyOptions(service: Readonly<ServiceKey>): string {
  if ('fwmark' in service) return `-f ${service.fwmark}${service.family === 6 ? ' -6' : ''}`;
  return `${PROTOCOL_OPTION[service.protocol]} ${formatEndpoint(service.address, service.port)}`;
}

function destLine(key: string, dest: SavedDest, options: SaveOptions): string {
  if (dest.method === 'local') throw new RangeError('expected the method nat, dr or tun, got local');
  let line = `-a ${key} -r ${formatEndpoint(dest.address, dest.port)} ${METHOD_OPTION[dest.method]} -w ${dest.weight}`;
  if (options.lossless && dest.upperThreshold !== 0) line += ` -x ${dest.upperThreshold}`;
  if (options.lossless && dest.lowerThreshold !== 0) line += ` -y ${dest.lowerThreshold}`;
  if (dest.method === 'tun') line += tunnelOptions(dest.tunnel ?? {});
  return `${line}\n`;
}

/** ipvsadm always names the type, and the checksum where the type has one. */
function tunnelOptions({ type = 'ipip', port, checksum = 'nocsum' }: Readonly<TunnelConfig>): string {
  const target = port === undefined ? '' : ` --tun-port ${port}`;
  return ` --tun-type ${type}${target}${type === 'ipip' ? '' : ` --tun-${checksum}`}`;
}
