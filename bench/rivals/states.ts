/**
 * The TCP state machine of IPVS for the rivals in JavaScript: INPUT, OUTPUT, INPUT-ONLY; events SYN, FIN, ACK, RST.
 *
 * @module
 */

export const INPUT = 0;
export const OUTPUT = 1;
export const INPUT_ONLY = 2;

const NAMES = ['NO', 'ES', 'SS', 'SR', 'FW', 'TW', 'CL', 'CW', 'LA', 'LI', 'SA'];
const CLOSE = 6;

// columns as NAMES
const ROWS = [
  'SR ES ES SR SR SR SR SR SR SR SR',
  'CL CW SS TW TW TW CL CW LA LI TW',
  'ES ES SS ES FW TW CL CW CL LI ES',
  'CL CL CL SR CL CL CL CL LA LI SR',
  'SS ES SS SR SS SS SS SS SS LI SR',
  'TW FW SS TW FW TW CL TW LA LI TW',
  'ES ES SS ES FW TW CL CW LA ES ES',
  'CL CL SS CL CL TW CL CL CL CL CL',
  'SR ES ES SR SR SR SR SR SR SR SR',
  'CL FW SS TW FW TW CL CW LA LI TW',
  'ES ES SS ES FW TW CL CW CL LI ES',
  'CL CL CL SR CL CL CL CL LA LI CL',
];

const RST_EVENT = 3;
const STATES = 16;

/** Next state at ((direction × 4 + event) × 16 + state). */
const transitions = new Uint8Array(ROWS.length * STATES);
for (const [row, text] of ROWS.entries()) {
  for (const [state, name] of text.split(' ').entries()) transitions[row * STATES + state] = NAMES.indexOf(name);
}

/** Milliseconds a connection lives on in each state. */
export const TIMEOUTS: Int32Array = Int32Array.of(
  ...[2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120, 300].map((seconds) => seconds * 1000),
);

/** Event of each value of the six flag bits, -1 for none: RST, SYN, FIN, ACK, first match. */
const events = new Int8Array(64);
for (let flags = 0; flags < events.length; flags++) {
  events[flags] = flags & 4 ? RST_EVENT : flags & 2 ? 0 : flags & 1 ? 1 : flags & 16 ? 2 : -1;
}

/** Next TCP state after a segment with these flags. */
export function tcpNext(direction: number, state: number, flags: number): number {
  const event = events[flags & 63]!;
  return event < 0 ? CLOSE : transitions[(direction * 4 + event) * STATES + state]!;
}

/** ESTABLISHED, SYN_SENT, SYN_RECV and SYN_ACK count as active. */
export function isActive(state: number): boolean {
  return state === 1 || state === 2 || state === 3 || state === 10;
}
