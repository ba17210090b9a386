/**
 * The options of ipvsadm 1.31 as a table, and the split of a line into them.
 *
 * ipvsadm reads its options with popt: letters may be bundled (`-At 10.0.0.1:80`), a value may follow its letter at
 * once (`-w5`), long options take `--weight 5` or `--weight=5`. Options that ipvsadm knows and this version does not
 * stand in the table with the reason, so that the error can say so instead of "unknown".
 *
 * @module
 */
import { RuleError, type RuleSource } from './error.js';

/** A command of a rule, by its long name in ipvsadm. */
export type CommandName =
  | 'add-service'
  | 'edit-service'
  | 'delete-service'
  | 'clear'
  | 'add-server'
  | 'edit-server'
  | 'delete-server'
  | 'set';

/** An option of a command, by its long name in ipvsadm. */
export type OptionName =
  | 'tcp-service'
  | 'udp-service'
  | 'sctp-service'
  | 'fwmark-service'
  | 'ipv6'
  | 'scheduler'
  | 'sched-flags'
  | 'persistent'
  | 'netmask'
  | 'pe'
  | 'ops'
  | 'real-server'
  | 'gatewaying'
  | 'masquerading'
  | 'ipip'
  | 'weight'
  | 'u-threshold'
  | 'l-threshold'
  | 'tun-type'
  | 'tun-port'
  | 'tun-nocsum'
  | 'tun-csum'
  | 'tun-remcsum';

/** A word with its 1-based column. */
export interface Word {
  readonly text: string;
  readonly column: number;
}

/** An option as it stands in a line: `shown` is how it was written, `value` its argument. */
export interface GivenOption {
  readonly name: CommandName | OptionName;
  readonly command: boolean;
  readonly shown: string;
  readonly column: number;
  readonly value: Word | undefined;
}

interface OptionSpec {
  readonly name: string;
  readonly command: boolean;
  /** `maybe`: the next word, unless that is an option. */
  readonly takesValue: boolean | 'maybe';
  /** Why this version refuses it. */
  readonly refused?: string;
}

const byLetter = new Map<string, OptionSpec>();
const byName = new Map<string, OptionSpec>();

function define(letters: string, spec: OptionSpec): void {
  for (const letter of letters) byLetter.set(letter, spec);
  byName.set(spec.name, spec);
}

function refuse(reason: string, ...options: readonly (readonly [letters: string, name: string])[]): void {
  for (const [letters, name] of options) {
    define(letters, { name, command: false, takesValue: false, refused: reason });
  }
}

const COMMANDS: readonly (readonly [string, CommandName])[] = [
  ['A', 'add-service'],
  ['E', 'edit-service'],
  ['D', 'delete-service'],
  ['C', 'clear'],
  ['a', 'add-server'],
  ['e', 'edit-server'],
  ['d', 'delete-server'],
];
for (const [letter, name] of COMMANDS) define(letter, { name, command: true, takesValue: false });
// `--set` takes three words; the parser of the command reads them all.
define('', { name: 'set', command: true, takesValue: false });

const OPTIONS: readonly (readonly [string, OptionName, boolean | 'maybe'])[] = [
  ['t', 'tcp-service', true],
  ['u', 'udp-service', true],
  ['', 'sctp-service', true],
  ['f', 'fwmark-service', true],
  ['6', 'ipv6', false],
  ['s', 'scheduler', true],
  ['b', 'sched-flags', true],
  ['p', 'persistent', 'maybe'],
  ['M', 'netmask', true],
  ['', 'pe', true],
  ['o', 'ops', false],
  ['r', 'real-server', true],
  ['g', 'gatewaying', false],
  ['m', 'masquerading', false],
  ['i', 'ipip', false],
  ['w', 'weight', true],
  ['x', 'u-threshold', true],
  ['y', 'l-threshold', true],
  ['', 'tun-type', true],
  ['', 'tun-port', true],
  ['', 'tun-nocsum', false],
  ['', 'tun-csum', false],
  ['', 'tun-remcsum', false],
];
for (const [letter, name, takesValue] of OPTIONS) define(letter, { name, command: false, takesValue });

