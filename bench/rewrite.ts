/**
 * `node build/bench/rewrite.js`: the command `rewrite` against tcprewrite, on a capture of a million small frames.
 *
 * Both read the same pcap and write one: ours through the whole director (connections, states, checksums, MACs), tcprewrite
 * by patching addresses and ports. They take turns; wall time and the most memory that was resident.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ACK_FLAG, SYN_FLAG } from './frames.js';
import { median } from './harness.js';
import { describeMachine, ROOT } from './machine.js';
import { CLI, frameOf, ROUTER, SERVICE_PORT, SRV, VIP } from './scenario.js';

const FLOWS = 10_000;
const FRAME = 60;
const SERVER = { address: '10.1.0.11', port: 8080, lladdr: '02:00:00:00:01:11' };
const RECORD = 16;
const CHUNK = 8192;

/** A run of a program. */
interface Run {
  seconds: number;
  /** Bytes; `undefined` where /proc does not tell. */
  memory: number | undefined;
}

/** Writes a nanosecond-free, little-endian pcap: every flow's SYN, then data of the flows in turn. */
function writeCapture(path: string, frames: number): void {
  const file = openSync(path, 'w');
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  writeSync(file, head);
  const chunk = Buffer.alloc((RECORD + FRAME) * CHUNK);
  for (let first = 0; first < frames; first += CHUNK) {
    const count = Math.min(CHUNK, frames - first);
    for (let i = 0; i < count; i++) {
      const n = first + i;
      const at = i * (RECORD + FRAME);
      const flags = n < FLOWS ? SYN_FLAG : ACK_FLAG;
      // 100,000 packets a second
      chunk.writeUInt32LE(1_700_000_000 + Math.floor(n / 100_000), at);
      chunk.writeUInt32LE((n % 100_000) * 10, at + 4);
      chunk.writeUInt32LE(FRAME, at + 8);
      chunk.writeUInt32LE(FRAME, at + 12);
      chunk.set(frameOf('nat-in', n % FLOWS, { flags, payload: 6 }).frame, at + RECORD);
    }
    writeSync(file, chunk, 0, count * (RECORD + FRAME));
  }
  closeSync(file);
}

/** Number of records of a little-endian pcap, and the destination of the last one's IP packet. */
function readCapture(path: string): { records: number; destination: string } {
  const bytes = readFileSync(path);
  let records = 0;
  let last = 24;
  for (let at = 24; at < bytes.length; at += RECORD + bytes.readUInt32LE(at + 8)) {
    last = at;
    records++;
  }
  const ip = last + RECORD + 14;
  return { records, destination: `${bytes.subarray(ip + 16, ip + 20).join('.')}:${bytes.readUInt16BE(ip + 22)}` };
}

function residentPeak(pid: number): number | undefined {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]) * 1024;
  } catch {
    return undefined;
  }
}

