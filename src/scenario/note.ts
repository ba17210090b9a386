/**
 * `note.json` of a scenario folder: frames that are left out on purpose, by named rules.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IpvsError } from '../errors.js';

/** The captures of a scenario folder, without `.pcap`. */
export const CAPTURES = ['cli-in', 'srv-in', 'cli-out', 'srv-out'] as const;
/** One of them. */
export type CaptureName = (typeof CAPTURES)[number];

/** Frames of one capture that are not fed (`-in`) or not expected (`-out`). */
export interface LeftOut {
  /** Name of the rule, for the report. */
  readonly rule: string;
  /** One sentence. */
  readonly why: string;
  readonly capture: CaptureName;
  /** Numbers, from 1. */
  readonly frames: readonly number[];
}

/**
 * Reads `note.json`; a folder without one leaves nothing out.
 *
 * @throws {IpvsError} `BAD_INPUT` when it is not in the form above
 */
export async function readNote(folder: string): Promise<LeftOut[]> {
  let text: string;
  try {
    text = await readFile(join(folder, 'note.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const note = parse(text);
  if (!isRecord(note) || !Array.isArray(note.leftOut)) throw bad('expected {"leftOut": [...]}');
  for (const key of Object.keys(note)) if (key !== 'leftOut') throw bad(`unknown key '${key}'`);
  return note.leftOut.map((rule, i) => leftOut(rule, `leftOut[${i}]`));
}

function leftOut(rule: unknown, where: string): LeftOut {
  if (!isRecord(rule)) throw bad(`${where}: expected an object`);
  for (const key of Object.keys(rule)) {
    if (!['rule', 'why', 'capture', 'frames'].includes(key)) throw bad(`${where}: unknown key '${key}'`);
  }
  const capture = CAPTURES.find((name) => name === rule.capture);
  if (capture === undefined) throw bad(`${where}.capture: expected one of ${CAPTURES.join(', ')}`);
  if (!isText(rule.rule) || !isText(rule.why)) throw bad(`${where}: 'rule' and 'why' must say something`);
  const { frames } = rule;
  const valid = Array.isArray(frames) && frames.length > 0 && frames.every((n) => Number.isInteger(n) && n >= 1);
  if (!valid) throw bad(`${where}.frames: expected frame numbers, from 1`);
  return { rule: rule.rule, why: rule.why, capture, frames: frames as number[] };
}

/**
 * The frame numbers that are left out of a capture of `count` frames.
 *
 * @throws {IpvsError} `BAD_INPUT` for a frame that is not there or is left out twice
 */
export function leftOutOf(rules: readonly LeftOut[], capture: CaptureName, count: number): Set<number> {
  const numbers = new Set<number>();
  for (const rule of rules) {
    if (rule.capture !== capture) continue;
    for (const number of rule.frames) {
      if (number > count) throw bad(`rule '${rule.rule}': ${capture} has ${count} frames, no frame ${number}`);
      if (numbers.has(number)) throw bad(`${capture} frame ${number} is left out twice`);
      numbers.add(number);
    }
  }
  return numbers;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw bad((error as Error).message);
  }
}

function bad(message: string): IpvsError {
  return new IpvsError('BAD_INPUT', `note.json: ${message}`);
}
