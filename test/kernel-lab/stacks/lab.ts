/**
 * A client and two servers with the director between them, and what has to go well.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Family } from '../../../src/address.js';
import { type CarriedClient, decodeClient } from '../../../src/toa/index.js';
import { Random } from '../random.js';
import { freePorts } from '../wires.js';
import type { Maker } from './balancer.js';
import { Client, type Files, Server } from './hosts.js';
import { Middle } from './middle.js';
import { ADDRESSES, isByProxy, isTold, type Mode, SERVER_MACS, serverSide } from './modes.js';
import { type Impairment, Switch } from './switch.js';

const MIB = 1 << 20;
/** Bytes of what many connections fetch at once: some seconds for each. */
const SMALL = 128 << 10;
/** How often connections are counted, ms. */
const COUNT_MS = 100;
/** Seconds after which the director forgets who is idle: less than any program waits. */
const IDLE_SECONDS = 1;
/** How often servers are asked whether they have heard of it, and how often at most. */
const ASK_MS = 100;
const ASKS = 50;

/** What is tried. */
export interface Trial {
  readonly maker: Maker;
  readonly mode: Mode;
  readonly family: Family;
  readonly impairment: Impairment;
  /** Of each transfer. */
  readonly mib: number;
  /** Connections at once. */
  readonly many: number;
  readonly seed: number;
}

/** Called for each thing that went well. */
export type Tell = (text: string) => void;

/** Does everything. @throws Error that says what went wrong */
export async function tryAll(trial: Trial, tell: Tell): Promise<void> {
  const { mode } = trial;
  await using lab = await Lab.open(trial);
  const parts = [() => lab.down(), () => lab.up(), () => lab.many()];
  if (lab.restarts)
    parts.push(
      () => lab.down(true),
      () => lab.up(true),
    );
  if (isTold(mode)) parts.push(() => lab.idle());
  for (const part of parts) {
    const started = performance.now();
    const text = await part();
    tell(`${text}, ${((performance.now() - started) / 1000).toFixed(1)} s; ${lab.counts()}`);
  }
  tell(await lab.log());
  tell(await lab.content());
  if (mode.service?.carry !== undefined) tell(lab.told());
  tell(lab.counters());
}

class Lab implements AsyncDisposable {
  readonly #trial: Trial;
  readonly #files: Files;
  readonly #digests: Readonly<Record<'large' | 'small', string>>;
  #ethernet!: Switch;
  #middle!: Middle;
  #client!: Client;
  readonly #servers: Server[] = [];
  /** Bytes to the client and to the servers, and what happens at how many. */
  #bytes = 0;
  #then: { at: number; act: () => void } | undefined;
  #names = 0;
  /** Connections that the client has made. */
  #connections = 0;
  /** Clients of which servers were told, by address and port. */
  readonly #told = new Map<string, CarriedClient>();

