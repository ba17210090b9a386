/**
 * A packet's walk as text for people, 80 columns.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { Fate, FieldChange, PacketWalk } from '../explain.js';
import { wrap } from './options.js';
import type { Style } from './style.js';

const COLUMNS = 80;
const LEFT = 13;

/** Prints a walk; each part has its name on the left. */
export function walkText(walk: PacketWalk, style: Style): string {
  const parts: string[] = [];
  const part = (name: string, lines: readonly string[], paint = style.bold): void => {
    const broken = lines.flatMap((line) => hang(line, COLUMNS - LEFT));
    broken.forEach((line, i) => {
      parts.push((i === 0 ? paint(name.padEnd(LEFT - 1)) : ' '.repeat(LEFT - 1)) + (line === '' ? '' : ` ${line}`));
    });
  };

  part('offered', [walk.offered]);
  part('way', [wayText(walk)], style.dim);
  for (const { hook, lines } of walk.steps) {
    part(hook, lines.length === 0 ? ['nothing to do'] : lines.map(({ looked, found }) => `${looked}: ${found}`));
  }
  const { fate, connection } = walk;
  part('verdict', fateLines(fate), fate.verdict === 'drop' ? style.bad : style.good);
  if (connection !== undefined) {
    const { protocol, method, state, expires, opened } = connection;
    const ends = [
      formatEndpoint(connection.clientAddress, connection.clientPort),
      formatEndpoint(connection.virtualAddress, connection.virtualPort),
      formatEndpoint(connection.destAddress, connection.destPort),
    ];
    part('connection', [
      `${protocol.toUpperCase()} ${ends.join(' > ')}`,
      `${method}, ${state}, expires in ${Math.round(expires)} s${opened ? ', opened by this packet' : ''}`,
    ]);
  }
  part('changed', walk.changes.length === 0 ? ['nothing'] : changeLines(walk.changes));
  for (const made of walk.made) part('made', [made.summary, ...fateLines(made)]);
  return `${parts.join('\n')}\n`;
}

function wayText({ inInterface, steps, fate }: PacketWalk): string {
  const end = fate.outInterface ?? fate.verdict;
  // Of the stages between the hooks only the last one matters, when the way ends there.
  const hooks = steps.map(({ hook }) => hook).filter((hook, i) => /^[A-Z]/.test(hook) || i === steps.length - 1);
  return [inInterface, ...hooks, end].join(' > ');
}

function fateLines({ verdict, reason, text, rule, outInterface }: Fate): string[] {
  const out = outInterface === undefined ? '' : ` by ${outInterface}`;
  return [`${verdict}${out}, reason ${reason}: ${text}`, `rule: ${rule}`];
}

function changeLines(changes: readonly FieldChange[]): string[] {
  const width = Math.max(...changes.map(({ name }) => name.length));
  return changes.map(({ name, before, after }) => {
    const padded = name.padEnd(width);
    if (before === undefined) return `${padded}  ${after} (new)`;
    if (after === undefined) return `${padded}  ${before} (removed)`;
    return `${padded}  ${before} -> ${after}`;
  });
}

/** Breaks a line; what hangs over is indented. */
function hang(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const [first = '', ...rest] = wrap(line, width);
  if (rest.length === 0) return [first];
  return [first, ...wrap(rest.join(' '), width - 2).map((more) => `  ${more}`)];
}
