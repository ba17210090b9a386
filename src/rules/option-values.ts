/**
 * What the options of a command line add up to. They take effect one after the other: the port that a server inherits,
 * or whether a netmask is a prefix length, hangs on what came before.
 *
 * @module
 */
import { isIPv4, isIPv6 } from '../address.js';
import type { CarryName, MethodName, ProfileName, ProtocolName, SchedulerFlag, TunnelConfig } from '../types.js';
import type { Names } from './names.js';
import type { Word } from './option-reader.js';
import type { CommandName, OptionName } from './options.js';
import { UsageError } from './usage-error.js';
import {
  parseEndpoint,
  parseLocalAddress,
  parseMark,
  parseNetmask,
  parseNumber,
  parsePrefixLength,
  parseThreshold,
  parseTimeout,
  parseWeight,
} from './values.js';

const PROTOCOLS: Partial<Record<OptionName, ProtocolName>> = {
  'tcp-service': 'tcp',
  'udp-service': 'udp',
  'sctp-service': 'sctp',
};
const METHODS: Partial<Record<OptionName, MethodName>> = {
  gatewaying: 'dr',
  masquerading: 'nat',
  ipip: 'tun',
  fullnat: 'fullnat',
  snat: 'snat',
};
const CHECKSUMS: Partial<Record<OptionName, NonNullable<TunnelConfig['checksum']>>> = {
  'tun-nocsum': 'nocsum',
  'tun-csum': 'csum',
  'tun-remcsum': 'remcsum',
};
const TUNNEL_TYPES: readonly NonNullable<TunnelConfig['type']>[] = ['ipip', 'gue', 'gre'];
const PROFILES: readonly ProfileName[] = ['linux', 'alibaba', 'dpvs'];
/** How servers are told the client, by option and value. */
const CARRIERS: Readonly<Record<string, Readonly<Record<string, CarryName>>>> = {
  'proxy-protocol': { v1: 'proxy-v1', v2: 'proxy-v2' },
  uoa: { option: 'uoa-option', protocol: 'uoa-protocol' },
};
const SWITCH = { enable: true, disable: false };
const WHOLE_ADDRESS = '255.255.255.255';

/** A service. */
export class ServiceOptions {
  readonly #names: Names;
  /** That of the ports' names; of a mark it is TCP. */
  protocol: ProtocolName | undefined;
  family: 4 | 6 | undefined;
  address = '';
  port = 0;
  fwmark: number | undefined;
  scheduler = 'wlc';
  flags: SchedulerFlag[] = [];
  /** Seconds. */
  persistent: number | undefined;
  netmask: string | number = WHOLE_ADDRESS;
  ops = false;
  pe = '';
  profile: ProfileName | undefined;
  carry: CarryName | undefined;
  synproxy = false;
  /** The local address that a command is about. */
  localAddress = '';

  constructor(names: Names) {
    this.#names = names;
  }

  /** @throws UsageError */
  take(option: OptionName, value: Word | undefined, shown: Word): void {
    switch (option) {
      case 'tcp-service':
      case 'udp-service':
      case 'sctp-service':
        this.#takeEndpoint(PROTOCOLS[option]!, value!);
        return;
      case 'fwmark-service':
        this.family = 4;
        this.protocol = 'tcp';
        this.fwmark = parseMark(value!);
        return;
      case 'ipv6':
        // The empty line is ipvsadm's own.
        if (this.fwmark === undefined) throw new UsageError('-6 used before -f\n', shown);
        this.family = 6;
        this.netmask = 128;
        return;
      case 'scheduler':
        this.scheduler = value!.text || 'wlc';
        return;
      case 'persistent':
        this.persistent = parseTimeout(value, 1);
        return;
      case 'netmask':
        this.netmask = this.family === 6 ? parsePrefixLength(value!) : parseNetmask(value!, this.#names);
        return;
      case 'ops':
        this.ops = true;
        return;
      case 'pe':
        this.pe = value!.text;
        return;
      default:
        this.#takeFullNat(option, value);
    }
  }

  #takeFullNat(option: OptionName, value: Word | undefined): void {
    switch (option) {
      case 'laddr':
        this.localAddress = parseLocalAddress(value!);
        return;
      case 'profile':
        this.profile = PROFILES.find((name) => name === value!.text) ?? refuseWord(option, value!, PROFILES);
        return;
      case 'toa':
        this.carry = 'toa';
        return;
      case 'proxy-protocol':
      case 'uoa':
        this.carry = meantBy(CARRIERS[option]!, option, value!);
        return;
      case 'synproxy':
        this.synproxy = meantBy(SWITCH, option, value!);
    }
  }

