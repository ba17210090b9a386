/**
 * Words as options, the way the library popt reads them for ipvsadm.
 *
 * Letters may be bundled (`-At 10.0.0.1:80`), a value may follow its letter at once (`-w5`, `-w=5`), long options take
 * `--weight 5` or `--weight=5`. What is no option is left over, wherever it stands.
 *
 * @module
 */
import { type Dialect, OPTION_SPECS, type OptionSpec } from './options.js';
import { UsageError } from './usage-error.js';

/** A word of a command line. */
export interface Word {
  readonly text: string;
  /** 1-based column in its line; 0 for the words of a shell. */
  readonly column: number;
}

/** An option as it was given. */
export interface GivenOption {
  readonly spec: OptionSpec;
  /** The word that it stands in. */
  readonly word: Word;
  readonly value: Word | undefined;
  /** The last word that it took: ipvsadm names that one in complaints. */
  readonly last: Word;
}

/** The options of a dialect, by the name that stands before them. */
class Lookup {
  readonly byLetter: ReadonlyMap<string, OptionSpec>;
  readonly byName: ReadonlyMap<string, OptionSpec>;

  constructor(specs: readonly OptionSpec[]) {
    this.byLetter = new Map(specs.filter(({ letter }) => letter !== '').map((spec) => [spec.letter, spec]));
    this.byName = new Map(specs.map((spec) => [spec.name, spec]));
  }
}

const LOOKUPS: Readonly<Record<Dialect, Lookup>> = {
  ipvsadm: new Lookup(OPTION_SPECS.ipvsadm),
  dpvs: new Lookup(OPTION_SPECS.dpvs),
};

/** Reads the options of a command line one by one. */
export class OptionReader {
  readonly #words: readonly Word[];
  readonly #lookup: Lookup;
  #next = 0;
  /** Letters of a bundle that are still to be read. */
  #bundle: Word | undefined;
  /** Behind `--` nothing is an option. */
  #isOver = false;
  /** Words that are neither options nor their values, so far. */
  readonly rest: Word[] = [];

  constructor(words: readonly Word[], dialect: Dialect) {
    this.#words = words;
    this.#lookup = LOOKUPS[dialect];
  }

  /**
   * The next option, `undefined` behind the last.
   *
   * @throws UsageError for an unknown option, a missing value, or one that is not taken
   */
  next(): GivenOption | undefined {
    while (this.#bundle === undefined) {
      const word = this.#words[this.#next];
      if (word === undefined) return undefined;
      this.#next++;
      const { text, column } = word;
      if (this.#isOver || text === '-' || !text.startsWith('-')) this.rest.push(word);
      else if (text === '--') this.#isOver = true;
      else if (text.startsWith('--')) return this.#long(word);
      else this.#bundle = { text: text.slice(1), column: column + 1 };
    }
    return this.#short(this.#bundle);
  }

  #long(word: Word): GivenOption {
    const equals = word.text.indexOf('=');
    const name = word.text.slice(2, equals < 0 ? undefined : equals);
    const inline = equals < 0 ? undefined : tailOf(word, equals + 1);
    return this.#take(this.#lookup.byName.get(name), inline);
  }

  #short(bundle: Word): GivenOption {
    const spec = this.#lookup.byLetter.get(bundle.text[0]!);
    const tail = tailOf(bundle, 1);
    this.#bundle = undefined;
    if (tail.text.startsWith('=')) return this.#take(spec, tailOf(tail, 1));
    if (tail.text === '') return this.#take(spec, undefined);
    if (spec !== undefined && spec.takes !== 'nothing') return this.#take(spec, tail);
    this.#bundle = tail;
    return this.#take(spec, undefined);
  }

  #take(spec: OptionSpec | undefined, inline: Word | undefined): GivenOption {
    const word = this.#words[this.#next - 1]!;
    if (spec === undefined) throw refusal(word, 'unknown option');
    if (spec.takes === 'nothing') {
      if (inline !== undefined) throw refusal(word, 'option does not take an argument');
      return { spec, word, value: undefined, last: word };
    }
    if (inline !== undefined) return { spec, word, value: inline, last: word };
    const value = this.#words[this.#next];
    if (spec.takes === 'optional' && (value === undefined || value.text.startsWith('-'))) {
      return { spec, word, value: undefined, last: word };
    }
    if (value === undefined) throw refusal(word, 'missing argument');
    this.#next++;
    return { spec, word, value, last: value };
  }
}

function refusal(word: Word, text: string): UsageError {
  return new UsageError(`${word.text}: ${text}`, word, { exitCode: 255, fatal: false });
}

function tailOf({ text, column }: Word, from: number): Word {
  return { text: text.slice(from), column: column + from };
}
