/**
 * Sequence numbers of a server whose words the director made longer or shorter.
 *
 * @module
 */
import type { TcpSegment } from './packet/tcp.js';
import { sackEdges, tcpOptions } from './packet/tcp-options.js';

/** By how many bytes what the server sends has moved: one number up to a segment, another one behind it. */
export interface SequenceShift {
  /** The server's sequence number of the segment that was changed last. */
  at: number;
  before: number;
  after: number;
}

/** Whether `a` comes behind `b` (RFC 9293 §3.4). */
function isBehind(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

/**
 * A segment of the server grew by `growth` bytes. A segment that is changed again, or lies before one that was, changes
 * nothing: one of them at a time is kept.
 */
export function shifted(shift: SequenceShift | undefined, sequence: number, growth: number): SequenceShift | undefined {
  if (growth === 0) return shift;
  const { at, before, after } = shift ?? { at: 0, before: 0, after: 0 };
  if (before !== after && !isBehind(sequence, at)) return shift;
  return { at: sequence, before: after, after: after + growth };
}

/** What the server sends, as the client is to see it; `undefined` when its options cannot be read. */
export function shiftReply(segment: TcpSegment, hasAck: boolean, shift: SequenceShift): TcpSegment | undefined {
  if (hasAck && sackBlocks(segment) === undefined) return undefined;
  const by = isBehind(segment.sequence, shift.at) ? shift.after : shift.before;
  return { ...segment, sequence: (segment.sequence + by) >>> 0 };
}

/** What the client acknowledges, as the server counts it; `undefined` when its options cannot be read. */
export function shiftRequest(segment: TcpSegment, hasAck: boolean, shift: SequenceShift): TcpSegment | undefined {
  if (!hasAck) return segment;
  const blocks = sackBlocks(segment);
  if (blocks === undefined) return undefined;
  const back = (acknowledged: number): number => {
    const isAfter = isBehind((acknowledged - shift.before) >>> 0, shift.at);
    return (acknowledged - (isAfter ? shift.after : shift.before)) >>> 0;
  };
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  for (const at of blocks) view.setUint32(at, back(view.getUint32(at)));
  return { ...segment, acknowledgment: back(segment.acknowledgment), rest };
}

/** Where within `rest` the sequence numbers of selective acknowledgments stand; `undefined` for malformed options. */
function sackBlocks(segment: TcpSegment): number[] | undefined {
  const { options, isWhole } = tcpOptions(segment);
  return isWhole ? sackEdges(options) : undefined;
}
