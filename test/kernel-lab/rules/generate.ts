/**
 * Random command lines of ipvsadm: most of them right, some damaged.
 *
 * @module
 */
import type { Random } from '../random.js';

/** What is done to a director: a command line, or lines for `ipvsadm -R`. */
export type Step = { readonly argv: readonly string[] } | { readonly restore: readonly (readonly string[])[] };

/** Ways of looking at what there is then. */
export const LISTINGS: readonly (readonly string[])[] = [
  ['-S', '-n'],
  ['-Ln'],
  ['-Ln', '--stats'],
  ['-Ln', '--rate', '--exact'],
  ['-Ln', '--thresholds'],
  ['-Ln', '--persistent-conn'],
  ['-Ln', '--tun-info'],
  ['-Lnc'],
  ['-L', '--timeout'],
  ['-L'],
  ['-S'],
];

// No twos: Debian's kernel lacks it.
const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq', 'fo', 'ovf'];
const FLAGS = ['flag-1', 'flag-2', 'flag-3', 'sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'];
const VIPS = ['10.0.0.100', '10.0.0.101', '192.168.0.1', '172.16.5.5', 'fd00::100', 'fd00::101', '2001:db8::1', '::5'];
const RIPS = [
  '10.1.0.11',
  '10.1.0.12',
  '192.168.0.11',
  '200.1.1.1',
  'fd00:1::11',
  'fd00:1::12',
  '2001:db8:1::1',
  '::1:2',
];
const PORTS = ['80', '443', '53', '5060', '8080', '65535', '1'];
const ODD_PORTS = ['0', '65536', '-1', '+80', '080', '', 'http', 'domain', 'x', '80x', '0x50', '99999999999'];
const ODD_ADDRESSES = [
  '10.1',
  '0x0a000064',
  '012.0.0.1',
  '10.0.0.256',
  '10.0.0.0',
  '0.0.0.0',
  '127.0.0.1',
  '224.0.0.1',
  '255.255.255.255',
  'localhost',
  'nohost',
  '5',
  '',
  '::',
  'fe80::1',
  'ff02::1',
  '::ffff:10.0.0.1',
  '::1',
  'fd00::1%lo',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::',
];
/**
 * As a mark it comes before all others and behind them in ipvsadm's order: then its listing depends on the kernel's, which
 * is another with each boot.
 */
const CIRCULAR = '2147483648';
const NUMBERS = [
  '0',
  '1',
  '5',
  '100',
  '65535',
  '65536',
  '2147483647',
  CIRCULAR,
  '-1',
  '+3',
  '007',
  '0x3',
  'x',
  '',
  '3x',
];
/** Larger ones are refused, see docs/deviations.md. */
const WEIGHTS = NUMBERS.filter((number) => !(Number(number) > 65535) || Number(number) > 0x7fffffff);
const MASKS = [
  '255.255.255.0',
  '255.255.0.0',
  '255.255.255.255',
  '0.0.0.0',
  '255.0.255.0',
  '24',
  '64',
  '128',
  '129',
  '0',
  'x',
  '64x',
];
const LETTERS =
  '-A -E -D -C -a -e -d -L -l -Z -S -R -n -c -s -p -M -r -m -i -g -w -x -y -X -6 -o -b -t -u -f -j -k -q -T'.split(' ');
const LONG = (
  '--set --list --stats --rate --thresholds --persistent-conn --tun-info --nosort --sort --exact --timeout --daemon ' +
  '--numeric --connection --ipv6 --ops --pe --tun-type --tun-port --tun-csum --tun-nocsum --tun-remcsum --syncid ' +
  '--sched-flags --weight --masquerading --ipip --gatewaying --mcast-ttl --mcast-group --mcast-port --sync-maxlen ' +
  '--mcast-interface --start-daemon --stop-daemon --zero --clear --foo --weight=3 --numeric=1 --scheduler=rr -- - --- x 5'
).split(' ');

/** Steps that build and change a table, and damage to some of them. */
export function makeSteps(random: Random, count: number): Step[] {
  return Array.from({ length: count }, () =>
    random.once(6)
      ? { restore: Array.from({ length: 1 + random.below(12) }, () => restoreLine(random)) }
      : { argv: damaged(random, commandLine(random)) },
  );
}

/** A rule set as `ipvsadm -R` takes it. */
export function makeRuleSet(random: Random, services: number): string[][] {
  const lines: string[][] = [];
  for (let i = 0; i < services; i++) {
    const service = serviceWords(random, false);
    lines.push(['-A', ...service, ...settings(random)]);
    for (let n = random.below(5); n > 0; n--)
      lines.push(['-a', ...service, ...serverWords(random), ...serverSettings(random)]);
  }
  return lines.map((line) => (random.once(60) ? damaged(random, line) : line));
}

function restoreLine(random: Random): string[] {
  const line = random.once(8) ? damaged(random, commandLine(random)) : commandLine(random);
  const words = line.filter((word) => !/[\s]/.test(word) && word !== '');
  return random.once(10) ? ['ipvsadm', ...words] : words;
}

