/**
 * `ipvs-wasm rewrite`: captures and rules in, rewritten captures out.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { familyOf } from '../address.js';
import { CaptureError } from '../capture/capture-error.js';
import type { Director } from '../director.js';
import { Inputs, splitWord, WINDOW } from './inputs.js';
import { type Io, usageError } from './io.js';
import { Marks } from './marks.js';
import { type CommandSpec, helpText, type Options, parseOptions } from './options.js';
import { type Output, openOutputs, readFiles, Tee, tellsFormat } from './outputs.js';
import { Progress } from './progress.js';
import { RewriteLoop } from './rewrite-loop.js';
import { parseCount, SETUP_OPTIONS, setUp } from './setup.js';
import { refuseOther, saveState } from './state-file.js';
import { countFates, type RewriteSummary, summaryText } from './summary.js';

const SPEC: CommandSpec = {
  name: 'rewrite',
  summary: 'captures and rules in, rewritten captures out',
  usage: [
    '-i NAME=FILE... --rules FILE --network FILE -o FILE... [OPTIONS]',
    '-i NAME=FILE... --from STATE -o FILE... [OPTIONS]',
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
      name: 'outfile',
      short: 'o',
      value: '[NAME=]FILE',
      multiple: true,
      help: 'capture to write: FILE.pcapng, FILE.pcap, - for standard output; with NAME of that interface only',
    },
    ...SETUP_OPTIONS,
    {
      name: 'state',
      value: 'FILE',
      help: "leave the director's state in FILE, in place of one there: 'ipvs-wasm ipvsadm --state FILE -Ln'",
    },
    { name: 'only-out', help: 'pcapng: only what left, not what was offered' },
    { name: 'format', short: 'F', value: 'FORMAT', help: 'pcap or pcapng, whatever the names of the files' },
    { name: 'burst', value: 'N', help: 'frames judged together, 1 to 256 (default); the result is the same' },
    { name: 'json', help: 'print the summary as JSON' },
    { name: 'quiet', short: 'q', help: 'no summary, no progress, no warnings' },
  ],
  notes: `pcap and pcapng are read, plain or gzip. NAME= may be left out when the file is
called after the interface (cli.pcap), when a pcapng names its interfaces, or when
the network has one Ethernet interface only. Packets that a pcapng marks as
outbound were sent by the host: they are left out.

A name that ends in .pcap, .cap or .dmp is written as pcap, any other as pcapng.
A pcap holds what left. A pcapng holds every frame as it was offered (inbound),
and what left because of it (outbound); comments give verdict and reason, and one
packet id joins a frame with all that it caused. In Wireshark: frame.comment,
frame.packet_id.

The same input, rules and seed always give the same bytes. A second run that goes
on from the first one's state (--state FILE, then --from FILE) does what one run
would, but for datagrams of which some fragments came before, and clients' first
data that a SYN proxy has kept: no state has these. Packets that were captured
before a state's last one are judged at that one's time.

Exit codes: 0 well; 1 a capture is damaged (everything before the damage was
processed and written, and the other captures wholly; of a damaged gzip file all
that its bytes before the damage unpack to), or a time does not fit in the output;
2 wrong options, rules or network, or a file that cannot be read or written;
70 a defect of ipvs-wasm; 130 interrupted. The output is whole up to where it ended; when damage is all that was read there is
none.

Example:
  ipvs-wasm rewrite -i cli=cli.pcap -i srv=srv.pcap --rules rules.txt \\
    --network net.json -o out.pcapng`,
};

/**
 * Runs `rewrite` with the words after it; gives the exit code.
 *
 * @throws {CliError} for wrong words, {@link IpvsError} for rules, the network and captures that do not open
 */
export async function rewriteCommand(argv: readonly string[], io: Io): Promise<number> {
  const options = parseOptions(SPEC, argv);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  const outWords = options.all('outfile');
  const toStdout = outWords.some((word) => word === '-' || word.endsWith('=-'));
  if (toStdout && options.has('json')) throw usageError('--json and -o - both want standard output');
  const burst = parseCount('burst', options.get('burst') ?? '256', 1, 256);
  const format = formatOption(options);

  const state = options.get('state');
  if (state !== undefined) refuseOther(state);
  const quiet = options.has('quiet');
  const words = options.all('infile');
  const director = setUp(options, quiet ? { err: () => {} } : io, words.length * WINDOW);
  const marks = new Marks(options.all('mark'), director.network);
  const inputs = await Inputs.open(words, director.network, canStay(director) ? director.burst : undefined);
  const read = [
    ...readFiles(inputs),
    ...options.all('rules').map((file) => ({ file, what: 'the rules' })),
    ...options.all('network').map((file) => ({ file, what: 'the network' })),
    ...[...options.all('state'), ...options.all('from')].map((file) => ({ file, what: 'the state' })),
  ];
  if (!(await inputs.start(io.stop))) return reportDamage(inputs.merger.damages, io);
  const outputs = openOutputs(outWords, director.network, read, director.burst.bytes, {
    onlyOut: options.has('only-out'),
    ...(format === undefined ? {} : { format }),
  });
  if (!quiet) noteFormats(outWords, format, io);
  if (!quiet) noteMarks(director, marks, io);
  const progress = new Progress(quiet ? { ...io, interactive: false } : io);
  const run = { burst, marks, progress, stop: io.stop };
  const { summary, damages } = await rewrite(director, inputs, outputs, run);
  if (state !== undefined) saveState(state, director);

  if (options.has('json')) io.out(`${JSON.stringify(summary, null, 2)}\n`);
  else if (!quiet) (toStdout ? io.err : io.out)(summaryText(summary));
  if (damages.length > 0) return reportDamage(damages, io);
  return summary.interrupted ? 130 : 0;
}

