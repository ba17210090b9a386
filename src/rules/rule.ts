/**
 * Command lines as rules: what changes a director.
 *
 * @module
 */
import type {
  AddressServiceKey,
  DestConfig,
  DestKey,
  MarkServiceKey,
  SchedulerName,
  ServiceSettings,
  TunnelConfig,
} from '../types.js';
import type { CommandLine } from './command-line.js';
import type { RuleSource } from './error.js';
import type { ServerOptions, ServiceOptions } from './option-values.js';
import type { CommandName } from './options.js';

/** What names a service, with every default filled in. */
export type RuleKey = AddressServiceKey | Required<MarkServiceKey>;

/** A service with every default filled in; what belongs to persistence stands where it was given. */
export type RuleService = RuleKey &
  Required<Pick<ServiceSettings, 'scheduler' | 'flags'>> &
  Omit<ServiceSettings, 'scheduler' | 'flags'>;

/** A server with every default filled in; `tunnel` stands with the method `tun` only. */
export type RuleDest = Required<Omit<DestConfig, 'tunnel'>> & Pick<DestConfig, 'tunnel'>;

/** A command with every default filled in, named by ipvsadm's long option, and where it stands. */
export type RuleCommand = { readonly at: RuleSource } & (
  | { readonly command: 'add-service' | 'edit-service'; readonly service: RuleService }
  | { readonly command: 'delete-service'; readonly service: RuleKey }
  | { readonly command: 'clear' }
  | { readonly command: 'add-server' | 'edit-server'; readonly service: RuleKey; readonly dest: RuleDest }
  | { readonly command: 'delete-server'; readonly service: RuleKey; readonly dest: Required<DestKey> }
  /** One address by which FullNAT reaches the service's servers. */
  | { readonly command: 'add-laddr' | 'del-laddr'; readonly service: RuleKey; readonly address: string }
  /** Statistics of one service, or of all. */
  | { readonly command: 'zero'; readonly service: RuleKey | undefined }
  /** Seconds; 0 leaves a timeout as it is. */
  | { readonly command: 'set'; readonly tcp: number; readonly tcpfin: number; readonly udp: number }
);

const LOOKS: readonly CommandName[] = [
  'list',
  'get-laddr',
  'save',
  'restore',
  'help',
  'version',
  'start-daemon',
  'stop-daemon',
];

/** Whether a command changes a director. */
export function isRule(command: CommandName): command is RuleCommand['command'] {
  return !LOOKS.includes(command);
}

/** The rule that a command line is. */
export function ruleOf(line: CommandLine, at: RuleSource): RuleCommand {
  const command = line.command as RuleCommand['command'];
  switch (command) {
    case 'clear':
      return { at, command };
    case 'set': {
      const [tcp, tcpfin, udp] = line.timeouts;
      return { at, command, tcp, tcpfin, udp };
    }
    case 'zero':
      return { at, command, service: line.options.has('service-address') ? keyOf(line.service) : undefined };
    case 'add-service':
    case 'edit-service':
      return { at, command, service: serviceOf(line.service) };
    case 'delete-service':
      return { at, command, service: keyOf(line.service) };
    case 'add-server':
    case 'edit-server':
      return { at, command, service: keyOf(line.service), dest: destOf(line.service, line.server) };
    case 'add-laddr':
    case 'del-laddr':
      return { at, command, service: keyOf(line.service), address: line.service.localAddress };
    case 'delete-server':
      return {
        at,
        command,
        service: keyOf(line.service),
        dest: { address: line.server.address, port: line.server.port },
      };
  }
}

/** What names the service of a command line. */
export function keyOf({ fwmark, family, protocol, address, port }: ServiceOptions): RuleKey {
  if (fwmark !== undefined) return { fwmark, family: family === 6 ? 6 : 4 };
  return { protocol: protocol!, address, port };
}

function serviceOf(options: ServiceOptions): RuleService {
  const { scheduler, flags, persistent, netmask, ops, pe, profile, carry, synproxy } = options;
  const isWhole = netmask === (options.family === 6 ? 128 : '255.255.255.255');
  return {
    ...keyOf(options),
    // Who makes a rule of it has looked whether there is such a one.
    scheduler: scheduler as SchedulerName,
    flags,
    ...(persistent !== undefined && { persistent }),
    ...(!isWhole && { netmask }),
    ...(ops && { ops }),
    ...(pe !== '' && { pe: pe as 'sip' }),
    ...(profile !== undefined && { profile }),
    ...(carry !== undefined && { carry }),
    ...(synproxy && { synproxy }),
  };
}

function destOf(service: ServiceOptions, server: ServerOptions): RuleDest {
  const { address, method, weight, upperThreshold, lowerThreshold } = server;
  // Only translation can map ports: DR and TUN leave the segment as it is, so that the server must listen on the VIP's port.
  const port = method === 'nat' || method === 'fullnat' || service.fwmark !== undefined ? server.port : service.port;
  const tunnel = method === 'tun' && { tunnel: tunnelOf(server) };
  return { address, port, method, weight, upperThreshold, lowerThreshold, ...tunnel };
}

function tunnelOf({ tunnelType: type, tunnelPort: port, checksum }: ServerOptions): TunnelConfig {
  return { type, checksum, ...(port !== undefined && { port }) };
}
