/**
 * The words of the command line.
 *
 * @module
 */
import { parseArgs } from 'node:util';

export interface Options {
  json: boolean;
  quick: boolean;
  help: boolean;
  /** Suites to run; empty: all. */
  only: string[];
  connections: number[] | undefined;
  bursts: number[] | undefined;
  rounds: number | undefined;
  seconds: number | undefined;
  length: number | undefined;
}

export const HELP = `Usage: npm run bench -- [options]

  --only NAME[,NAME…]   suites to run: parse, checksum, crc32c, lookup, nat, nat6, fullnat,
                        nat64, snat, dr, ipip, tunnels, icmp, connections, snapshot
  --quick               1 k and 100 k connections, bursts of 256, short rounds
  --connections N,…     connections in the table (default 1000,100000,1000000)
  --burst N,…           frames a call, 1 to 256 (default 1,32,256)
  --length N            bytes of a frame (default 64)
  --rounds N            rounds that take all contenders in turn (default 5)
  --seconds N           seconds of a contender in a round (default 0.5)
  --json                figures as JSON on stdout
  --help
`;

function numbers(text: string | undefined, what: string, low: number, high: number): number[] | undefined {
  return text?.split(',').map((part) => {
    const value = Number(part);
    if (!(value >= low && value <= high)) throw new RangeError(`expected ${what} from ${low} to ${high}, got ${part}`);
    return value;
  });
}

/** Reads the command line. @throws RangeError or TypeError for what it cannot take. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      connections: { type: 'string' },
      burst: { type: 'string' },
      length: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  return {
    json: values.json,
    quick: values.quick,
    help: values.help,
    only: values.only.flatMap((names) => names.split(',')),
    connections: numbers(values.connections, 'a number of connections', 1, 1_048_576),
    bursts: numbers(values.burst, 'a burst', 1, 256),
    length: numbers(values.length, 'a frame length', 54, 1514)?.[0],
    rounds: numbers(values.rounds, 'a number of rounds', 1, 1000)?.[0],
    seconds: numbers(values.seconds, 'a number of seconds', 0.01, 3600)?.[0],
  };
}
