/**
 * What a rewriting did, counted: for people and as JSON.
 *
 * @module
 */
import { REASONS, reasonCode, reasonText, type VerdictName } from '../reasons.js';
import { wrap } from './options.js';
import { grouped } from './progress.js';
import type { RewriteLoop } from './rewrite-loop.js';

/** A line of the summary: so many frames had this fate. */
export interface FateCount {
  readonly verdict: VerdictName;
  readonly reason: string;
  readonly packets: number;
}

/** The summary of a rewriting; the JSON of `--json` is this. */
export interface RewriteSummary {
  readonly packets: { readonly in: number; readonly out: number; readonly bytesIn: number; readonly cut: number };
  /** Frames offered, by fate. */
  readonly fates: readonly FateCount[];
  /** Frames that the director made. */
  readonly made: readonly FateCount[];
  /** Connections at the end. */
  readonly connections: number;
  readonly inputs: readonly { readonly file: string; readonly packets: number }[];
  readonly outputs: readonly { readonly file: string; readonly packets: number }[];
  /** Where and why captures ended before their end, joined by `; `; `null`: all were whole. */
  readonly damage: string | null;
  /** An interrupt ended it early. */
  readonly interrupted: boolean;
}

/** Counts by reason, the verdicts in the order of the documentation. */
export function countFates(counts: RewriteLoop['reasons']): FateCount[] {
  return REASONS.map(({ verdict, name }) => ({ verdict, reason: name, packets: counts[reasonCode(name)] ?? 0 })).filter(
    ({ packets }) => packets > 0,
  );
}

/** The summary for people, at most 80 columns. */
export function summaryText(summary: RewriteSummary): string {
  const { packets, fates, made, connections, outputs } = summary;
  const left = `${grouped(packets.out)} out, ${counted(connections, 'connection')}`;
  let text = `${counted(packets.in, 'packet')} in, ${left}\n\n`;
  text += fateTable(fates);
  if (made.length > 0) text += `\nmade by the director\n${fateTable(made)}`;
  if (packets.cut > 0) text += `\ncut off by the capture (snap length): ${counted(packets.cut, 'packet')}\n`;
  if (outputs.length > 0) {
    text += '\n';
    for (const { file, packets: count } of outputs) text += `wrote ${file}: ${counted(count, 'packet')}\n`;
  }
  return text;
}

/** `1 packet`, `1,000 packets`. */
export function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** One line a fate: packets, verdict, reason and the reason's sentence. */
function fateTable(fates: readonly FateCount[]): string {
  const width = Math.max(...fates.map(({ packets }) => grouped(packets).length), 7);
  let text = '';
  for (const { verdict, reason, packets } of fates) {
    const left = `${grouped(packets).padStart(width)}  ${verdict.padEnd(7)}  ${reason.padEnd(20)}  `;
    const found = REASONS.find(({ name }) => name === reason);
    const lines = wrap(found === undefined ? '' : reasonText(found.name), 80 - left.length);
    text += `${lines.map((line, i) => (i === 0 ? left : ' '.repeat(left.length)) + line).join('\n')}\n`;
  }
  return text;
}
