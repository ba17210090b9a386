/**
 * Recordings of the kernel lab made by hand: what the "kernel" sent is what the core sends, until a test changes it.
 *
 * @module
 */
import { Director } from '../../src/director.js';
import { Player } from '../../src/scenario/replay.js';
import type { Change, Done, KernelTables, Recording, Step } from '../kernel-lab/case.js';
import { eventOf } from '../kernel-lab/case.js';
import type { Emitted } from '../kernel-lab/uml.js';
import { NETWORK, SERVERS, VIP } from '../support/lab.js';

/** Time of the first step, ns. */
export const START = 1_700_000_000_000_000_000n;
export const MS = 1_000_000n;
/** Of the kernel that made the captures. */
export const RELEASE = '6.1.192';

export const SETUP: readonly Change[] = [
  `ipvsadm -A -t ${VIP}:80 -s rr`,
  `ipvsadm -a -t ${VIP}:80 -r ${SERVERS[0]}:8080 -m`,
  `ipvsadm -a -t ${VIP}:80 -r ${SERVERS[1]}:80 -g`,
].map((text) => ({ kind: 'command', text }));

/** A frame as a step. */
export function step(inInterface: 'cli' | 'srv', frame: Uint8Array): Step {
  return { kind: 'frame', inInterface, frame, label: 'test' };
}

/** The recording of these steps, 10 ms apart, and its tables. */
export function recorded(steps: readonly Step[], setup: readonly Change[] = SETUP): Recording {
  using director = Director.createSync({ network: NETWORK, seed: 0n });
  const player = new Player(NETWORK, director);
  for (const change of setup) player.event(eventOf(change, START, 0));
  const done = steps.map((each, i): Done => {
    const time = START + BigInt(i + 1) * 10n * MS;
    if (each.kind === 'look') return { time, step: each, emitted: [], tables: tablesOf(director, time) };
    if (each.kind !== 'frame') return { time, step: each, emitted: [] };
    const outcomes = player.input(`${each.inInterface}-in`, { number: i + 1, time, data: each.frame });
    const emitted = outcomes.flatMap(({ outInterface, frame }): Emitted[] =>
      outInterface === undefined ? [] : [{ outInterface, time: time + MS, data: frame }],
    );
    return { time, step: each, emitted };
  });
  return {
    release: RELEASE,
    network: NETWORK,
    setup: setup.map((change) => ({ time: START, step: change, emitted: [] })),
    done,
    tables: tablesOf(director, START + BigInt(steps.length + 1) * 10n * MS),
  };
}

/** What a kernel with the core's connections and counts would print below `/proc/net`. */
export function tablesOf(director: Director, from: bigint): KernelTables {
  const services = director.services().flatMap((one) => {
    const name = one.protocol === undefined ? '' : `${one.protocol.toUpperCase()}  ${end(one.address, one.port)}`;
    const dests = one.dests.map(
      ({ address, port, weight, activeConnections: active, inactiveConnections: inactive }) =>
        `  -> ${end(address, port)}      Masq    ${weight}      ${active}          ${inactive}`,
    );
    return [`${name} ${one.scheduler}  `, ...dests];
  });
  const connections = director.connections(Number(from / MS)).map((one) => {
    const ends = [
      end(one.clientAddress, one.clientPort),
      end(one.virtualAddress, one.virtualPort),
      end(one.destAddress, one.destPort),
    ];
    const words = ends.join(' ').replaceAll(':', ' ');
    return `${one.protocol.toUpperCase()} ${words} ${one.state} ${Math.floor(one.expires)}`;
  });
  const heads = ['IP Virtual Server version 1.2.1 (size=4096)', 'Prot LocalAddress:Port Scheduler Flags'];
  return { from, to: from + 10n * MS, text: [...heads, ...services, 'Pro FromIP', ...connections, ''].join('\n') };
}

function end(address: string, port: number): string {
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = address.split('.').map((byte) => hex(Number(byte), 2));
  return `${bytes.join('')}:${hex(port, 4)}`;
}

/** The recording with what the kernel sent at a step changed. */
export function withEmitted(
  recording: Recording,
  index: number,
  change: (emitted: readonly Emitted[]) => readonly Emitted[],
): Recording {
  const done = recording.done.map((one, i) => (i === index ? { ...one, emitted: change(one.emitted) } : one));
  return { ...recording, done };
}

/** A frame that left. */
export function out(outInterface: string, data: Uint8Array, time = START + 15n * MS): Emitted {
  return { outInterface, time, data };
}
