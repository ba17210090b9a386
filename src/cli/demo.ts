/**
 * `ipvs-wasm demo`: a capture that was recorded around a real Linux director goes through its rules, and everything that can
 * be told about it is told: fates, connections, services, one packet's way and its answer's, and whether the kernel sent the same.
 *
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatEndpoint } from '../address.js';
import { summary as summaryOf } from '../decode.js';
import { Director } from '../director.js';
import type { PacketWalk } from '../explain.js';
import { reasonName } from '../reasons.js';
import { listConnections, listServices } from '../rules/listings.js';
import { surroundings } from '../scenario/commands.js';
import { compareFrames, type SentFrame, type SentPacket } from '../scenario/compare.js';
import { applyEvent } from '../scenario/events.js';
import { HostAnswers } from '../scenario/host.js';
import { loadScenario, type Scenario } from '../scenario/load.js';
import { Choices } from '../scenario/masks.js';
import type { NetworkConfig } from '../types.js';
import { fullNatScenario, Readdressed } from './demo-fullnat.js';
import { explainNumber } from './explain.js';
import { hopsText } from './hops.js';
import { Inputs } from './inputs.js';
import { CliError, type Io, usageError } from './io.js';
import { type CommandSpec, helpText, parseOptions } from './options.js';
import { type Output, openOutputs, readFiles } from './outputs.js';
import { rewrite } from './rewrite.js';
import { type LoopFrame, wholeMillis } from './rewrite-loop.js';
import { parseCount } from './setup.js';
import { type Style, styleOf } from './style.js';
import { counted, summaryText } from './summary.js';
import { walkText } from './walk-text.js';

const SPEC: CommandSpec = {
  name: 'demo',
  summary: 'rewrite a recorded capture and show everything',
  usage: ['[OPTIONS]'],
  options: [
    { name: 'mode', short: 'm', value: 'MODE', help: 'nat (default), dr, tun or fullnat' },
    { name: 'outfile', short: 'o', value: 'FILE', help: 'pcapng to write (default out/MODE.pcapng)' },
    { name: 'packet', short: 'p', value: 'N', help: 'packet to explain (default 1)' },
  ],
  notes: `The capture is that of a SCENARIO in test/fixtures/kernel of the repository,
nat-tcp, dr-tcp or tun-ipip: real endpoints, recorded on both sides of a Linux
6.1 director. Linux has no FullNAT: fullnat has the clients' frames of nat-tcp,
and its servers' answers with the local address for the client's and with the
numbers that the director gave; what it sends is held to the kernel's NAT.

Exit codes: 0 our output equals the kernel's; 1 it does not; 2 wrong options.`,
};

const FOLDER = fileURLToPath(new URL('../../test/fixtures/kernel', import.meta.url));
/** What is shown of each mode. */
const MODES: Readonly<
  Record<string, { readonly scenario: string; readonly title: string; readonly isFullNat?: true }>
> = {
  nat: { scenario: 'nat-tcp', title: 'NAT' },
  dr: { scenario: 'dr-tcp', title: 'DR' },
  tun: { scenario: 'tun-ipip', title: 'TUN' },
  fullnat: { scenario: 'nat-tcp', title: 'FullNAT', isFullNat: true },
};
const SIDES = ['cli', 'srv'] as const;
/** What of FullNAT's demo was not recorded. */
const READDRESSED = `  Linux has no FullNAT. Clients and servers were recorded around its NAT; the
  servers' answers are readdressed here: to the local address and port, with
  what they acknowledge shifted as the director shifted the client's numbers.
  Clients must get what NAT sent them. What servers get is compared with the
  client's address, port and numbers put back.

`;

