/**
 * Real frames and picks: what stands in test/fixtures/kernel.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const KERNEL = fileURLToPath(new URL('../fixtures/kernel/', import.meta.url));

/** Names of all scenarios. */
export function scenarioNames(): string[] {
  return readdirSync(KERNEL).filter((name) => !name.includes('.'));
}

/** The frames of a capture in a scenario's folder: `frames('nat-tcp', 'cli-in')`. */
export function frames(scenario: string, capture: string): Uint8Array[] {
  const file = readFileSync(`${KERNEL}${scenario}/${capture}.pcap`);
  const found: Uint8Array[] = [];
  for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) {
    found.push(new Uint8Array(file.subarray(at + 16, at + 16 + file.readUInt32LE(at + 8))));
  }
  return found;
}

/** One injected packet of a scheduler scenario, and the server that the kernel picked for it. */
export interface Pick {
  t_ns: bigint;
  src: string;
  sport: number;
  dst: string;
  dport: number;
  /** Control bits as letters: `S`, `A`, … */
  what: string;
  /** 1, 2, 3, or null for none. */
  rs: number | null;
}

/** JSON whose times have more digits than a number holds. */
function parse(text: string): unknown {
  return JSON.parse(text.replace(/"t_ns":\s*(\d+)/g, '"t_ns": "$1"'), (key, value) =>
    key === 't_ns' ? BigInt(value) : value,
  );
}

export function picks(scenario: string): Pick[] {
  return parse(readFileSync(`${KERNEL}${scenario}/picks.json`, 'utf8')) as Pick[];
}
