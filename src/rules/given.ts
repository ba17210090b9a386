/**
 * What the options of one line say: the service, the server, how packets get to it.
 *
 * @module
 */
import { familyOf } from '../address.js';
import type {
  AddressServiceKey,
  DestConfig,
  MarkServiceKey,
  MethodName,
  ProtocolName,
  ServiceSettings,
  TunnelConfig,
} from '../types.js';
import { RuleError, type RuleSource } from './error.js';
import type { GivenOption, OptionName, Word } from './options.js';
import {
  bracketHint,
  type Endpoint,
  parseEndpoint,
  parseEngine,
  parseNetmask,
  parseNumber,
  parseScheduler,
  parseSchedulerFlags,
  parseTunnelType,
} from './values.js';

/** What names a service, with every default filled in. */
export type RuleKey = AddressServiceKey | Required<MarkServiceKey>;

/** A service with every default filled in. */
export type RuleService = RuleKey & Required<Pick<ServiceSettings, 'scheduler' | 'flags'>> & Persistence;

/** Stands where it was given. */
type Persistence = Pick<ServiceSettings, 'persistent' | 'netmask' | 'ops' | 'pe'>;

/** A server with every default filled in; `tunnel` stands with the method `tun` only. */
export type RuleDest = Required<Omit<DestConfig, 'tunnel'>> & Pick<DestConfig, 'tunnel'>;

/** Options that exclude each other. */
export const SERVICE: readonly OptionName[] = ['tcp-service', 'udp-service', 'sctp-service', 'fwmark-service'];
export const METHODS: readonly OptionName[] = ['gatewaying', 'masquerading', 'ipip'];
export const CHECKSUMS: readonly OptionName[] = ['tun-nocsum', 'tun-csum', 'tun-remcsum'];
export const TUNNEL: readonly OptionName[] = ['tun-type', 'tun-port', ...CHECKSUMS];

const PROTOCOL_OF: Partial<Record<OptionName, ProtocolName>> = {
  'tcp-service': 'tcp',
  'udp-service': 'udp',
  'sctp-service': 'sctp',
};
const METHOD_OF: Partial<Record<OptionName, MethodName>> = { gatewaying: 'dr', masquerading: 'nat', ipip: 'tun' };
const CHECKSUM_OF: Partial<Record<OptionName, NonNullable<TunnelConfig['checksum']>>> = {
  'tun-nocsum': 'nocsum',
  'tun-csum': 'csum',
  'tun-remcsum': 'remcsum',
};
/** What each type of tunnel takes besides `--tun-type`. */
const TUNNEL_TAKES: Record<NonNullable<TunnelConfig['type']>, readonly OptionName[]> = {
  ipip: [],
  gue: ['tun-port', ...CHECKSUMS],
  gre: ['tun-nocsum', 'tun-csum'],
};
/** ipvsadm's, in seconds; its limit is 31 days. */
const DEFAULT_PERSISTENCE = 360;
const MAX_PERSISTENCE = 31 * 86400;
/** INT_MAX, ipvsadm's limit of a threshold. */
const MAX_THRESHOLD = 0x7fffffff;

/** The options of one line, asked for by what they mean. */
export class Given {
  constructor(
    private readonly options: ReadonlyMap<OptionName, GivenOption>,
    private readonly command: GivenOption,
    readonly at: RuleSource,
  ) {}

  /** @throws RuleError when there is none, or it has no port. */
  key(): RuleKey {
    const { at } = this;
    const mark = this.value('fwmark-service', (word) => parseNumber(word, 0xffffffff, 'a firewall mark', at, 1));
    if (mark !== undefined) return { fwmark: mark, family: this.options.has('ipv6') ? 6 : 4 };
    for (const [name, option] of this.options) {
      const protocol = PROTOCOL_OF[name];
      if (protocol !== undefined && option.value !== undefined) return { protocol, ...this.virtual(option.value) };
    }
    return this.fail(this.command.column, `${this.command.shown}: expected a service (-t, -u, --sctp-service or -f)`);
  }

  /** @throws RuleError as {@link key}, and for an unknown scheduler or flag. */
  service(): RuleService {
    const { at } = this;
    const scheduler = this.value('scheduler', (word) => parseScheduler(word, at)) ?? 'wlc';
    const flags = this.value('sched-flags', (word) => parseSchedulerFlags(word, scheduler, at)) ?? [];
    const key = this.key();
    const persistence = this.persistence(key);
    if (!('fwmark' in key) && key.port === 0 && persistence.persistent === undefined) {
      const option = [...this.options.values()].find(({ name }) => name in PROTOCOL_OF);
      const got = `got "${option?.value?.text}"`;
      this.fail(option?.value?.column, `expected a service port of 1 to 65535, ${got}: port 0 needs -p (--persistent)`);
    }
    return { ...key, scheduler, flags, ...persistence };
  }

