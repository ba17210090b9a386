/**
 * `npm run flood`: a SYN flood by every policy of a full table and with each of the defences, and what became of whom.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../kernel-lab/root.js';
import { besiegeProxy, type ProxySiege } from './cookies.js';
import { besiege, SWITCHES, strategies, type Toll } from './siege.js';

const HELP = `usage: npm run flood -- [options]

  --connections N   room in the table; default 100000
  --residents N     established connections that keep talking; default 1000
  --syns N          SYNs from random sources; default 5000000
  --rate N          of these in a millisecond; default 100
  --seed S          default 1
  --evict KIND      one policy alone; "proxy": the SYN proxy alone
`;

const OPTIONS = {
  connections: { type: 'string', default: '100000' },
  residents: { type: 'string', default: '1000' },
  syns: { type: 'string', default: '5000000' },
  rate: { type: 'string', default: '100' },
  seed: { type: 'string', default: '1' },
  evict: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

const COLUMNS = [
  'evict',
  'automatic',
  'lost',
  'newcomers in',
  'at once',
  'table-full',
  'drop-packet',
  'drop-entry',
  'evicted',
];

function main(): void {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [connections, residents, syns, rate, seed] = (
    ['connections', 'residents', 'syns', 'rate', 'seed'] as const
  ).map((name) => whole(values[name], name)) as [number, number, number, number, number];
  const wasm = new WebAssembly.Module(readFileSync(join(ROOT, 'build/release.wasm')));
  const milliseconds = Math.ceil(syns / rate);
  console.log(
    `seed ${seed}: a table of ${connections}, ${residents} established, ${syns} SYNs in ${milliseconds / 1000} s of simulated time\n`,
  );
  console.log(`| ${COLUMNS.join(' | ')} |\n|---|---|${'--:|'.repeat(COLUMNS.length - 2)}`);
  const start = performance.now();
  for (const { evict, sysctl } of strategies()) {
    if (values.evict !== undefined && values.evict !== evict) continue;
    const newcomerEvery = Math.max(1, Math.floor(milliseconds / 500));
    const toll = besiege({ evict, sysctl, connections, residents, syns, rate, newcomerEvery, seed, wasm });
    const on = SWITCHES.filter((name) => sysctl[name] !== 0);
    console.log(`| ${[evict, on.join(', ') || '–', ...figures(toll)].join(' | ')} |`);
    if (toll.lost > 0) process.exitCode = 1;
  }
  if (values.evict === undefined || values.evict === 'proxy')
    proxied({ connections, syns, rate, newcomerEvery: Math.max(1, Math.floor(milliseconds / 500)), seed, wasm });
  console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s`);
}

/** The same against a service behind a SYN proxy. */
function proxied(siege: ProxySiege): void {
  const { answered, syns, gotIn, newcomers, foreign } = besiegeProxy(siege);
  console.log(
    `\nSYN proxy: ${answered} of ${syns} SYNs answered with a whole SYN-ACK, ${gotIn} of ${newcomers} clients in, ${foreign} connections of others`,
  );
  if (answered !== syns || gotIn !== newcomers || foreign > 0) process.exitCode = 1;
}

function figures({ lost, newcomers, atOnce, gotIn, counters }: Toll): (string | number | bigint)[] {
  const evicted = (['half-open', 'closing', 'datagram', 'established'] as const).map(
    (kind) => counters[`evicted-${kind}`],
  );
  return [
    lost,
    `${gotIn}/${newcomers}`,
    atOnce,
    counters['table-full'],
    counters['drop-packet'],
    counters['drop-entry'],
    evicted.reduce((sum, count) => sum + count, 0n),
  ];
}

function whole(text: string, option: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${option}: expected a whole number from 1 on, got ${text}`);
  return Number(text);
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
