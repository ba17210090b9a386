/**
 * The captures that go in: `-i NAME=FILE`, and which interface each packet was received on.
 *
 * @module
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { CaptureError } from '../capture/capture-error.js';
import { linkKind, linkTypeText } from '../capture/link-type.js';
import { CaptureMerger } from '../capture/merge.js';
import { PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS } from '../capture/pcap-reader.js';
import { MAX_SECONDS } from '../capture/pcapng-time.js';
import type { CaptureScanner, PacketAnnotations } from '../capture/scanner.js';
import { isEthernet } from '../explain/routes.js';
import type { Burst } from '../index.js';
import type { NetworkConfig } from '../types.js';
import { usageError } from './io.js';

/** `NAME=FILE` or `FILE`, of `-i` and `-o`. */
export interface FileWord {
  /** Interface that the file belongs to; absent when the word does not say. */
  readonly name: string | undefined;
  readonly file: string;
}

/** Splits `NAME=FILE`; a word whose first part is a path names no interface. */
export function splitWord(word: string): FileWord {
  const match = /^([^/=]+)=(.+)$/.exec(word);
  return match === null ? { name: undefined, file: word } : { name: match[1]!, file: match[2]! };
}

/** Checks that the interface of a word exists. */
export function checkName({ name, file }: FileWord, network: NetworkConfig): void {
  if (name === undefined || network.interfaces.some((one) => one.name === name)) return;
  const names = network.interfaces.map((one) => one.name).join(', ');
  throw usageError(`${name}=${file}: the network has no interface ${name}, it has ${names}`);
}

/** Bytes of a capture that are looked at together: at least its largest record. */
export const WINDOW = 1 << 19;

/** Captures merged by time, each packet with the director's interface that received it. */
export class Inputs {
  readonly merger: CaptureMerger;
  /** Bytes of all files, 0 when not known (a pipe). */
  readonly size: number;
  readonly files: readonly string[];
  /** Packets left out because their capture says that the host sent them. */
  sent = 0;
  /** Packets of each file. */
  readonly packets: number[];
  /** Where each file's window lies in the director's memory, -1 for one that lies elsewhere. */
  readonly windows: readonly number[];

  readonly #network: NetworkConfig;
  /** Director's interface per interface of the merged captures. */
  readonly #indexes: number[] = [];
  readonly #done: number[];
  /** Director's interface of the packet that `start` stopped at. */
  #first: number | undefined;

  private constructor(
    merger: CaptureMerger,
    files: readonly string[],
    network: NetworkConfig,
    windows: readonly number[],
  ) {
    this.merger = merger;
    this.windows = windows;
    this.files = files;
    this.#network = network;
    this.packets = files.map(() => 0);
    this.#done = files.map(() => 0);
    const sizes = files.map((file) => (file === '-' ? 0 : statSync(file).size));
    this.size = sizes.includes(0) ? 0 : sizes.reduce((sum, size) => sum + size, 0);
  }

  /**
   * Opens the captures of `-i`.
   *
   * @param burst with it, captures are read into the director's memory where that can be
   */
  static async open(words: readonly string[], network: NetworkConfig, burst?: Burst): Promise<Inputs> {
    if (words.length === 0) throw usageError('-i NAME=FILE is needed, NAME being an interface of the network');
    const windows: number[] = [];
    const captures = words.map(splitWord).map((word) => {
      checkName(word, network);
      const stem = basename(word.file).replace(/\..*$/, '');
      const found = network.interfaces.find((one) => one.name === (word.name ?? stem));
      const resident = burst !== undefined && found !== undefined && isEthernet(found) && isPcap(word.file);
      const window = resident ? burst.hold(WINDOW) : -1;
      windows.push(window);
      return {
        source: word.file,
        ...(found !== undefined && { name: found.name }),
        ...(resident && { window: burst.bytes.subarray(window, window + WINDOW) }),
      };
    });
    if (captures.filter(({ source }) => source === '-').length > 1) throw usageError('-i - can be given once');
    const files = captures.map(({ source }) => source);
    return new Inputs(await CaptureMerger.open(captures), files, network, windows);
  }

  /** Bytes read so far, about. */
  get done(): number {
    this.#done[this.merger.input] = this.merger.scanner.offset;
    return this.#done.reduce((sum, done) => sum + done, 0);
  }

