import type { Director } from '../../src/director.js';
import { explainPacket } from '../../src/explain.js';
import type { FrameNotes } from '../../src/types.js';

/** What was found from INPUT, or FORWARD, on, as `looked: found`, and the reason. */
export function linesOf(
  director: Director,
  frame: Uint8Array,
  wire: string,
  now: number,
  notes: FrameNotes = {},
): string[] {
  const { steps, fate } = explainPacket(director, frame, wire, now, notes);
  const first = steps.findIndex(({ hook }) => hook === 'INPUT' || hook === 'FORWARD');
  const lines = steps.slice(first).flatMap((step) => step.lines.map(({ looked, found }) => `${looked}: ${found}`));
  return [...lines, fate.reason];
}