  private persistence(key: RuleKey): Persistence {
    const { at } = this;
    const isV6 = 'fwmark' in key ? key.family === 6 : familyOf(key.address) === 6;
    const seconds = this.value('persistent', (word) => parseNumber(word, MAX_PERSISTENCE, 'seconds', at, 1));
    const netmask = this.value('netmask', (word) => parseNetmask(word, isV6, at));
    const pe = this.value('pe', (word) => parseEngine(word, at));
    const ops = this.options.get('ops');
    if (ops !== undefined && !('fwmark' in key) && key.protocol !== 'udp') {
      this.fail(ops.column, `${ops.shown} needs a service of UDP or a firewall mark`);
    }
    return {
      ...(this.options.has('persistent') && { persistent: seconds ?? DEFAULT_PERSISTENCE }),
      ...(netmask !== undefined && { netmask }),
      ...(ops !== undefined && { ops: true }),
      ...(pe !== undefined && { pe }),
    };
  }

  /** What names the server; its port is by default that of the service, 0 for a service by mark. */
  destKey(service: RuleKey): { address: string; port: number } {
    const servicePort = 'fwmark' in service ? 0 : service.port;
    const { address, port = servicePort } = this.server();
    if (port === 0 && servicePort !== 0)
      this.refuse('real-server', (text) => `expected a port of 1 to 65535, got "${text}"`);
    return { address, port };
  }

  /** @throws RuleError for what ipvsadm would not take. */
  dest(service: RuleKey): RuleDest {
    const { at } = this;
    const { address, port } = this.destKey(service);
    const method = this.method();
    this.checkFamily(service, address, method);
    const tunnel = this.tunnel(method);
    const upperThreshold = this.threshold('u-threshold');
    const lowerThreshold = this.threshold('l-threshold');
    if (lowerThreshold > upperThreshold) {
      const limit = `expected a lower threshold of at most the upper one (${upperThreshold})`;
      this.refuse('l-threshold', (text) => `${limit}, got ${text}`);
    }
    return {
      address,
      // Only NAT can map ports: DR and TUN leave the segment as it is, so that the server must listen on the VIP's port.
      port: method === 'nat' || 'fwmark' in service ? port : service.port,
      method,
      weight: this.value('weight', (word) => parseNumber(word, 65535, 'a weight', at)) ?? 1,
      upperThreshold,
      lowerThreshold,
      ...(tunnel !== undefined && { tunnel }),
    };
  }

  private value<T>(name: OptionName, parse: (word: Word) => T): T | undefined {
    const word = this.options.get(name)?.value;
    return word === undefined ? undefined : parse(word);
  }

  private fail(column: number | undefined, text: string): never {
    throw new RuleError(this.at.file, this.at.line, column, text);
  }

  /** Refuses the value of an option, at its place. */
  private refuse(name: OptionName, text: (got: string) => string): never {
    const word = this.options.get(name)?.value;
    return this.fail(word?.column, text(word?.text ?? 'nothing'));
  }

  /** The endpoint of a service. */
  private virtual(word: Word): { address: string; port: number } {
    const { address, port } = parseEndpoint(word, this.at);
    const hint = port === undefined ? bracketHint(word.text) : '';
    if (hint !== '') this.fail(word.column, `expected a service port of 1 to 65535, got "${word.text}"${hint}`);
    return { address, port: port ?? 0 };
  }

  private server(): Endpoint {
    const server = this.value('real-server', (word) => parseEndpoint(word, this.at));
    return server ?? this.fail(this.command.column, `${this.command.shown}: expected a real server (-r)`);
  }

  private method(): MethodName {
    for (const name of this.options.keys()) {
      const method = METHOD_OF[name];
      if (method !== undefined) return method;
    }
    return 'dr';
  }

  /** Only a tunnel can lead through the other family. */
  private checkFamily(service: RuleKey, address: string, method: MethodName): void {
    const family = 'fwmark' in service ? service.family : familyOf(service.address);
    if (method === 'tun' || familyOf(address) === family) return;
    this.refuse(
      'real-server',
      (text) => `expected an IPv${family} server, got "${text}": only -i (--ipip) takes either`,
    );
  }

  private tunnel(method: MethodName): TunnelConfig | undefined {
    const { at } = this;
    const type = this.value('tun-type', (word) => parseTunnelType(word, at)) ?? 'ipip';
    const port = this.value('tun-port', (word) => parseNumber(word, 65535, 'a tunnel port', at, 1));
    let checksum: TunnelConfig['checksum'] = 'nocsum';
    for (const name of TUNNEL) {
      const option = this.options.get(name);
      if (option === undefined) continue;
      if (method !== 'tun') this.fail(option.column, `${option.shown} needs -i (--ipip)`);
      if (name !== 'tun-type' && !TUNNEL_TAKES[type].includes(name)) {
        this.fail(option.column, `${option.shown} does not go with the tunnel type ${type}`);
      }
      checksum = CHECKSUM_OF[name] ?? checksum;
    }
    if (type === 'gue' && port === undefined)
      this.refuse('tun-type', (text) => `the tunnel type ${text} needs --tun-port`);
    return method === 'tun' ? { type, checksum, ...(port !== undefined && { port }) } : undefined;
  }

  private threshold(name: OptionName): number {
    return this.value(name, (word) => parseNumber(word, MAX_THRESHOLD, 'a threshold', this.at)) ?? 0;
  }
}
