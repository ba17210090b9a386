/**
 * What people read of a difference.
 *
 * @module
 */
import { summary } from '../../src/decode.js';
import type { Failure } from './shrink.js';

/** The case, packet by packet, with what the kernel sent, and what the core did at the end. */
export function failureText({ recording, difference }: Failure): string {
  const lines = recording.setup.map(({ step }) => `  ${step.text}`);
  for (const [i, { step, emitted }] of recording.done.entries()) {
    const last = i === difference.step;
    if (step.kind === 'pause') lines.push(`  nothing for ${step.until} ms from the start`);
    else if (step.kind === 'look') lines.push('  a look at the tables');
    else if (step.kind !== 'frame') lines.push(`  ${step.text}`);
    else
      lines.push(
        `  in  ${step.inInterface} ${summary(step.frame)} [${step.label}]${last ? ` ${hex(step.frame)}` : ''}`,
      );
    for (const { outInterface, data } of emitted) {
      lines.push(`    kernel out ${outInterface} ${summary(data)}${last ? ` ${hex(data)}` : ''}`);
    }
  }
  for (const { reason, data } of difference.sent) lines.push(`    core out (${reason}) ${summary(data)} ${hex(data)}`);
  lines.push(...difference.texts.map((text) => `  ${text}`));
  return lines.join('\n');
}

const SHOWN = 160;

function hex(data: Uint8Array): string {
  const text = Buffer.from(data.subarray(0, SHOWN)).toString('hex');
  return data.length > SHOWN ? `${text}… (${data.length} bytes)` : text;
}
