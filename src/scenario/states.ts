/**
 * The states of `states.txt`: what a connection was after each packet. The packets are those of the scenario's notes, in
 * order; a state was looked at before the next event.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { StateLook } from './listings.js';

const FILE = 'states.txt';

/** @throws {IpvsError} `BAD_INPUT` for a line whose packet has no note */
export function stateLooks(text: string, events: readonly Record<string, unknown>[]): StateLook[] {
  const looks: StateLook[] = [];
  let at = -1;
  let clientPort = 0;
  const look = (line: string, expected: string): void => {
    const next = events[at + 1];
    if (next === undefined) throw new IpvsError('BAD_INPUT', `${FILE}: nothing comes after the packet of: ${line}`);
    looks.push({ time: BigInt(String(next.t_ns)) - 1n, file: FILE, line, clientPort, expected });
  };
  for (const line of text.split('\n')) {
    const [, port] = /^# port (\d+):/.exec(line) ?? [];
    if (port !== undefined) clientPort = Number(port);
    const [, counts] = /^ +server row now: (.*)$/.exec(line) ?? [];
    if (counts !== undefined) look(line, counts);
    const [, sender, flags, tcpState] = /^([cs])\[(\w*) *\] +-> (.*)$/.exec(line) ?? [];
    const [, ownPort, chunk, sctpState] = /^port (\d+) (.*?) +-> (.*)$/.exec(line) ?? [];
    const expected = tcpState ?? sctpState;
    if (expected === undefined) continue;
    if (ownPort !== undefined) clientPort = Number(ownPort);
    const note = chunk ?? `port ${clientPort} ${sender === 'c' ? 'client' : 'server'} [${flags}]`;
    const found = events.findIndex(({ kind, text: words }, i) => i > at && kind === 'note' && words === note);
    if (found < 0) throw new IpvsError('BAD_INPUT', `${FILE}: there is no note of the packet: ${line}`);
    at = found;
    look(line, expected);
  }
  return looks;
}
