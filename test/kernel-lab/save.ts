/**
 * Writes a recording as a scenario folder for `ipvs-wasm verify`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InterfaceConfig } from '../../src/types.js';
import type { Recording } from './case.js';
import { type TimedFrame, writePcap } from './pcap.js';

const CAPTURES = ['cli-in', 'cli-out', 'srv-in', 'srv-out'] as const;

/** Writes it below `folder`, which is made. */
export function saveScenario(folder: string, description: string, recording: Recording): void {
  const { network, setup, done } = recording;
  const captures: Record<(typeof CAPTURES)[number], TimedFrame[]> = {
    'cli-in': [],
    'cli-out': [],
    'srv-in': [],
    'srv-out': [],
  };
  const events: object[] = [];
  for (const { time, step, emitted } of [...setup, ...done]) {
    if (step.kind === 'frame') captures[`${step.inInterface}-in`].push({ time, data: step.frame });
    else if (step.kind === 'command') events.push({ t_ns: time, kind: 'cmd', ns: 'director', cmd: step.text });
    else if (step.kind === 'sysctl') events.push({ t_ns: time, kind: 'sysctl', ns: 'director', set: step.text });
    for (const { outInterface, time: at, data } of emitted) {
      captures[outInterface === 'cli' ? 'cli-out' : 'srv-out'].push({ time: at, data });
    }
  }
  mkdirSync(folder, { recursive: true });
  for (const name of CAPTURES) writePcap(join(folder, `${name}.pcap`), captures[name]);
  const scenario = {
    description,
    captures: Object.fromEntries(CAPTURES.map((name) => [name, { packets: captures[name].length }])),
    topology: {
      director: {
        interfaces: network.interfaces.map(interfaceOf),
        routes: network.routes ?? [],
        neighbours: network.neighbours ?? [],
      },
    },
    events,
  };
  // Times in ns have more digits than a number holds.
  const text = JSON.stringify(scenario, (_, value) => (typeof value === 'bigint' ? `ns${value}` : value), 1);
  writeFileSync(join(folder, 'scenario.json'), `${text.replace(/"ns(\d+)"/g, '$1')}\n`);
}

function interfaceOf({ name, mac = '00:00:00:00:00:00', mtu = 1500, addresses = [] }: InterfaceConfig): object {
  return { name, mac, mtu, addrs: addresses };
}
