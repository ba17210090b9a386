/**
 * Holds the ends of tunnels to those of a real kernel, in both directions, kind by kind: what was inside must come out whole.
 *
 * @module
 */
import { bootDirector, type KernelDirector } from '../uml.js';
import { COMBINATIONS, nameOf } from './combinations.js';
import { beBareRouter, beDirector, beRouter, DEVICES, fromDevice, fromDirector } from './from-kernel.js';
import { beServer, toKernel } from './to-kernel.js';

class Results {
  passed = 0;
  failed = 0;

  add(name: string, wrong: readonly string[]): void {
    const isWhole = wrong.length === 0;
    if (isWhole) this.passed++;
    else this.failed++;
    console.log([`${isWhole ? 'passed' : 'FAILED'}  ${name}`, ...wrong.map((line) => `    ${line}`)].join('\n'));
  }
}

async function run(kernel: KernelDirector): Promise<Results> {
  const results = new Results();
  await beServer(kernel);
  for (const one of COMBINATIONS) {
    results.add(`ours to the kernel's device: ${nameOf(one)}`, await toKernel(kernel, one, false));
    const name = `ours to the kernel's device: ${nameOf(one)}, checksums left to the card`;
    results.add(name, await toKernel(kernel, one, true));
  }
  await beDirector(kernel);
  for (const one of COMBINATIONS)
    results.add(`the kernel's IPVS to ours: ${nameOf(one)}`, await fromDirector(kernel, one));
  await beBareRouter(kernel);
  for (const one of DEVICES) {
    await beRouter(kernel, one);
    results.add(`the kernel's device to ours: ${one.name}`, await fromDevice(kernel, one));
  }
  return results;
}

try {
  await using kernel = await bootDirector();
  const { passed, failed } = await run(kernel);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