async function run(command: string, args: string[]): Promise<Run> {
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let messages = '';
  child.stderr.on('data', (text) => {
    messages += text;
  });
  let done = false;
  let seconds = 0;
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      done = true;
      seconds = (performance.now() - start) / 1000;
      resolve(code);
    });
  });
  let memory: number | undefined;
  while (!done) {
    // the high-water mark only grows: the last look before the end has it but for the last moments
    memory = residentPeak(child.pid!) ?? memory;
    await Promise.race([ended, sleep(20)]);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${messages}`);
  return { seconds, memory };
}

const NETWORK_JSON = {
  addr: [CLI, SRV].map(({ name, mac, addresses }, i) => ({
    ifindex: i + 1,
    ifname: name,
    flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
    mtu: 1500,
    link_type: 'ether',
    address: mac,
    addr_info: addresses.map((text) => {
      const [local, prefixlen] = text.split('/');
      return { family: text.includes(':') ? 'inet6' : 'inet', local, prefixlen: Number(prefixlen), scope: 'global' };
    }),
  })),
  route: [{ dst: '172.16.0.0/12', gateway: ROUTER.dst, dev: ROUTER.dev }],
  neigh: [ROUTER, { dst: SERVER.address, dev: SRV.name, lladdr: SERVER.lladdr }].map((one) => ({
    ...one,
    state: ['PERMANENT'],
  })),
};

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? 'unknown' : `${(bytes / 1e6).toFixed(0)} MB`;
}

async function compare(folder: string, frames: number, rounds: number, json: boolean): Promise<void> {
  const capture = join(folder, 'in.pcap');
  writeCapture(capture, frames);
  const rules = join(folder, 'rules.txt');
  const network = join(folder, 'network.json');
  const service = `${VIP}:${SERVICE_PORT}`;
  writeFileSync(rules, `-A -t ${service} -s rr\n-a -t ${service} -r ${SERVER.address}:${SERVER.port} -m -w 1\n`);
  writeFileSync(network, JSON.stringify(NETWORK_JSON));
  const program = join(ROOT, 'dist', 'cli', 'main.js');
  const out = { ours: join(folder, 'ours.pcap'), theirs: join(folder, 'theirs.pcap') };
  const words = ['rewrite', '-i', `cli=${capture}`, '--rules', rules, '--network', network, '-o', out.ours, '--quiet'];
  const change = [`--dstipmap=${VIP}/32:${SERVER.address}/32`, `--portmap=${SERVICE_PORT}:${SERVER.port}`, '--fixcsum'];
  const theirWords = [...change, '-i', capture, '-o', out.theirs];
  const rival = spawnSync('tcprewrite', ['--version']).error === undefined;

  const ours: Run[] = [];
  const theirs: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await run(process.execPath, [program, ...words]));
    if (rival) theirs.push(await run('tcprewrite', theirWords));
  }
  for (const path of rival ? [out.ours, out.theirs] : [out.ours]) {
    const { records, destination } = readCapture(path);
    if (records !== frames || destination !== `${SERVER.address}:${SERVER.port}`) {
      throw new Error(`${path}: expected ${frames} frames to the server, got ${records}, the last to ${destination}`);
    }
  }

  const figures = (runs: Run[]) => ({
    seconds: median(runs.map(({ seconds }) => seconds)),
    memory: Math.max(...runs.map(({ memory }) => memory ?? 0)) || undefined,
    rounds: runs.map(({ seconds }) => seconds),
  });
  const result = {
    frames,
    bytes: statSync(capture).size,
    ours: figures(ours),
    tcprewrite: rival ? figures(theirs) : undefined,
  };
  const machine = describeMachine();
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, ...result }, undefined, 2)}\n`);
    return;
  }
  const line = (name: string, { seconds, memory, rounds: all }: ReturnType<typeof figures>): string =>
    `  ${name.padEnd(18)}${seconds.toFixed(2)} s  ${megabytes(memory).padStart(7)}   (${all.map((one) => one.toFixed(2)).join(' ')})\n`;
  const { cpu, cores, node, commit, date } = machine;
  process.stdout.write(`ipvs-wasm ${commit}, ${date}, Node ${node}; ${cpu}, ${cores} cores\n`);
  process.stdout.write(
    `rewrite of ${frames.toLocaleString('en')} frames of ${FRAME} bytes, ${megabytes(result.bytes)}, ${FLOWS} flows; median of ${rounds}, most memory\n`,
  );
  process.stdout.write(line('ipvs-wasm', result.ours));
  if (result.tcprewrite === undefined) process.stdout.write('  tcprewrite        not installed\n');
  else {
    process.stdout.write(line('tcprewrite', result.tcprewrite));
    process.stdout.write(`  ratio             ${(result.ours.seconds / result.tcprewrite.seconds).toFixed(2)}\n`);
  }
}

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-rewrite-'));
try {
  await compare(folder, Number(values.frames), Number(values.rounds), values.json);
} finally {
  rmSync(folder, { recursive: true });
}
