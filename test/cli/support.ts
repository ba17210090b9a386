/**
 * What the tests of the commands share: streams that are kept, folders that go away, and a recorded scenario as the
 * files that a user would have.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import { runCommand } from '../../src/cli/commands.js';
import type { Io } from '../../src/cli/io.js';

/** Folder of the recorded scenarios. */
export const KERNEL = join(import.meta.dirname, '../fixtures/kernel');

/** What a command said, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process. */
export async function run(...argv: string[]): Promise<Ran> {
  return runWith({}, ...argv);
}

/** The same with other streams. */
export async function runWith(given: Partial<Io>, ...argv: string[]): Promise<Ran> {
  let out = '';
  let err = '';
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    color: false,
    interactive: false,
    stop: new AbortController().signal,
    ...given,
  };
  const code = await runCommand(argv, io);
  return { code, out, err };
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new folder that is removed after the tests of the file. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-'));
  folders.push(folder);
  return folder;
}

interface Host {
  interfaces: { name: string; mac: string; mtu: number; addrs: string[] }[];
  routes: Record<string, unknown>[];
  neighbours: Record<string, unknown>[];
}

/** The network file of a recorded scenario, in the words of `ip -j`. */
export function networkJson(scenario: string): string {
  const file = readFileSync(join(KERNEL, scenario, 'scenario.json'), 'utf8');
  const host = (JSON.parse(file) as { topology: { director: Host } }).topology.director;
  const addr = host.interfaces.map(({ name, mac, mtu, addrs }) => ({
    ifname: name,
    link_type: name === 'lo' ? 'loopback' : 'ether',
    address: mac,
    flags: ['UP'],
    mtu,
    addr_info: addrs.map((one) => ({
      family: one.includes(':') ? 'inet6' : 'inet',
      local: one.split('/')[0],
      prefixlen: Number(one.split('/')[1]),
    })),
  }));
  return JSON.stringify({ addr, route: host.routes, neigh: host.neighbours }, null, 1);
}

/** The words of a command line that replays a recorded scenario, and where its files lie. */
export function scenarioWords(scenario: string): { folder: string; words: string[] } {
  const folder = scratch();
  const network = join(folder, 'net.json');
  writeFileSync(network, networkJson(scenario));
  const from = join(KERNEL, scenario);
  const words = ['-i', `cli=${join(from, 'cli-in.pcap')}`, '-i', `srv=${join(from, 'srv-in.pcap')}`];
  return { folder, words: [...words, '--rules', join(from, 'rules.txt'), '--network', network] };
}

/** The frames of a capture as hexadecimal. */
export async function framesOf(file: string): Promise<string[]> {
  const frames: string[] = [];
  for await (const { data } of readCapture(file)) frames.push(Buffer.from(data).toString('hex'));
  return frames;
}

/** A capture of a scenario, by name without ending. */
export const kernel = (scenario: string, name: string) => join(KERNEL, scenario, `${name}.pcap`);