/** A service by firewall mark gets no packet without one. */
function noteMarks(director: Director, marks: Marks, io: Io): void {
  for (const { fwmark } of director.services()) {
    if (fwmark === undefined || marks.gives(fwmark)) continue;
    io.err(`ipvs-wasm: no --mark gives the firewall mark ${fwmark}: its service gets no packet\n`);
  }
}

function reportDamage(damages: readonly CaptureError[], io: Io): number {
  for (const { message } of damages) io.err(`ipvs-wasm: ${message}\n`);
  return 1;
}

/** A name that does not tell the format may have been meant for another one. */
function noteFormats(words: readonly string[], format: string | undefined, io: Io): void {
  if (format !== undefined) return;
  for (const { file } of words.map(splitWord)) {
    if (tellsFormat(file)) continue;
    io.err(`ipvs-wasm: ${file}: written as pcapng, as its name does not tell the format (-F does)\n`);
  }
}

function formatOption(options: Options): 'pcap' | 'pcapng' | undefined {
  const format = options.get('format');
  if (format === undefined || format === 'pcap' || format === 'pcapng') return format;
  throw usageError(`--format takes pcap or pcapng, not '${format}'`);
}

/**
 * Whether frames can be judged where they were read: none becomes longer than the record's header in front of it has room
 * for, by rules that are there or by connections of a state. Else they are copied to where there is room enough.
 */
function canStay(director: Director): boolean {
  if (director.connectionCount > 0 || director.network.ip_vs_ftp !== undefined) return false;
  return director.services().every((service) => {
    const isV6 = service.fwmark === undefined ? familyOf(service.address) === 6 : service.family === 6;
    return (
      !service.synproxy &&
      service.carry === undefined &&
      service.dests.every(({ method, address }) => method !== 'tun' && (familyOf(address) === 6) === isV6)
    );
  });
}

/** How {@link rewrite} is to run. */
export interface RewriteRun {
  readonly burst?: number;
  /** Firewall marks of what is received. */
  readonly marks?: Marks;
  readonly progress?: Progress;
  /** Set while it runs to end it early, with whole outputs. */
  readonly stop?: AbortSignal;
}

/**
 * Sends the captures through the director; closes inputs and outputs. What was read before an error is written as well.
 *
 * @returns also the damage of each capture that has some
 * @throws what the inputs throw beside damage ({@link CliError} for a packet of no known interface), and the outputs
 */
export async function rewrite(
  director: Director,
  inputs: Inputs,
  outputs: readonly Output[],
  { burst = 256, marks, progress, stop }: RewriteRun = {},
): Promise<{ summary: RewriteSummary; damages: readonly CaptureError[] }> {
  const sink = outputs.length === 1 ? outputs[0]! : new Tee(outputs);
  const loop = new RewriteLoop(director, inputs, sink, burst, marks);
  let damages: readonly CaptureError[] = inputs.merger.damages;
  const failures: unknown[] = [];
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  };
  try {
    do {
      loop.run();
      sink.settle();
      progress?.update(inputs.done, inputs.size, loop.packets);
      // Lets a signal in; reading and writing files is synchronous.
      await setImmediate();
    } while (await inputs.fill(stop));
  } catch (error) {
    if (!(error instanceof CaptureError)) failures.push(error);
    // A lone capture's scanner throws past the merger.
    else if (damages.length === 0) damages = [error];
  } finally {
    progress?.end();
  }
  const interrupted = stop?.aborted === true;
  // The end of a pipe that nobody writes to cannot be waited for.
  if (!interrupted) await attempt(() => inputs.merger.close());
  await attempt(() => loop.flush());
  for (const output of outputs) await attempt(() => output.close());
  if (failures.length > 0) throw failures[0];

  const summary: RewriteSummary = {
    packets: { in: loop.packets, out: loop.left, bytesIn: loop.bytes, cut: loop.cut },
    fates: countFates(loop.reasons),
    made: countFates(loop.made),
    connections: director.connectionCount,
    inputs: inputs.files.map((file, i) => ({ file, packets: inputs.packets[i]! })),
    outputs: outputs.map(({ file, packets }) => ({ file, packets })),
    damage: damages.length === 0 ? null : damages.map(({ message }) => message).join('; '),
    interrupted,
  };
  return { summary, damages };
}
