/**
 * Services back as rules, the same bytes as `ipvsadm -S -n`.
 *
 * @module
 */
import type { CarryName, MethodName, ProtocolName, ServiceKey, TunnelConfig } from '../types.js';
import type { SavedDest, SavedService } from './listed.js';
import { type Names, NO_NAMES } from './names.js';
import { flagsText, markText, maskOf, Naming } from './naming.js';
import { compareDests, compareServices, mergeSort } from './order.js';

const PROTOCOL_OPTION: Record<ProtocolName, string> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };
/** How servers are told the client, as options. */
export const CARRY_OPTIONS: Readonly<Record<CarryName, string>> = {
  toa: '--toa',
  'proxy-v1': '--proxy-protocol v1',
  'proxy-v2': '--proxy-protocol v2',
  'uoa-option': '--uoa option',
  'uoa-protocol': '--uoa protocol',
};
const METHOD_OPTION: Record<MethodName, string> = {
  nat: '-m',
  dr: '-g',
  tun: '-i',
  fullnat: '--fullnat',
  snat: '--snat',
};

/** How to save. */
export interface SaveOptions {
  /**
   * Also write what `ipvsadm -S` loses or cannot read again: thresholds (`-x`, `-y`), marks of 2^31 and more. Default
   * false: the same bytes as ipvsadm.
   */
  readonly lossless?: boolean;
  /** Default: all addresses and ports stay numbers, as with `-n`. */
  readonly names?: Names;
}

/**
 * One `-A` line a service, one `--add-laddr` line a local address, and one `-a` line a dest, each ended by a newline; an empty
 * string without services.
 * Sorted as ipvsadm sorts.
 *
 * @throws RangeError for a dest of method `local`: no rule makes one.
 */
export function saveRules(services: readonly SavedService[], options: SaveOptions = {}): string {
  const { lossless = false, names = NO_NAMES } = options;
  const naming = new Naming(names);
  let text = '';
  for (const service of mergeSort(services, compareServices)) {
    const key = keyOptions(service, naming, lossless);
    text += `-A ${key} -s ${service.scheduler}${settings(service)}\n`;
    for (const address of service.localAddresses ?? []) text += `--add-laddr ${key} --laddr ${address}\n`;
    const protocol = 'fwmark' in service ? undefined : service.protocol;
    for (const dest of mergeSort(service.dests, compareDests)) {
      text += `-a ${key} -r ${naming.endpoint(dest.address, dest.port, protocol)} ${destOptions(dest, lossless)}\n`;
    }
  }
  return text;
}

function keyOptions(service: Readonly<ServiceKey>, naming: Naming, lossless: boolean): string {
  if ('fwmark' in service) {
    const mark = lossless ? service.fwmark : markText(service);
    return `-f ${mark}${service.family === 6 ? ' -6' : ''}`;
  }
  const { protocol, address, port } = service;
  return `${PROTOCOL_OPTION[protocol]} ${naming.endpoint(address, port, protocol)}`;
}

function settings(service: SavedService): string {
  const { persistent, pe, ops, profile = 'linux', carry, synproxy } = service;
  const mask = maskOf(service);
  const flags = flagsText(service);
  let text = '';
  if (persistent !== undefined) text += ` -p ${persistent}${mask === undefined ? '' : ` -M ${mask}`}`;
  if (pe !== undefined) text += ` --pe ${pe}`;
  if (ops) text += ' -o';
  if (flags !== undefined) text += ` -b ${flags}`;
  if (profile !== 'linux') text += ` --profile ${profile}`;
  if (carry !== undefined) text += ` ${CARRY_OPTIONS[carry]}`;
  return text + (synproxy ? ' --synproxy enable' : '');
}

function destOptions(dest: SavedDest, lossless: boolean): string {
  if (dest.method === 'local') throw new RangeError('expected the method nat, dr, tun, fullnat or snat, got local');
  let line = `${METHOD_OPTION[dest.method]} -w ${dest.weight}`;
  if (lossless && dest.upperThreshold !== 0) line += ` -x ${dest.upperThreshold}`;
  if (lossless && dest.lowerThreshold !== 0) line += ` -y ${dest.lowerThreshold}`;
  return dest.method === 'tun' ? line + tunnelOptions(dest.tunnel ?? {}) : line;
}

/** ipvsadm always names the type, and the checksum where the type has one. */
function tunnelOptions({ type = 'ipip', port, checksum = 'nocsum' }: Readonly<TunnelConfig>): string {
  const target = port === undefined ? '' : ` --tun-port ${port}`;
  return ` --tun-type ${type}${target}${type === 'ipip' ? '' : ` --tun-${checksum}`}`;
}
