/**
 * The captures that come out: `-o FILE`, `-o NAME=FILE`, as pcap (what left) or pcapng (with the fate of each packet).
 *
 * @module
 */
import { FileSink } from '../capture/file-sink.js';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../capture/link-type.js';
import { PcapngWriter } from '../capture/pcapng-writer.js';
import type { PacketOptions } from '../capture/writer.js';
import { isEthernet } from '../explain/routes.js';
import { reasonName, reasonText, verdictName } from '../reasons.js';
import type { InterfaceConfig, NetworkConfig } from '../types.js';
import { fileIdentity } from './file-identity.js';
import { checkName, type FileWord, splitWord } from './inputs.js';
import { CliError, usageError } from './io.js';
import { ResidentPcapWriter } from './resident-writer.js';
import type { FrameSink, LoopFrame } from './rewrite-loop.js';

const CHUNK = 1 << 20;
const PCAP_NAME = /\.(pcap|cap|dmp)$/i;
const PCAPNG_NAME = /\.(pcapng|ntar)$/i;
const PACKED_NAME = /\.(gz|zst|lz4|xz|bz2|zip)$/i;

/** How the outputs are to be written. */
export interface OutputOptions {
  /** Format of all outputs; by default each file's name tells. */
  readonly format?: 'pcap' | 'pcapng';
  /** Only what left, also in pcapng. */
  readonly onlyOut: boolean;
}

/** A capture that is written. */
export interface Output extends FrameSink {
  readonly file: string;
  /** Packets written. */
  packets: number;
  /** Writes what is still held and closes the file. */
  close(): void;
}

/** A file that is read, and as what: it must not be overwritten. */
export interface ReadFile {
  readonly file: string;
  /** `an input`, `the rules`, … */
  readonly what: string;
}

/** The captures of `-i` as files that are read. */
export function readFiles({ files }: { readonly files: readonly string[] }): ReadFile[] {
  return files.map((file) => ({ file, what: 'an input' }));
}

/** Opens the outputs of `-o`, once none of them is one of those that are read; `memory` is the director's. */
export function openOutputs(
  words: readonly string[],
  network: NetworkConfig,
  read: readonly ReadFile[],
  memory: Uint8Array,
  options: OutputOptions,
): Output[] {
  if (words.length === 0) throw usageError('-o FILE is needed (FILE.pcapng, FILE.pcap, NAME=FILE, or - )');
  const files = words.map(splitWord);
  for (const word of files) {
    checkName(word, network);
    const packed = PACKED_NAME.exec(word.file)?.[0];
    if (packed !== undefined) throw usageError(`${word.file}: captures are not packed here, leave out ${packed}`);
    const vlan = network.interfaces.find((one) => one.name === word.name)?.vlan;
    if (vlan !== undefined) {
      throw usageError(`-o ${word.name}=${word.file}: frames of a VLAN leave by ${vlan.parent}, with their tag`);
    }
  }
  refuseClashes(files, read);
  return files.map((word) => {
    const sent = sendingInterfaces(network, word);
    if (formatOf(word.file, options) === 'pcapng') return new PcapngOutput(word, network, sent, options);
    return new PcapOutput(word, sent, memory);
  });
}

/** One file under two names would be overwritten while it is read, or by two writers at once. */
function refuseClashes(files: readonly FileWord[], read: readonly ReadFile[]): void {
  const taken = new Map<string, string>();
  for (const { file, what } of read) {
    const identity = fileIdentity(file, 0);
    if (identity !== undefined) taken.set(identity, `is ${what}, it cannot be an output too`);
  }
  const names = new Set<string>();
  for (const { file } of files) {
    const identity = fileIdentity(file, 1);
    const clash = names.has(file) ? 'is named twice as an output' : taken.get(identity ?? '');
    if (clash !== undefined) throw usageError(`${file === '-' ? 'standard output' : file} ${clash}`);
    names.add(file);
    if (identity !== undefined) taken.set(identity, 'is named twice as an output');
  }
}

/** One sink for several. */
export class Tee implements FrameSink {
  readonly wantsOffered: boolean;
  readonly #sinks: readonly FrameSink[];

  constructor(sinks: readonly FrameSink[]) {
    this.#sinks = sinks;
    this.wantsOffered = sinks.some((sink) => sink.wantsOffered);
  }

