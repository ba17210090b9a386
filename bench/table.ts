/**
 * Figures as people read them.
 *
 * @module
 */
import type { Figures } from './harness.js';
import type { Machine } from './machine.js';
import type { Result } from './suite.js';

const OURS = 'ipvs-wasm';

/** The lines above all tables. */
export function header(machine: Machine): string {
  const { cpu, cores, memory, system, node, commit, date, compiler } = machine;
  return [
    `ipvs-wasm ${commit}, ${date}, Node ${node}`,
    `${cpu}, ${cores} cores, ${memory}, ${system}`,
    `native: ${compiler ? `${compiler}, -O3 -march=native` : 'no C compiler on this system, left out'}`,
    '',
    'Nanoseconds an item, median of all rounds; ± half the distance of the quartiles; ×: times ipvs-wasm’s.',
    'Every frame is copied afresh into its slot before it is judged, for all contenders alike; that, and handing over the',
    'descriptors, is measured apart and left out ("outside"). Flows come in a random order over all connections.',
    '"typed arrays" takes one packet after the other: parse, look up, rewrite. "typed arrays, staged" is the same code',
    'in the library’s stages: all packets of a burst are parsed, all are looked up, all are rewritten.',
    '',
  ].join('\n');
}

function digits(ns: number): string {
  return ns >= 1000 ? Math.round(ns).toLocaleString('en') : ns.toFixed(ns >= 100 ? 0 : ns >= 10 ? 1 : 2);
}

function ratio(figures: Figures, ours: Figures | undefined): string {
  if (ours === undefined || figures === ours) return '';
  return `${(figures.ns / ours.ns).toFixed(2)} ×`;
}

/** One task as a small table. */
export function table({ suite, task, item, figures }: Result): string {
  const ours = figures.find(({ name }) => name === OURS);
  const width = Math.max(14, ...figures.map(({ name }) => name.length + 2));
  const lines = figures.map((one) => {
    const cells = [
      `  ${one.name.padEnd(width)}`,
      digits(one.ns).padStart(9),
      `± ${one.spread.toFixed(0)} %`.padStart(8),
      ratio(one, ours).padStart(11),
      one.outside > 0 ? digits(one.outside).padStart(9) : '',
    ];
    return cells.join(' ').trimEnd();
  });
  const columns = [
    `  ${''.padEnd(width)}`,
    `ns/${item}`.padStart(9),
    ''.padStart(8),
    'ratio'.padStart(11),
    'outside'.padStart(9),
  ];
  return [`${suite}: ${task}`, columns.join(' '), ...lines, ''].join('\n');
}
