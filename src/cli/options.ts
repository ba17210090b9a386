/**
 * The options of each command, once: what `parseArgs` accepts and what `--help` prints come from the same table.
 *
 * @module
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { usageError } from './io.js';

/** An option of a command. */
export interface OptionSpec {
  /** Long name, without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for its value in the help; an option without one is a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly help: string;
}

/** A command: its name, one line about it, and its options. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** What follows the command's name, one way a line. */
  readonly usage: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Paragraphs after the options, each with an empty line before it. Indented lines stay as they are. */
  readonly notes?: string;
}

/** Width of all text. */
const COLUMNS = 80;

const HELP: OptionSpec = { name: 'help', short: 'h', help: 'print this help' };

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** The parsed options of a command. */
export class Options {
  readonly #values: Values;
  readonly positionals: readonly string[];

  constructor(values: Values, positionals: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
  }

  /** Whether a switch was given. */
  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** The value of an option, the last one when it was given several times. */
  get(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** All values of an option. */
  all(name: string): string[] {
    const value = this.#values[name];
    const list = Array.isArray(value) ? value : [value];
    return list.filter((item) => typeof item === 'string');
  }

  /** The value of an option that must be there. */
  need(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw usageError(`--${name} is needed`);
    return value;
  }
}

/**
 * Parses the words after a command's name.
 *
 * @throws {CliError} exit code 2 for an unknown option, a missing value, or a second one where one is taken
 */
export function parseOptions(spec: CommandSpec, argv: readonly string[], positionals = false): Options {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const option of [...spec.options, HELP]) {
    options[option.name] = {
      type: option.value === undefined ? 'boolean' : 'string',
      multiple: option.value !== undefined,
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  try {
    const parsed = parseArgs({ args: dashValues(spec, argv), options, allowPositionals: positionals, strict: true });
    const given = new Options(parsed.values, parsed.positionals);
    const twice = spec.options.find(({ name, multiple }) => multiple !== true && given.all(name).length > 1);
    if (twice !== undefined) throw usageError(`--${twice.name} is given twice`);
    return given;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const [text = error.message] = error.message.split('. ');
    const isUnknown = (error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    throw usageError(isUnknown ? `${text}: ipvs-wasm ${spec.name} --help lists them` : text);
  }
}

/** `parseArgs` refuses a value that starts with a dash: lets `-o -` mean standard output. */
function dashValues(spec: CommandSpec, argv: readonly string[]): string[] {
  const args: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    const option = spec.options.find(
      ({ name, short, value }) => value !== undefined && (word === `--${name}` || word === `-${short}`),
    );
    if (option !== undefined && argv[i + 1] === '-') {
      args.push(`--${option.name}=-`);
      i++;
    } else args.push(word);
  }
  return args;
}

/** The help text of a command, at most 80 columns wide. */
export function helpText(spec: CommandSpec): string {
  const lines = [`ipvs-wasm ${spec.name}: ${spec.summary}`, ''];
  spec.usage.forEach((usage, i) => {
    const left = `${i === 0 ? 'Usage:' : '      '} ipvs-wasm ${spec.name} `;
    const broken = wrap(usage, COLUMNS - left.length);
    lines.push(...broken.map((line, j) => `${j === 0 ? left : ' '.repeat(left.length)}${line}`.trimEnd()));
  });
  lines.push('', 'Options:');
  for (const option of [...spec.options, HELP]) {
    const letter = option.short === undefined ? '    ' : `-${option.short}, `;
    const left = `  ${letter}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`;
    const [first = '', ...rest] = wrap(option.help, COLUMNS - 28);
    if (left.length > 26) lines.push(left, `${' '.repeat(28)}${first}`);
    else lines.push(`${left.padEnd(28)}${first}`);
    for (const line of rest) lines.push(' '.repeat(28) + line);
  }
  if (spec.notes !== undefined) {
    for (const paragraph of spec.notes.trim().split(/\n{2,}/)) lines.push('', ...paragraphLines(paragraph));
  }
  return `${lines.join('\n')}\n`;
}

/** The lines of a paragraph: its words fill them up; an indented line stands alone. */
function paragraphLines(paragraph: string): string[] {
  const lines: string[] = [];
  let text = '';
  const end = (): void => {
    if (text !== '') lines.push(...wrap(text, COLUMNS));
    text = '';
  };
  for (const line of paragraph.split('\n')) {
    if (line.startsWith(' ')) {
      end();
      lines.push(line);
    } else text += `${text === '' ? '' : ' '}${line}`;
  }
  end();
  return lines;
}

/** Breaks a text at blanks into lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