  /** The scanner of a lone classic capture: nothing is to be merged, and all its packets have one interface. */
  get lone(): CaptureScanner | undefined {
    const { scanner } = this.merger;
    return this.files.length === 1 && scanner.format === 'pcap' ? scanner : undefined;
  }

  /**
   * Reads up to the first packet: what is wrong with the captures as they begin is found before anything is written.
   *
   * @returns false when there is no packet at all, because of damage; then nothing is to be written
   */
  async start(stop?: AbortSignal): Promise<boolean> {
    try {
      do {
        while (this.#first === undefined && this.merger.next()) {
          const index = this.interfaceIndex();
          if (index >= 0) this.#first = index;
        }
      } while (this.#first === undefined && (await this.fill(stop)));
    } catch (error) {
      if (!(error instanceof CaptureError)) {
        await this.merger.close();
        throw error;
      }
    }
    return this.#first !== undefined || this.merger.damages.length === 0;
  }

  /** Goes on to the next packet, as the merger does. */
  next(): boolean {
    return this.#first !== undefined || this.merger.next();
  }

  /** Reads more; false at the end, or at once when the user asked to stop. Errors as the merger's. */
  async fill(stop?: AbortSignal): Promise<boolean> {
    if (stop?.aborted === true) return false;
    const filled = this.merger.fill();
    if (stop === undefined) return filled;
    let wake = () => {};
    const stopped = new Promise<false>((resolve) => {
      wake = () => resolve(false);
      stop.addEventListener('abort', wake, { once: true });
    });
    try {
      return await Promise.race([filled, stopped]);
    } finally {
      stop.removeEventListener('abort', wake);
    }
  }

  /** Index of the director's interface for the packet that `next` found; -1 to leave the packet out. Asked once for each. */
  interfaceIndex(): number {
    if (this.#first !== undefined) {
      const first = this.#first;
      this.#first = undefined;
      return first;
    }
    const { merger } = this;
    const { scanner } = merger;
    if (scanner.format === 'pcapng') {
      let direction: PacketAnnotations['direction'];
      try {
        direction = scanner.annotations().direction;
      } catch (error) {
        merger.endDamaged(error);
        return -1;
      }
      // Whatever interface the host sent it on: that one need not be of the network.
      if (direction === 'outbound') {
        this.sent++;
        return -1;
      }
    }
    if (!(scanner.seconds >= 0 && scanner.seconds < MAX_SECONDS)) {
      const detail = 'the time is before 1970 or after 2554, which the director and the outputs cannot hold';
      merger.endDamaged(scanner.packetError(detail));
      return -1;
    }
    const index = this.#indexes[merger.interfaceIndex] ?? this.#resolve(merger.interfaceIndex);
    this.packets[merger.input]!++;
    return index;
  }

  /** The director's interface of that name, or the only one that it can be. */
  #resolve(merged: number): number {
    const { name, linkType } = this.merger.interfaces[merged]!;
    const { scanner } = this.merger;
    const { interfaces } = this.#network;
    const up = interfaces.filter((one) => isEthernet(one) && one.up !== false);
    const found = interfaces.find((one) => one.name === name) ?? (up.length === 1 ? up[0] : undefined);
    const file = this.files[this.merger.input]!;
    const where = `${file}: packet ${scanner.number}`;
    if (found === undefined) {
      const names = up.map((one) => one.name).join(', ');
      throw usageError(
        `${where}${scanner.format === 'pcap' ? '' : `, interface ${name}`}: which interface received it? ` +
          `Say NAME=${file}, NAME being one of ${names}`,
      );
    }
    const kind = isEthernet(found) ? 'ether' : 'raw';
    if (linkKind(linkType) !== kind) {
      const starts = kind === 'ether' ? 'an Ethernet header' : 'the IP header';
      throw usageError(
        `${where}: link type ${linkTypeText(linkType)}, but frames of interface ${found.name} start with ${starts}`,
      );
    }
    const index = interfaces.indexOf(found);
    this.#indexes[merged] = index;
    return index;
  }
}

/** Whether a file is a plain classic capture; only its records are small enough for a window that cannot grow. */
function isPcap(file: string): boolean {
  if (file === '-' || !statSync(file).isFile()) return false;
  const magic = new DataView(new ArrayBuffer(4));
  const fd = openSync(file, 'r');
  readSync(fd, magic, 0, 4, 0);
  closeSync(fd);
  const kinds = [PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS];
  return kinds.includes(magic.getUint32(0, true)) || kinds.includes(magic.getUint32(0));
}
