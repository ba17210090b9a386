/**
 * The commands and options of ipvsadm 1.31, and which go together; behind them what FullNAT and SNAT need besides, in DPVS's words.
 *
 * @module
 */

/** A command, by its long option. */
export type CommandName =
  | 'add-service'
  | 'edit-service'
  | 'delete-service'
  | 'clear'
  | 'list'
  | 'add-server'
  | 'delete-server'
  | 'edit-server'
  | 'set'
  | 'start-daemon'
  | 'stop-daemon'
  | 'restore'
  | 'save'
  | 'zero'
  | 'add-laddr'
  | 'del-laddr'
  | 'get-laddr'
  | 'help'
  | 'version';

/** An option of a command, by its long name. */
export type OptionName =
  | 'tcp-service'
  | 'udp-service'
  | 'sctp-service'
  | 'fwmark-service'
  | 'ipv6'
  | 'scheduler'
  | 'sched-flags'
  | 'persistent'
  | 'netmask'
  | 'ops'
  | 'pe'
  | 'real-server'
  | 'gatewaying'
  | 'masquerading'
  | 'ipip'
  | 'weight'
  | 'u-threshold'
  | 'l-threshold'
  | 'tun-type'
  | 'tun-port'
  | 'tun-nocsum'
  | 'tun-csum'
  | 'tun-remcsum'
  | 'numeric'
  | 'connection'
  | 'timeout'
  | 'daemon'
  | 'stats'
  | 'rate'
  | 'thresholds'
  | 'persistent-conn'
  | 'tun-info'
  | 'sort'
  | 'nosort'
  | 'exact'
  | 'syncid'
  | 'sync-maxlen'
  | 'mcast-interface'
  | 'mcast-group'
  | 'mcast-port'
  | 'mcast-ttl'
  | 'fullnat'
  | 'snat'
  | 'laddr'
  | 'ifname'
  | 'profile'
  | 'toa'
  | 'proxy-protocol'
  | 'uoa'
  | 'synproxy';

/** Whether a word follows: never, always, or unless the next one starts with a dash. */
export type Takes = 'nothing' | 'value' | 'optional';

/** An option as it is written. */
export interface OptionSpec {
  readonly name: CommandName | OptionName;
  readonly letter: string;
  readonly takes: Takes;
  readonly isCommand: boolean;
}

/** Whose short options: those of ipvsadm, or those of DPVS's, where `-b` is `--fullnat`. */
export type Dialect = 'ipvsadm' | 'dpvs';

/** What DPVS has letters for that ipvsadm has none for, or others. */
const DPVS_LETTERS: Readonly<Record<string, string>> = {
  'add-laddr': 'P',
  'del-laddr': 'Q',
  'get-laddr': 'G',
  laddr: 'z',
  ifname: 'F',
  fullnat: 'b',
  snat: 'J',
  synproxy: 'j',
  'sched-flags': '',
};

const COMMANDS: readonly (readonly [letter: string, name: CommandName, takes?: Takes])[] = [
  ['A', 'add-service'],
  ['E', 'edit-service'],
  ['D', 'delete-service'],
  ['C', 'clear'],
  ['L', 'list'],
  ['l', 'list'],
  ['Z', 'zero'],
  ['a', 'add-server'],
  ['e', 'edit-server'],
  ['d', 'delete-server'],
  ['', 'set'],
  ['h', 'help'],
  ['v', 'version'],
  ['R', 'restore'],
  ['S', 'save'],
  ['', 'start-daemon', 'value'],
  ['', 'stop-daemon', 'value'],
  ['', 'add-laddr'],
  ['', 'del-laddr'],
  ['', 'get-laddr'],
];

const OPTIONS: readonly (readonly [letter: string, name: OptionName, takes?: Takes])[] = [
  ['t', 'tcp-service', 'value'],
  ['u', 'udp-service', 'value'],
  ['', 'sctp-service', 'value'],
  ['f', 'fwmark-service', 'value'],
  ['s', 'scheduler', 'value'],
  ['p', 'persistent', 'optional'],
  ['M', 'netmask', 'value'],
  ['r', 'real-server', 'value'],
  ['m', 'masquerading'],
  ['i', 'ipip'],
  ['g', 'gatewaying'],
  ['w', 'weight', 'value'],
  ['x', 'u-threshold', 'value'],
  ['y', 'l-threshold', 'value'],
  ['n', 'numeric'],
  ['c', 'connection'],
  ['', 'mcast-interface', 'value'],
  ['', 'syncid', 'value'],
  ['', 'timeout'],
  ['', 'daemon'],
  ['', 'stats'],
  ['', 'rate'],
  ['', 'thresholds'],
  ['', 'persistent-conn'],
  ['', 'nosort'],
  ['', 'sort'],
  ['X', 'exact'],
  ['6', 'ipv6'],
  ['o', 'ops'],
  ['', 'pe', 'value'],
  ['', 'sync-maxlen', 'value'],
  ['', 'mcast-group', 'value'],
  ['', 'mcast-port', 'value'],
  ['', 'mcast-ttl', 'value'],
  ['b', 'sched-flags', 'value'],
  ['', 'tun-info'],
  ['', 'tun-type', 'value'],
  ['', 'tun-port', 'value'],
  ['', 'tun-nocsum'],
  ['', 'tun-csum'],
  ['', 'tun-remcsum'],
  ['', 'fullnat'],
  ['', 'snat'],
  ['', 'laddr', 'value'],
  ['', 'ifname', 'value'],
  ['', 'profile', 'value'],
  ['', 'toa'],
  ['', 'proxy-protocol', 'value'],
  ['', 'uoa', 'value'],
  ['', 'synproxy', 'value'],
];

