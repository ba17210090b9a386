/**
 * Asks the real kernel single questions: `ask.js [options] STEP...`, see README.md here.
 *
 * @module
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCapture } from '../../src/capture/index.js';
import { summary } from '../../src/decode.js';
import type { NetworkConfig } from '../../src/types.js';
import { CAPTURES_NETWORK } from './captures-network.js';
import { networkScript } from './network.js';
import { type TimedFrame, writePcap } from './pcap.js';
import { isSpontaneous } from './spontaneous.js';
import { bootDirector, type Emitted, INTERFACES, type KernelDirector } from './uml.js';

const HELP = `usage: ask.js [options] STEP...

Boots a Linux director, sets it up, does the steps in order, and prints each frame that went in and what came out.

  --network FILE   its network as JSON (NetworkConfig); default: that of the captures' director
  --rules FILE     rules for ipvsadm -R
  --sh FILE        a shell script that is run before the first step
  --out DIR        writes what came out as DIR/cli-out.pcap and DIR/srv-out.pcap
  --hex            prints frames as hex, too

steps:
  cli=FILE.pcap    sends the frames of a capture to the interface cli; srv=FILE.pcap to srv
  cli=HEX          sends one frame
  sh=COMMAND       runs a command in the guest and prints what it says, such as sh='ipvsadm -Lnc'
  wait=MS          lets time pass, and prints what the kernel says by itself
`;

const OPTIONS = {
  network: { type: 'string' },
  rules: { type: 'string' },
  sh: { type: 'string' },
  out: { type: 'string' },
  hex: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** What came out, by interface. */
type Heard = Map<string, TimedFrame[]>;

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const text = async (file: string | undefined) => (file === undefined ? '' : readFile(file, 'utf8'));
  const network =
    values.network === undefined ? CAPTURES_NETWORK : (JSON.parse(await text(values.network)) as NetworkConfig);
  const [rules, script] = [await text(values.rules), await text(values.sh)];

  await using kernel = await bootDirector();
  await kernel.must(networkScript(network));
  if (rules !== '') await kernel.must(`ipvsadm -R <<'END'\n${rules}\nEND`);
  if (script !== '') process.stdout.write(await kernel.must(script));

  const heard: Heard = new Map(INTERFACES.map(({ name }) => [name, []]));
  for (const step of positionals) await take(kernel, step, heard, values.hex);
  if (values.out !== undefined) await write(values.out, heard);
}

async function take(kernel: KernelDirector, step: string, heard: Heard, hex: boolean): Promise<void> {
  const [, what = '', value = ''] = /^(\w+)=(.*)$/s.exec(step) ?? [];
  const show = (mark: string, name: string, data: Uint8Array) => {
    console.log(`${mark} ${name} ${summary(data)}${hex ? `\n    ${Buffer.from(data).toString('hex')}` : ''}`);
  };
  const told = (frames: readonly Emitted[]) => {
    for (const { outInterface, time, data } of frames) {
      if (isSpontaneous(data)) continue;
      show('  out', outInterface, data);
      heard.get(outInterface)?.push({ time, data });
    }
  };
  if (what === 'sh') {
    const { output, code } = await kernel.run(value);
    console.log(`$ ${value}\n${output}${code === 0 ? '' : `(code ${code})\n`}`);
  } else if (what === 'wait') {
    await new Promise((resolve) => setTimeout(resolve, Number(value)));
    told(kernel.spontaneous());
  } else if (heard.has(what)) {
    for (const frame of await framesOf(value)) {
      show('in ', what, frame);
      told(await kernel.send(what, frame));
    }
  } else throw new Error(`expected a step such as cli=FILE.pcap, got ${step}; see --help`);
}

async function framesOf(value: string): Promise<Uint8Array[]> {
  if (/^([\da-f]{2})+$/i.test(value)) return [Uint8Array.from(Buffer.from(value, 'hex'))];
  const frames: Uint8Array[] = [];
  for await (const { data } of readCapture(value)) frames.push(data.slice());
  return frames;
}

async function write(folder: string, heard: Heard): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, frames] of heard) writePcap(join(folder, `${name}-out.pcap`), frames);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