/** Runs `demo` with the words after it, on a scenario in `all`; gives the exit code. */
export async function demoCommand(argv: readonly string[], io: Io, all: string = FOLDER): Promise<number> {
  const options = parseOptions(SPEC, argv);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  const word = options.get('mode') ?? 'nat';
  const mode = Object.hasOwn(MODES, word) ? MODES[word]! : undefined;
  if (mode === undefined) throw usageError(`--mode takes ${Object.keys(MODES).join(', ')}, not '${word}'`);
  const folder = join(all, mode.scenario);
  if (!existsSync(folder)) throw new CliError(2, 'the demo needs the captures of the repository (test/fixtures)');
  const file = options.get('outfile') ?? join('out', `${word}.pcapng`);
  const packet = parseCount('packet', options.get('packet') ?? '1', 1, Number.MAX_SAFE_INTEGER);
  const style = styleOf(io.color);
  const recorded = await loadScenario(folder);
  const scenario = mode.isFullNat ? fullNatScenario(recorded) : recorded;
  const { network } = scenario;
  const readdressed = mode.isFullNat && new Readdressed(directorOf(scenario), scenario);
  const files = SIDES.map((side) => join(folder, `${side}-in.pcap`));
  mkdirSync(dirname(file), { recursive: true });
  if (readdressed) {
    files[1] = join(dirname(file), 'fullnat-srv-in.pcap');
    await readdressed.write(files[1]);
  }
  const words = SIDES.map((side, i) => `${side}=${files[i]}`);

  const walk = await explainNumber(directorOf(scenario), await Inputs.open(words, network), packet);

  const director = directorOf(scenario);
  const inputs = await Inputs.open(words, network);
  const outputs = openOutputs([file], network, readFiles(inputs), director.burst.bytes, {
    onlyOut: false,
    format: 'pcapng',
  });
  const sent = new SentFrames(network.interfaces.map(({ name }) => name));
  const { summary } = await rewrite(director, inputs, [...outputs, sent], { stop: io.stop });
  const now = sent.now;

  io.out(heading(style, `A recorded capture through ${mode.title} rules`));
  SIDES.forEach((side, i) => {
    io.out(`  ${side}-in.pcap  ${String(inputs.packets[i]).padStart(3)} packets received on ${side}\n`);
  });
  if (readdressed) io.out('  those of srv were recorded by NAT: see the end\n');
  for (const { text } of scenario.events) io.out(`  ${style.dim(text)}\n`);
  io.out(heading(style, 'Packets'));
  io.out(summaryText({ ...summary, outputs: [] }));
  io.out(heading(style, 'Connections', 'ipvsadm -Lnc'));
  io.out(listConnections(director.connections(now)));
  io.out(heading(style, 'Services', 'ipvsadm -Ln --stats'));
  io.out(listServices(director.services(), { stats: true }));
  io.out(heading(style, `Packet ${packet} explained`));
  io.out(walkText(walk, style));
  io.out(heading(style, 'Hop by hop', `${mode.title}; a star marks what the hop before changed`));
  io.out(hopsOf(walk, packet, sent, network, style));
  io.out(heading(style, "Held to the kernel's own output"));
  if (readdressed) io.out(READDRESSED);
  const equal = compare(scenario, sent, readdressed || undefined, io, style);
  io.out(`\nwrote ${file}: ${summary.outputs[0]!.packets} packets, offered and sent, with reasons\n`);
  io.out(style.dim(`  wireshark -Y 'frame.packet_id == ${packet}' ${file}\n`));
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

/** The hops of packet `number`, or of the last one before it that the client sent, and of the answer that came next. */
function hopsOf(walk: PacketWalk, number: number, sent: SentFrames, network: NetworkConfig, style: Style): string {
  const { connection } = walk;
  if (connection === undefined) return '  the packet is of no connection\n';
  const { clientAddress, clientPort, virtualAddress, virtualPort, destAddress, destPort } = connection;
  const client = formatEndpoint(clientAddress, clientPort);
  const virtual = formatEndpoint(virtualAddress, virtualPort);
  const dest = formatEndpoint(destAddress, destPort);
  const { localAddress = clientAddress, localPort = clientPort } = connection;
  const local = formatEndpoint(localAddress, localPort);
  const asks = sent.of('srv').findLast(({ cause }) => cause.frame <= number && isFrom(cause.data, client, virtual));
  if (asks === undefined) return '  nothing of its connection was sent to a server\n';
  const answers = sent.of('cli').find(({ cause }) => cause.frame > asks.cause.frame && isFrom(cause.data, dest, local));
  const request = { offered: asks.cause.data, sent: asks.data, in: 'cli', out: 'srv' };
  const reply = answers && { offered: answers.cause.data, sent: answers.data, in: 'srv', out: 'cli' };
  return hopsText(network, connection, request, reply, style);
}

function isFrom(frame: Uint8Array, source: string, destination: string): boolean {
  return summaryOf(frame).startsWith(`${source} > ${destination} `);
}

/** Prints one line a side, and the first differences; true when all frames are equal. */
function compare(
  scenario: Scenario,
  sent: SentFrames,
  readdressed: Readdressed | undefined,
  io: Io,
  style: Style,
): boolean {
  const host = new HostAnswers([], scenario.addresses, scenario.macs);
  const choices = new Choices();
  let equal = true;
  for (const side of SIDES) {
    const expected = scenario.captures[`${side}-out`];
    const frames = sent.of(side);
    const ours =
      readdressed && side === 'srv' ? frames.map((one) => ({ ...one, data: readdressed.asNat(one.data) })) : frames;
    const { matched, masked, differences } = compareFrames(`${side}-out`, expected, ours, host, choices);
    const whole = matched === expected.length && differences.length === 0;
    equal &&= whole;
    const ids = [...masked.values()].reduce((sum, count) => sum + count, 0);
    const but = ids === 0 ? '' : `, but for ${counted(ids, 'ID')} that a host chooses`;
    const count = `${matched} of ${expected.length} frames equal, byte for byte, in order${but}`;
    const line = `${side}-out  ${whole && matched === 0 ? 'nothing, as from the kernel' : count}`;
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
