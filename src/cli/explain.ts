/**
 * `ipvs-wasm explain`: one packet's way through the director, and why.
 *
 * @module
 */
import type { Director } from '../director.js';
import { explainPacket, type PacketWalk } from '../explain.js';
import { Inputs } from './inputs.js';
import { CliError, type Io } from './io.js';
import { Marks } from './marks.js';
import { type CommandSpec, helpText, parseOptions } from './options.js';
import { wholeMillis } from './rewrite-loop.js';
import { parseCount, SETUP_OPTIONS, setUp } from './setup.js';
import { styleOf } from './style.js';
import { counted } from './summary.js';
import { walkText } from './walk-text.js';

const SPEC: CommandSpec = {
  name: 'explain',
  summary: "one packet's way through the director, and why",
  usage: [
    '-i NAME=FILE... --packet N --rules FILE --network FILE [OPTIONS]',
    '-i NAME=FILE... --packet N --from STATE [OPTIONS]',
  ],
  options: [
    {
      name: 'infile',
      short: 'i',
      value: 'NAME=FILE',
      multiple: true,
      help: 'capture received on interface NAME; several are merged by time; - is standard input',
    },
    {
      name: 'packet',
      short: 'p',
      value: 'N',
      help: "the packet's number, from 1, in the capture; with several, over all by time",
    },
    ...SETUP_OPTIONS,
    { name: 'json', help: 'print JSON' },
  ],
  notes: `The packets before it are replayed, so that the connections are those that it met.
The number is also the packet id (frame.packet_id) in what 'rewrite' writes.
Packets that a pcapng marks as outbound, as 'rewrite' marks what left, were sent
by the host: they are not counted.
Of a damaged capture the packets before the damage count, as for 'rewrite'.

Exit codes: 0 well; 1 there is no such packet, or a capture is damaged before
it; 2 wrong options, rules or network, or a file that cannot be read;
70 a defect of ipvs-wasm.

Example:
  ipvs-wasm explain -i cli=cli.pcap --packet 5 --rules rules.txt \\
    --network net.json`,
};

/**
 * Runs `explain` with the words after it; gives the exit code.
 *
 * @throws {CliError} for wrong words, {@link IpvsError} for rules, the network and damaged captures
 */
export async function explainCommand(argv: readonly string[], io: Io): Promise<number> {
  const options = parseOptions(SPEC, argv);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  const number = parseCount('packet', options.need('packet'), 1, Number.MAX_SAFE_INTEGER);
  const director = setUp(options, io);
  const marks = new Marks(options.all('mark'), director.network);
  const inputs = await Inputs.open(options.all('infile'), director.network);
  const walk = await explainNumber(director, inputs, number, marks);
  if (options.has('json')) io.out(`${walkJson(walk, number)}\n`);
  else {
    const time = new Date(walk.now).toISOString().replace('T', ' ').replace('Z', ' UTC');
    io.out(`packet ${number}, received on ${walk.inInterface} at ${time}\n\n`);
    io.out(walkText(walk, styleOf(io.color)));
  }
  // Others went on after it, up to the packet.
  const { damages } = inputs.merger;
  for (const { message } of damages) io.err(`ipvs-wasm: ${message}\n`);
  return damages.length === 0 ? 0 : 1;
}

/**
 * Replays the packets before number `wanted` and explains that one; closes the inputs.
 *
 * @param marks firewall marks of what is received
 * @throws {CliError} exit code 1 when there are fewer packets, {@link CaptureError} when a capture is damaged then
 */
export async function explainNumber(
  director: Director,
  inputs: Inputs,
  wanted: number,
  marks?: Marks,
): Promise<PacketWalk> {
  const { merger } = inputs;
  let number = 0;
  try {
    do {
      while (merger.next()) {
        const index = inputs.interfaceIndex();
        if (index < 0) continue;
        const { name } = director.network.interfaces[index]!;
        const { scanner } = merger;
        const now = wholeMillis(scanner.seconds, scanner.nanoseconds);
        const notes = { mark: marks?.of(scanner.data, 0, scanner.data.length, index) ?? 0 };
        if (++number === wanted) return explainPacket(director, scanner.data, name, now, notes);
        director.send(scanner.data, name, now, notes);
      }
    } while (await merger.fill());
  } finally {
    await merger.close();
  }
  const sent = inputs.sent === 0 ? '' : `, without ${counted(inputs.sent, 'outbound packet')}, which the host sent`;
  throw new CliError(1, `there is no packet ${wanted}: there ${number === 1 ? 'is 1' : `are ${number}`}${sent}`);
}

/** The walk as JSON; frames as hexadecimal. */
function walkJson(walk: PacketWalk, number: number): string {
  const hex = (_: string, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value);
  return JSON.stringify({ packet: number, ...walk }, hex, 2);
}
