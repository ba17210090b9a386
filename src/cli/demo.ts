/**
 * `ipvs-wasm demo`: a capture that was recorded around a real Linux director goes through NAT rules, and everything
 * that can be told about it is told: fates, connections, services, one packet's way, and whether the kernel sent the same.
 *
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Director } from '../director.js';
import { reasonName } from '../reasons.js';
import { listConnections, listServices } from '../rules/listings.js';
import { surroundings } from '../scenario/commands.js';
import { compareFrames, type SentFrame, type SentPacket } from '../scenario/compare.js';
import { applyEvent } from '../scenario/events.js';
import { HostAnswers } from '../scenario/host.js';
import { loadScenario, type Scenario } from '../scenario/load.js';
import { Choices } from '../scenario/masks.js';
import { explainNumber } from './explain.js';
import { Inputs } from './inputs.js';
import { CliError, type Io } from './io.js';
import { type CommandSpec, helpText, parseOptions } from './options.js';
import { type Output, openOutputs, readFiles } from './outputs.js';
import { rewrite } from './rewrite.js';
import { type LoopFrame, wholeMillis } from './rewrite-loop.js';
import { parseCount } from './setup.js';
import { type Style, styleOf } from './style.js';
import { summaryText } from './summary.js';
import { walkText } from './walk-text.js';

const SPEC: CommandSpec = {
  name: 'demo',
  summary: 'rewrite a recorded capture and show everything',
  usage: ['[OPTIONS]'],
  options: [
    { name: 'outfile', short: 'o', value: 'FILE', help: 'pcapng to write (default out/nat-tcp.pcapng)' },
    { name: 'packet', short: 'p', value: 'N', help: 'packet to explain (default 1)' },
  ],
  notes: `The capture is test/fixtures/kernel/nat-tcp of the repository: real TCP
endpoints, recorded on both sides of a Linux 6.1 director.

Exit codes: 0 our output equals the kernel's; 1 it does not; 2 wrong options.`,
};

const FOLDER = fileURLToPath(new URL('../../test/fixtures/kernel/nat-tcp', import.meta.url));
const SIDES = ['cli', 'srv'] as const;

/** Runs `demo` with the words after it, on the scenario in `folder`; gives the exit code. */
export async function demoCommand(argv: readonly string[], io: Io, folder: string = FOLDER): Promise<number> {
  const options = parseOptions(SPEC, argv);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  if (!existsSync(folder)) throw new CliError(2, 'the demo needs the captures of the repository (test/fixtures)');
  const file = options.get('outfile') ?? join('out', 'nat-tcp.pcapng');
  const packet = parseCount('packet', options.get('packet') ?? '1', 1, Number.MAX_SAFE_INTEGER);
  const style = styleOf(io.color);
  const scenario = await loadScenario(folder);
  const { network } = scenario;
  const words = SIDES.map((side) => `${side}=${join(folder, `${side}-in.pcap`)}`);

  const walk = await explainNumber(directorOf(scenario), await Inputs.open(words, network), packet);

  const director = directorOf(scenario);
  const inputs = await Inputs.open(words, network);
  mkdirSync(dirname(file), { recursive: true });
  const outputs = openOutputs([file], network, readFiles(inputs), director.burst.bytes, {
    onlyOut: false,
    format: 'pcapng',
  });
  const sent = new SentFrames(network.interfaces.map(({ name }) => name));
  const { summary } = await rewrite(director, inputs, [...outputs, sent], { stop: io.stop });
  const now = sent.now;

  io.out(heading(style, 'A recorded capture through NAT rules'));
  SIDES.forEach((side, i) => {
    io.out(`  ${side}-in.pcap  ${String(inputs.packets[i]).padStart(3)} packets received on ${side}\n`);
  });
  for (const { text } of scenario.events) io.out(`  ${style.dim(text)}\n`);
  io.out(heading(style, 'Packets'));
  io.out(summaryText({ ...summary, outputs: [] }));
  io.out(heading(style, 'Connections', 'ipvsadm -Lnc'));
  io.out(listConnections(director.connections(now)));
  io.out(heading(style, 'Services', 'ipvsadm -Ln --stats'));
  io.out(listServices(director.services(), { stats: true }));
  io.out(heading(style, `Packet ${packet} explained`));
  io.out(walkText(walk, style));
  io.out(heading(style, "Held to the kernel's own output"));
  const equal = compare(scenario, sent, io, style);
  io.out(`\nwrote ${file}: ${summary.outputs[0]!.packets} packets, offered and sent, with reasons\n`);
  io.out(style.dim(`  wireshark -Y 'frame.comment contains "nat-out"' ${file}\n`));
  return equal ? 0 : 1;
}

function heading(style: Style, title: string, command = ''): string {
  return `\n${style.bold(title)}${command === '' ? '' : ` ${style.dim(`(${command})`)}`}\n\n`;
}

function directorOf(scenario: Scenario): Director {
  const director = Director.createSync({ network: scenario.network, seed: 0n });
  const around = surroundings(scenario.network);
  for (const event of scenario.events) applyEvent(director, event, around);
  return director;
}

/** Prints one line a side, and the first differences; true when all frames are equal. */
function compare(scenario: Scenario, sent: SentFrames, io: Io, style: Style): boolean {
  const host = new HostAnswers([], scenario.addresses, scenario.macs);
  const choices = new Choices();
  let equal = true;
  for (const side of SIDES) {
    const expected = scenario.captures[`${side}-out`];
    const { matched, differences } = compareFrames(`${side}-out`, expected, sent.of(side), host, choices);
    const whole = matched === expected.length && differences.length === 0;
    equal &&= whole;
    const line = `${side}-out  ${matched} of ${expected.length} frames equal, byte for byte, in order`;
    io.out(`  ${whole ? style.good(line) : style.bad(line)}\n`);
    for (const { text } of differences.slice(0, 3)) io.out(`    ${text}\n`);
  }
  return equal;
}

/** Keeps what left, by interface. */
class SentFrames implements Output {
  readonly wantsOffered = true;
  readonly file = '';
  packets = 0;
  /** Time of the last frame that left, in milliseconds. */
  now = 0;
  readonly #names: readonly string[];
  readonly #frames = new Map<string, SentFrame[]>();
  #offered = new Uint8Array(0);
  #packet: SentPacket = { number: 0, reason: '', made: false };

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** The frames that left by an interface, in order. */
  of(name: string): readonly SentFrame[] {
    return this.#frames.get(name) ?? [];
  }

  offered({ bytes, start, end }: LoopFrame): void {
    this.#offered = bytes.slice(start, end);
  }

  settle(): void {}

  left({ bytes, start, end, seconds, nanoseconds, reason, in: received, out, packet }: LoopFrame): void {
    const time = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    const name = this.#names[out]!;
    const why = reasonName(reason)!;
    // Further pieces come behind the first one.
    if (why !== 'fragment') this.#packet = { number: this.#packet.number + 1, reason: why, made: received < 0 };
    const frame: SentFrame = {
      data: bytes.slice(start, end),
      reason: why,
      packet: this.#packet,
      cause: { capture: 'merged', frame: packet, time, data: this.#offered },
    };
    const frames = this.#frames.get(name);
    if (frames === undefined) this.#frames.set(name, [frame]);
    else frames.push(frame);
    this.packets++;
    this.now = wholeMillis(seconds, nanoseconds);
  }

  close(): void {}
}