  offered(frame: LoopFrame): void {
    for (const sink of this.#sinks) if (sink.wantsOffered) sink.offered(frame);
  }

  left(frame: LoopFrame): void {
    for (const sink of this.#sinks) sink.left(frame);
  }

  settle(): void {
    for (const sink of this.#sinks) sink.settle();
  }
}

/** For each of the director's interfaces, the one on whose wire its frames leave (a VLAN's is its parent); -1: not in this file. */
interface Sending {
  readonly interfaces: readonly InterfaceConfig[];
  /** Index into `interfaces` for each interface of the network. */
  readonly index: Int32Array;
}

function sendingInterfaces(network: NetworkConfig, word: FileWord): Sending {
  const wires = network.interfaces.filter(
    (one) =>
      one.vlan === undefined &&
      (one.kind === 'raw' || isEthernet(one)) &&
      (word.name === undefined || one.name === word.name),
  );
  const index = network.interfaces.map((one) =>
    wires.findIndex((wire) => wire.name === one.name || wire.name === one.vlan?.parent),
  );
  return { interfaces: wires, index: Int32Array.from(index) };
}

/** Classic pcap: what left. */
class PcapOutput implements Output {
  readonly wantsOffered = false;
  readonly file: string;
  packets = 0;
  readonly #writer: ResidentPcapWriter;
  readonly #sink: FileSink;
  readonly #index: Int32Array;

  constructor({ file, name }: FileWord, { interfaces, index }: Sending, memory: Uint8Array) {
    this.file = file;
    this.#index = index;
    const linkTypes = new Set(interfaces.map(linkTypeOf));
    if (linkTypes.size > 1) {
      throw usageError(
        `-o ${file}: interfaces of several link types do not fit in one pcap: use pcapng or -o NAME=FILE`,
      );
    }
    if (linkTypes.size === 0) throw usageError(`-o ${name}=${file}: nothing leaves by ${name}`);
    this.#sink = new FileSink(file);
    this.#writer = new ResidentPcapWriter(this.#sink.write, memory, { chunkLength: CHUNK });
    for (const linkType of linkTypes) this.#writer.addInterface({ linkType });
  }

  offered(): void {}

  left(frame: LoopFrame): void {
    if (this.#index[frame.out]! < 0) return;
    const { seconds, nanoseconds, start, end } = frame;
    if (seconds > 0xffffffff)
      throw new CliError(1, `${this.file}: the time of packet ${frame.packet} does not fit in a pcap, write pcapng`);
    this.packets++;
    if (frame.resident) this.#writer.writeInPlace(seconds, nanoseconds, start, end);
    else this.#writer.write(seconds, nanoseconds, frame.bytes, start, end);
  }

  settle(): void {
    this.#writer.endRun();
  }

  close(): void {
    try {
      this.#writer.endRun();
      this.#writer.flushSync();
    } finally {
      this.#sink.close();
    }
  }
}

/** pcapng: every frame that was offered with its fate, and what left because of it, under one packet id. */
class PcapngOutput implements Output {
  readonly wantsOffered: boolean;
  readonly file: string;
  packets = 0;
  readonly #writer: PcapngWriter;
  readonly #sink: FileSink;
  readonly #sending: Sending;
  readonly #names: readonly string[];
  /** Comments by verdict, reason and out interface; there are few. */
  readonly #comments = new Map<number, string[]>();
  readonly #options: PacketOptions = {};

  constructor({ file }: FileWord, network: NetworkConfig, sending: Sending, { onlyOut }: OutputOptions) {
    this.file = file;
    this.wantsOffered = !onlyOut;
    this.#sending = sending;
    this.#names = network.interfaces.map(({ name }) => name);
    this.#sink = new FileSink(file);
    this.#writer = new PcapngWriter(this.#sink.write, { chunkLength: CHUNK });
    for (const one of sending.interfaces) this.#writer.addInterface({ name: one.name, linkType: linkTypeOf(one) });
  }

  offered(frame: LoopFrame): void {
    this.#write(frame, frame.in, 'inbound');
  }

  left(frame: LoopFrame): void {
    this.#write(frame, frame.out, 'outbound');
  }

  settle(): void {}

  #write(frame: LoopFrame, interfaceIndex: number, direction: 'inbound' | 'outbound'): void {
    const index = this.#sending.index[interfaceIndex]!;
    if (index < 0) return;
    const options = this.#options;
    options.direction = direction;
    options.packetId = frame.packet;
    options.comments = this.#commentsOf(frame);
    this.packets++;
    const { seconds, nanoseconds, bytes, start, end, originalLength } = frame;
    this.#writer.write(seconds, nanoseconds, bytes, start, end, originalLength, index, options);
  }

  #commentsOf({ verdict, reason, out, in: received }: LoopFrame): string[] {
    const made = received < 0;
    const key = (((out + 1) * 256 + reason) * 16 + verdict) * 2 + (made ? 1 : 0);
    let comments = this.#comments.get(key);
    if (comments === undefined) {
      comments = [commentOf(verdict, reason)];
      if (out >= 0) comments.push(`out ${this.#names[out]}`);
      if (made) comments.push('made by the director');
      this.#comments.set(key, comments);
    }
    return comments;
  }

  close(): void {
    try {
      this.#writer.flushSync();
    } finally {
      this.#sink.close();
    }
  }
}

/** `verdict forward, reason nat-in: client to server: …`. */
function commentOf(verdict: number, reason: number): string {
  const name = reasonName(reason);
  const text = name === undefined ? '' : `, reason ${name}: ${reasonText(name)}`;
  return `verdict ${verdictName(verdict) ?? verdict}${text}`;
}

function linkTypeOf(one: InterfaceConfig): number {
  return isEthernet(one) ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
}

/** Whether the name of an output says in which format it is meant; that of no plain file need not. */
export function tellsFormat(file: string): boolean {
  return file === '-' || file.startsWith('/dev/') || PCAP_NAME.test(file) || PCAPNG_NAME.test(file);
}

function formatOf(file: string, { format }: OutputOptions): 'pcap' | 'pcapng' {
  return format ?? (PCAP_NAME.test(file) ? 'pcap' : 'pcapng');
}