const SPECS: readonly OptionSpec[] = [
  ...COMMANDS.map(([letter, name, takes = 'nothing']) => ({ letter, name, takes, isCommand: true }) as const),
  ...OPTIONS.map(([letter, name, takes = 'nothing']) => ({ letter, name, takes, isCommand: false }) as const),
];

/** All of them, by dialect. */
export const OPTION_SPECS: Readonly<Record<Dialect, readonly OptionSpec[]>> = {
  ipvsadm: SPECS.filter(({ name }) => name !== 'ifname'),
  dpvs: SPECS.map((spec) => ({ ...spec, letter: DPVS_LETTERS[spec.name] ?? spec.letter })),
};

/** What counts as one option: it may be given once, whichever way, and messages name it so. */
export type OptionGroup =
  | Exclude<
      OptionName,
      | 'tcp-service'
      | 'udp-service'
      | 'sctp-service'
      | 'fwmark-service'
      | 'gatewaying'
      | 'masquerading'
      | 'ipip'
      | 'fullnat'
      | 'snat'
      | 'toa'
      | 'proxy-protocol'
      | 'uoa'
      | 'ipv6'
      | 'sort'
    >
  | 'service-address'
  | 'forwarding-method'
  | 'client-address';

/** The group of an option; `-6` and `--sort` may be given as often as one likes. */
export function groupOf(name: OptionName): OptionGroup | undefined {
  switch (name) {
    case 'tcp-service':
    case 'udp-service':
    case 'sctp-service':
    case 'fwmark-service':
      return 'service-address';
    case 'gatewaying':
    case 'masquerading':
    case 'ipip':
    case 'fullnat':
    case 'snat':
      return 'forwarding-method';
    case 'toa':
    case 'proxy-protocol':
    case 'uoa':
      return 'client-address';
    case 'ipv6':
    case 'sort':
      return undefined;
    default:
      return name;
  }
}

/** In the order in which ipvsadm looks at them, which decides what it complains about first. */
export const GROUPS: readonly OptionGroup[] = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sync-maxlen',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sched-flags',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
  'laddr',
  'ifname',
  'profile',
  'client-address',
  'synproxy',
];

/** How a command takes an option; what is not listed it does not take. */
export interface Takings {
  readonly needs?: readonly OptionGroup[];
  readonly may?: readonly OptionGroup[];
  /** At most one of these. */
  readonly oneOf?: readonly OptionGroup[];
}

const SERVICE: Takings = {
  needs: ['service-address'],
  may: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags', 'profile', 'client-address', 'synproxy'],
};
const LOCAL_ADDRESS: Takings = { needs: ['service-address', 'laddr'], may: ['ifname'] };
const SERVER: Takings = {
  needs: ['service-address', 'real-server'],
  may: [
    'forwarding-method',
    'weight',
    'u-threshold',
    'l-threshold',
    'tun-type',
    'tun-port',
    'tun-nocsum',
    'tun-csum',
    'tun-remcsum',
  ],
};

/** By command; `help` and `version` end before this is looked at. */
export const TAKINGS: Readonly<Record<Exclude<CommandName, 'help' | 'version'>, Takings>> = {
  'add-service': SERVICE,
  'edit-service': SERVICE,
  'delete-service': { needs: ['service-address'] },
  clear: {},
  list: {
    may: ['numeric', 'stats', 'rate', 'thresholds', 'persistent-conn', 'nosort', 'syncid', 'exact', 'tun-info'],
    oneOf: ['connection', 'service-address', 'timeout', 'daemon'],
  },
  'add-server': SERVER,
  'edit-server': SERVER,
  'delete-server': { needs: ['service-address', 'real-server'] },
  set: {},
  'start-daemon': { may: ['mcast-interface', 'syncid', 'sync-maxlen', 'mcast-group', 'mcast-port', 'mcast-ttl'] },
  'stop-daemon': { may: ['syncid'] },
  restore: {},
  save: { may: ['numeric'] },
  zero: { may: ['service-address'] },
  'add-laddr': LOCAL_ADDRESS,
  'del-laddr': LOCAL_ADDRESS,
  'get-laddr': { may: ['service-address', 'numeric'] },
};

/** How messages name a command. */
export function commandLabel(name: CommandName): string {
  return name === 'clear' ? 'flush' : name;
}

/** Of a type of tunnel, in the order in which ipvsadm looks at them. */
export const TUNNEL_TAKINGS: Readonly<Record<'ipip' | 'gue' | 'gre', Takings>> = {
  ipip: {},
  gue: { needs: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { oneOf: ['tun-nocsum', 'tun-csum'] },
};
/** The options of a tunnel beside its type. */
export const TUNNEL_GROUPS = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const satisfies OptionGroup[];