  static async open(trial: Trial): Promise<Lab> {
    const lab = new Lab(trial);
    try {
      await lab.#boot();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(trial: Trial) {
    const { mib, many, seed } = trial;
    const folder = mkdtempSync(join(tmpdir(), 'kernel-lab-files-'));
    const random = new Random(seed);
    const make = (name: string, length: number) => {
      const bytes = random.bytes(length);
      writeFileSync(join(folder, name), bytes);
      return bytes;
    };
    this.#trial = trial;
    this.#files = { folder, large: 'large', small: 'small', mib };
    const large = make('large', mib * MIB);
    const small = make('small', SMALL);
    const digest = (times: number, bytes: Uint8Array) => {
      const hash = createHash('sha256');
      for (let left = times; left > 0; left--) hash.update(bytes);
      return hash.digest('hex');
    };
    this.#digests = { large: digest(1, large), small: digest(many, small) };
  }

  async #boot(): Promise<void> {
    const { maker, mode, family, impairment, seed } = this.#trial;
    const ethernet = await Switch.open(impairment, new Random(seed + 1));
    this.#ethernet = ethernet;
    this.#middle = new Middle(ethernet, maker.make(mode, family), mode.mark ?? 0);
    const [own = 0, ...ports] = await freePorts(1 + SERVER_MACS.length);
    const heard = (frame: Uint8Array) => this.#heard(frame);
    const toServer = (frame: Uint8Array) => {
      heard(frame);
      const carried = mode.service?.carry === undefined ? undefined : decodeClient(frame);
      if (carried !== undefined) this.#told.set(`${carried.address} ${carried.port}`, carried);
    };
    const boots = [
      Client.boot(ethernet, own, mode, family, this.#files, heard).then((client) => {
        this.#client = client;
      }),
      ...ports.map(async (port, i) => {
        this.#servers.push(await Server.boot(ethernet, port, mode, family, i, this.#files, toServer));
      }),
    ];
    // Those that boot are closed, be it that another one does not.
    for (const done of await Promise.allSettled(boots)) if (done.status === 'rejected') throw done.reason;
  }

  /** Whether the director can be made anew. */
  get restarts(): boolean {
    return this.#middle.balancer.restarted !== undefined;
  }

  /** The client fetches a file. With `restart`, the director is made anew in the middle. */
  async down(restart = false): Promise<string> {
    await this.#during(restart, () => this.#client.fetch(this.#digests.large));
    return `${this.#trial.mib} MiB down${restart ? ' with a restart' : ''}`;
  }

  /** The client sends a file. */
  async up(restart = false): Promise<string> {
    const name = `${++this.#names}`;
    await this.#during(restart, () => this.#client.send(name));
    const digests = await Promise.all(this.#servers.map((server) => server.take(name)));
    const taken = digests.filter((digest) => digest !== undefined);
    if (taken.length !== 1 || taken[0] !== this.#digests.large) throw new Error('what came up is not what was sent');
    return `${this.#trial.mib} MiB up${restart ? ' with a restart' : ''}`;
  }

  /** The client has many connections at once. */
  async many(): Promise<string> {
    const { many } = this.#trial;
    this.#connections += many;
    let most = 0;
    let goesOn = true;
    const counting = async () => {
      while (goesOn) {
        most = Math.max(most, this.#middle.balancer.established());
        await setTimeout(COUNT_MS);
      }
    };
    const counted = counting();
    await this.#client.fetchMany(many, this.#digests.small).finally(() => {
      goesOn = false;
    });
    await counted;
    if (most < many) throw new Error(`expected ${many} connections at once, were ${most}`);
    return `${many} connections, ${most} at once`;
  }

  /** The client asks to send, is told to, and says no more: the director forgets both, and tells them. */
  async idle(): Promise<string> {
    this.#middle.balancer.expireAfter(IDLE_SECONDS);
    this.#connections++;
    const before = await this.#resets();
    await this.#client.idle();
    let resets = 0;
    for (let asks = 0; asks < ASKS && resets === 0; asks++) {
      await setTimeout(ASK_MS);
      resets = (await this.#resets()) - before;
    }
    if (resets !== 1) throw new Error(`expected one server to be reset, were ${resets}`);
    return 'an idle connection: a reset for the client, and one for its server';
  }

  /** How often servers found a connection reset. */
  async #resets(): Promise<number> {
    const counts = await Promise.all(this.#servers.map((server) => server.resets()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** What the servers say who asked. */
  async log(): Promise<string> {
    const { mode, family } = this.#trial;
    const { client } = ADDRESSES[family];
    const { locals } = serverSide(mode, family);
    const expected: readonly string[] = mode.answers === 'local' && !isByProxy(mode) ? locals : [client];
    for (const server of this.#servers) {
      const clients = await server.clients();
      if (clients.length === 0 || !clients.every((address) => expected.includes(address)))
        throw new Error(`a server's log has ${clients.join(', ') || 'nobody'}, not ${expected.join(', ')}`);
    }
    return `both servers' logs have ${expected.join(', ')}, and nobody else`;
  }

  /** Whether no stack found a header or a checksum wrong. */
  async content(): Promise<string> {
    const found = await Promise.all([this.#client, ...this.#servers].map((host) => host.complaints()));
    if (found.flat().length > 0)
      throw new Error(`stacks complain: ${found.map((all) => all.join(', ') || 'no').join('; ')}`);
    return 'no stack complains';
  }

  /** What servers were told of who their clients are, by whatever carries it. */
  told(): string {
    const { client } = ADDRESSES[this.#trial.family];
    const [addresses, ports] = [new Set<string>(), new Set<number>()];
    for (const { address, port } of this.#told.values()) {
      addresses.add(address);
      ports.add(port);
    }
    if ([...addresses].join(' ') !== client)
      throw new Error(`servers were told of ${[...addresses].join(', ') || 'nobody'}, not ${client}`);
    if (ports.size !== this.#connections)
      throw new Error(`servers were told of ${ports.size} connections of ${this.#connections}`);
    return `servers were told of all ${ports.size} connections of ${client}`;
  }

  /** Frames since it was asked last. */
  counts(): string {
    const { frames, lost, overtaken, duplicated } = this.#ethernet.counts();
    const odd = lost + overtaken + duplicated > 0 ? ` (${lost} lost, ${overtaken} overtaken, ${duplicated} twice)` : '';
    return `${frames} frames${odd}`;
  }

  /** What the director did. */
  counters(): string {
    const reasons = Object.entries(this.#middle.balancer.reasons()).filter(([, count]) => count > 0);
    return `the director: ${reasons.map((words) => words.join(' ')).join(', ')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#client?.close();
    this.#middle?.close();
    this.#ethernet?.close();
    rmSync(this.#files.folder, { recursive: true, force: true });
  }

  /** Does it, and if so makes the director anew when half of the file has gone by. */
  async #during<T>(restart: boolean, act: () => Promise<T>): Promise<T> {
    let restarted = false;
    this.#bytes = 0;
    const at = (this.#trial.mib * MIB) / 2;
    this.#then = restart
      ? {
          at,
          act: () => {
            this.#middle.restart();
            restarted = true;
          },
        }
      : undefined;
    this.#connections++;
    const result = await act();
    if (restart && !restarted) throw new Error('the director was not made anew');
    return result;
  }

  #heard(frame: Uint8Array): void {
    this.#bytes += frame.length;
    if (this.#then === undefined || this.#bytes < this.#then.at) return;
    const { act } = this.#then;
    this.#then = undefined;
    // The director is at work now.
    setImmediate(act);
  }
}