refuse(
  'connection synchronisation is not handled by this version',
  ['', 'start-daemon'],
  ['', 'stop-daemon'],
  ['', 'mcast-interface'],
  ['', 'mcast-group'],
  ['', 'mcast-port'],
  ['', 'mcast-ttl'],
  ['', 'syncid'],
  ['', 'sync-maxlen'],
);
refuse(
  'not a rule: listing, saving, restoring and zeroing are not handled here',
  ['Ll', 'list'],
  ['S', 'save'],
  ['R', 'restore'],
  ['Z', 'zero'],
  ['h', 'help'],
  ['v', 'version'],
  ['n', 'numeric'],
  ['c', 'connection'],
  ['X', 'exact'],
  ['', 'timeout'],
  ['', 'daemon'],
  ['', 'stats'],
  ['', 'rate'],
  ['', 'thresholds'],
  ['', 'persistent-conn'],
  ['', 'tun-info'],
  ['', 'nosort'],
  ['', 'sort'],
);

/** Splits a line on blanks; `#` starts a comment wherever it stands, as in `ipvsadm -R`. */
export function splitWords(line: string): Word[] {
  const words: Word[] = [];
  const comment = line.indexOf('#');
  for (const match of (comment < 0 ? line : line.slice(0, comment)).matchAll(/\S+/g)) {
    words.push({ text: match[0], column: match.index + 1 });
  }
  return words;
}

/** What a line says: its options in order, and the words that are neither options nor their values. */
export interface SplitLine {
  readonly options: readonly GivenOption[];
  readonly rest: readonly Word[];
}

/**
 * Reads the words of one line as options.
 *
 * @throws RuleError for an option that is unknown, not handled by this version, or lacks its value.
 */
export function splitOptions(words: readonly Word[], at: RuleSource): SplitLine {
  const options: GivenOption[] = [];
  const rest: Word[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word.text === '-' || !word.text.startsWith('-')) {
      rest.push(word);
      continue;
    }
    for (const { spec, shown, column, inline } of optionsOf(word, at)) {
      if (spec.refused !== undefined) throw new RuleError(at.file, at.line, column, `${shown}: ${spec.refused}`);
      const next = words[index + 1];
      const takesNext = spec.takesValue === 'maybe' ? next?.text.startsWith('-') === false : spec.takesValue;
      const value = inline ?? (takesNext ? next : undefined);
      if (value === next && takesNext) index++;
      if (spec.takesValue === true && (value === undefined || value.text === '')) {
        throw new RuleError(at.file, at.line, column, `${shown}: expected a value, got nothing`);
      }
      if (!spec.takesValue && value !== undefined) {
        throw new RuleError(at.file, at.line, value.column, `${shown}: expected no value, got "${value.text}"`);
      }
      options.push({ name: spec.name as CommandName | OptionName, command: spec.command, shown, column, value });
    }
  }
  return { options, rest };
}

interface FoundOption {
  readonly spec: OptionSpec;
  readonly shown: string;
  readonly column: number;
  /** Value within the same word. */
  readonly inline?: Word;
}

function* optionsOf(word: Word, at: RuleSource): Generator<FoundOption> {
  const { text, column } = word;
  if (text.startsWith('--')) {
    const equals = text.indexOf('=');
    const shown = equals < 0 ? text : text.slice(0, equals);
    const spec = byName.get(shown.slice(2));
    if (spec === undefined) throw new RuleError(at.file, at.line, column, `unknown option "${shown}"`);
    const inline = equals < 0 ? undefined : { text: text.slice(equals + 1), column: column + equals + 1 };
    yield { spec, shown, column, ...(inline && { inline }) };
    return;
  }
  for (let offset = 1; offset < text.length; offset++) {
    const shown = `-${text[offset]}`;
    const spec = byLetter.get(text[offset]!);
    // A bundle's first letter is shown where the word starts: that is what the eye looks for.
    const start = offset === 1 ? column : column + offset;
    if (spec === undefined) throw new RuleError(at.file, at.line, start, `unknown option "${shown}"`);
    const tail = text.slice(offset + 1);
    if (spec.takesValue && tail !== '') {
      yield { spec, shown, column: start, inline: { text: tail, column: column + offset + 1 } };
      return;
    }
    yield { spec, shown, column: start };
  }
}