  #takeEndpoint(protocol: ProtocolName, value: Word): void {
    this.protocol = protocol;
    const endpoint = parseEndpoint(value.text, protocol, this.#names);
    if (endpoint === undefined) throw new UsageError('illegal virtual server address[:port] specified', value);
    this.family = endpoint.family;
    this.address = endpoint.address;
    this.port = endpoint.port ?? 0;
    if (endpoint.family === 6) this.netmask = 128;
  }
}

/** What a word of a few stands for. @throws UsageError that names them */
function meantBy<T>(words: Readonly<Record<string, T>>, option: OptionName, word: Word): T {
  return Object.hasOwn(words, word.text) ? words[word.text]! : refuseWord(option, word, Object.keys(words));
}

function refuseWord(option: OptionName, word: Word, known: readonly string[]): never {
  throw new UsageError(`illegal ${option} specified: expected ${known.join(' or ')}, got "${word.text}"`, word);
}

/** A real server. */
export class ServerOptions {
  readonly #names: Names;
  family: 4 | 6 | undefined;
  address = '';
  port = 0;
  method: MethodName = 'dr';
  weight = 1;
  upperThreshold = 0;
  lowerThreshold = 0;
  tunnelType: NonNullable<TunnelConfig['type']> = 'ipip';
  tunnelPort: number | undefined;
  checksum: NonNullable<TunnelConfig['checksum']> = 'nocsum';

  constructor(names: Names) {
    this.#names = names;
  }

  /** @throws UsageError */
  take(option: OptionName, value: Word | undefined, service: ServiceOptions): void {
    this.method = METHODS[option] ?? this.method;
    this.checksum = CHECKSUMS[option] ?? this.checksum;
    switch (option) {
      case 'real-server':
        this.#takeEndpoint(value!, service);
        return;
      case 'weight':
        this.weight = parseWeight(value!);
        return;
      case 'u-threshold':
        this.upperThreshold = parseThreshold(value!, 'u_threshold');
        return;
      case 'l-threshold':
        this.lowerThreshold = parseThreshold(value!, 'l_threshold');
        return;
      case 'tun-type': {
        const type = TUNNEL_TYPES.find((name) => name === value!.text);
        if (type === undefined) throw new UsageError('illegal tunnel type specified', value);
        this.tunnelType = type;
        return;
      }
      case 'tun-port':
        this.tunnelPort = parseNumber(value!, 65535, 'tunnel port', 1);
    }
  }

  #takeEndpoint(value: Word, service: ServiceOptions): void {
    const endpoint = parseEndpoint(value.text, service.protocol, this.#names);
    if (endpoint === undefined) throw new UsageError('illegal real server address[:port] specified', value);
    this.family = endpoint.family;
    this.address = endpoint.address;
    this.port = endpoint.port ?? service.port;
  }
}

/** The synchronisation daemon, which there is none of here: only whether its options are right. */
export class DaemonOptions {
  /** What `--start-daemon` and `--stop-daemon` take. @throws UsageError */
  state(command: CommandName | OptionName, value: Word): void {
    if (value.text === 'master' || value.text === 'backup') return;
    const what = command === 'start-daemon' ? 'start-daemon parameter' : 'start_daemon';
    throw new UsageError(`illegal ${what} specified`, value);
  }

  /** @throws UsageError */
  take(option: OptionName, value: Word | undefined): void {
    switch (option) {
      case 'syncid':
        parseNumber(value!, 255, option);
        return;
      case 'sync-maxlen':
        parseNumber(value!, 65535, option, 1);
        return;
      case 'mcast-port':
        parseNumber(value!, 65535, option, 1);
        return;
      case 'mcast-ttl':
        parseNumber(value!, 255, option, 1);
        return;
      case 'mcast-group':
        checkGroup(value!);
    }
  }
}

/** The address of a multicast group. @throws UsageError */
function checkGroup(value: Word): void {
  const { text } = value;
  if (isIPv6(text) && /^ff/i.test(text)) return;
  const first = isIPv4(text) ? Number.parseInt(text, 10) : 0;
  if (first >= 224 && first < 240) return;
  throw new UsageError(`invalid IPv${text.includes(':') ? 6 : 4} mcast-group \`${text}'`, value);
}
