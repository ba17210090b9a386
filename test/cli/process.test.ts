import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, copyFileSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import { KERNEL, scenarioWords } from './support.js';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
const CLI_IN = join(KERNEL, 'nat-tcp/cli-in.pcap');

/** Compiles the program where a source is newer than it. */
beforeAll(() => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const newest = Math.max(...sources.map((name) => statSync(join(ROOT, 'src', name)).mtimeMs));
  if ((statSync(MAIN, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return;
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: ROOT });
}, 120_000);

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: Buffer;
  err: string;
}

/** Runs the program as a process of its own; `talk` gets it while it runs. */
function program(argv: readonly string[], talk: (child: ReturnType<typeof spawn>) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...argv]);
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    // The program may end before it has read everything.
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, out: Buffer.concat(out), err }));
    talk(child);
  });
}

describe('the program', () => {
  const { folder, words } = scenarioWords('nat-tcp');
  const rest = words.slice(4);

  test('reads standard input, writes standard output, talks on standard error', async () => {
    const file = join(folder, 'out.pcapng');
    const direct = await program(['rewrite', '-i', `cli=${CLI_IN}`, ...rest, '-o', file], () => {});
    expect(direct).toMatchObject({ code: 0, err: '' });
    const piped = await program(['rewrite', '-i', 'cli=-', ...rest, '-o', '-'], ({ stdin }) => {
      stdin?.end(readFileSync(CLI_IN));
    });
    expect(piped.code).toBe(0);
    expect(piped.out.equals(readFileSync(file))).toBe(true);
    expect(piped.err).toMatch(/^54 packets in, 54 out, 11 connections\n/);
  });

  test('reads rules from standard input', async () => {
    const options = [...words.slice(0, 4), '--rules', '-', ...words.slice(6)];
    const ended = await program(['rewrite', ...options, '-o', join(folder, 'r.pcap'), '--json'], ({ stdin }) => {
      stdin?.end('-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.12:8080 -g\n');
    });
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(ended.out.toString())).toMatchObject({
      fates: [{ reason: 'direct-route' }, { reason: 'routed' }],
    });
    const bad = await program(['rewrite', ...options, '-o', join(folder, 'r.pcap')], ({ stdin }) => {
      stdin?.end('-A -t 10.0.0.100:80 -s best\n');
    });
    expect(bad.code).toBe(2);
    expect(bad.err).toMatch(/^ipvs-wasm: standard input:1:[^\n]*best[^\n]*\n$/);
  });

  test('is silent when its reader goes away', async () => {
    const ended = await program(['rewrite', '-i', 'cli=-', ...rest, '-o', '-', '-F', 'pcap'], ({ stdin, stdout }) => {
      stdout?.destroy();
      stdin?.end(readFileSync(CLI_IN));
    });
    expect(ended).toMatchObject({ code: 0, err: '' });
  });

  test('finishes its file when it is interrupted', async () => {
    const file = join(folder, 'interrupted.pcap');
    const whole = readFileSync(CLI_IN);
    const ended = await program(['rewrite', '-i', 'cli=-', ...rest, '-o', file, '--json'], (child) => {
      // The pipe stays open: without the signal the program would wait for more.
      child.stdin?.write(whole.subarray(0, 2000));
      const watch = setInterval(() => {
        // The output is opened once the input was.
        if (statSync(file, { throwIfNoEntry: false }) === undefined) return;
        clearInterval(watch);
        setTimeout(() => child.kill('SIGINT'), 200);
      }, 20);
    });
    expect(ended).toMatchObject({ code: 130, err: '' });
    const { packets, interrupted } = JSON.parse(ended.out.toString()) as {
      packets: { in: number; out: number };
      interrupted: boolean;
    };
    expect(interrupted).toBe(true);
    expect(packets.in).toBeGreaterThan(0);
    expect(packets.in).toBeLessThan(54);
    let frames = 0;
    for await (const _ of readCapture(file)) frames++;
    expect(frames).toBe(packets.out);
  });

  test.each(['verify', 'explain'])(
    'ends at once when %s is interrupted',
    async (command) => {
      // A capture that never comes: the program waits in it.
      const scenario = join(folder, `waiting-${command}`);
      const pipe = join(scenario, 'cli-in.pcap');
      mkdirSync(scenario);
      copyFileSync(join(KERNEL, 'nat-tcp/scenario.json'), join(scenario, 'scenario.json'));
      execFileSync('mkfifo', [pipe]);
      const argv = command === 'verify' ? [scenario] : ['-i', `cli=${pipe}`, '--packet', '1', ...rest];
      let writer: number | undefined;
      const ended = await program([command, ...argv], (child) => {
        const watch = setInterval(() => {
          try {
            writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
          } catch {
            // Nobody reads it yet.
            return;
          }
          clearInterval(watch);
          child.kill('SIGINT');
          const late = setTimeout(() => child.kill('SIGKILL'), 3000);
          child.on('close', () => clearTimeout(late));
        }, 20);
        child.on('close', () => clearInterval(watch));
      });
      if (writer !== undefined) closeSync(writer);
      expect(ended).toMatchObject({ code: null, signal: 'SIGINT', err: '' });
    },
    30_000,
  );

  test('ends with the code of its command', async () => {
    expect((await program(['nothing'], () => {})).code).toBe(2);
    expect((await program(['--version'], () => {})).out.toString()).toMatch(/^ipvs-wasm \d+\.\d+\.\d+\n$/);
  });
});