function commandLine(random: Random): string[] {
  const service = serviceWords(random, true);
  const server = serverWords(random);
  return random.weighted<() => string[]>([
    [8, () => ['-A', ...service, ...settings(random)]],
    [3, () => ['-E', ...service, ...settings(random)]],
    [1, () => ['-D', ...service]],
    [10, () => ['-a', ...service, ...server, ...serverSettings(random)]],
    [4, () => ['-e', ...service, ...server, ...serverSettings(random)]],
    [2, () => ['-d', ...service, ...server]],
    [1, () => (random.once(2) ? ['-Z'] : ['-Z', ...service])],
    [1, () => ['--set', ...[0, 0, 0].map(() => random.of(['0', '1', '60', '900', '2678400', ...NUMBERS]))]],
    [1, () => ['-L', ...(random.once(2) ? service : []), '-n']],
    [1, () => random.of([['-C'], ['-S', '-n'], ['-L', '--timeout'], ['--stop-daemon', 'master']])],
  ])();
}

/** Shuffled words, words too many, too few, or of other options. */
function damaged(random: Random, line: string[]): string[] {
  if (!random.once(3)) return line;
  const words = [...line];
  const at = random.below(words.length);
  const word = random.of([...LETTERS, ...LONG, ...NUMBERS, ...MASKS, ...SCHEDULERS.slice(0, 3)]);
  random.of([
    () => words.splice(at, 1),
    () => words.splice(at, 0, word),
    () => words.splice(at, 1, word),
    () => words.push(word),
    () => words.reverse(),
    () => words.push(...words.splice(at, 2)),
    () => words.splice(at, 0, words[at]!),
    () => words.splice(at, 2, (words[at] ?? '') + (words[at + 1] ?? '')),
    () => words.splice(at, 2, `${words[at] ?? ''}=${words[at + 1] ?? ''}`),
    // A service after what hangs on it.
    () => words.push(...words.splice(1, 2)),
  ])();
  return words;
}

function endpoint(random: Random, addresses: readonly string[], isOdd: boolean): string {
  const address = isOdd && random.once(12) ? random.of(ODD_ADDRESSES) : random.of(addresses);
  const port = isOdd && random.once(12) ? random.of(ODD_PORTS) : random.of(PORTS);
  if (isOdd && random.once(12)) return address;
  if (!address.includes(':')) return `${address}:${port}`;
  return isOdd && random.once(12) ? `${address}:${port}` : `[${address}]:${port}`;
}

function serviceWords(random: Random, isOdd: boolean): string[] {
  if (random.once(6)) {
    const mark =
      isOdd && random.once(6)
        ? random.of(NUMBERS.filter((one) => one !== CIRCULAR))
        : random.of(['1', '2', '7', '4294967295']);
    return random.once(3) ? ['-f', mark, '-6'] : ['-f', mark];
  }
  return [random.of(['-t', '-t', '-u', '--sctp-service']), endpoint(random, VIPS.slice(0, 6), isOdd)];
}

function serverWords(random: Random): string[] {
  return ['-r', endpoint(random, RIPS, true)];
}

function settings(random: Random): string[] {
  const scheduler = random.once(25) ? random.of(['foo', '', 'RR']) : random.of(SCHEDULERS);
  const flags = random.once(2) ? [`${scheduler}-port`, `${scheduler}-fallback`].filter(() => random.once(2)) : [];
  const isOwn = scheduler === 'sh' || scheduler === 'mh';
  const given = isOwn && flags.length > 0 ? flags : Array.from({ length: 1 + random.below(3) }, () => random.of(FLAGS));
  return some(random, [
    [3, ['-s', scheduler]],
    [isOwn ? 2 : 12, ['-b', given.join(',')]],
    [6, random.once(3) ? ['-p'] : ['-p', random.of(['5', '360', '600', '2678400', ...NUMBERS])]],
    [8, ['-M', random.of(MASKS)]],
    [16, ['-o']],
    [16, ['--pe', random.of(['sip', 'sip', 'foo', ''])]],
  ]);
}

function serverSettings(random: Random): string[] {
  const type = random.of(['ipip', 'gue', 'gre']);
  const tunnel = [
    '-i',
    ...some(random, [
      [2, ['--tun-type', random.once(20) ? 'foo' : type]],
      [type === 'gue' ? 1 : 12, ['--tun-port', random.once(8) ? random.of(NUMBERS) : '6080']],
      [type === 'ipip' ? 20 : 4, ['--tun-csum']],
      [type === 'ipip' ? 20 : 6, ['--tun-nocsum']],
      [type === 'gue' ? 4 : 20, ['--tun-remcsum']],
    ]),
  ];
  return some(random, [
    [
      1,
      random.weighted<string[]>([
        [4, ['-m']],
        [2, ['-g']],
        [3, tunnel],
        [1, []],
      ]),
    ],
    [2, ['-w', random.once(3) ? random.of(WEIGHTS) : String(random.below(200))]],
    [6, ['-x', random.of(['10', '20', ...NUMBERS])]],
    [8, ['-y', random.of(['5', '10', ...NUMBERS])]],
  ]);
}

/** Each of the groups once in so many times, in any order. */
function some(random: Random, groups: readonly (readonly [of: number, words: readonly string[]])[]): string[] {
  const chosen = groups.filter(([of]) => random.once(of)).map(([, words]) => words);
  if (random.once(3)) chosen.reverse();
  return chosen.flat();
}
