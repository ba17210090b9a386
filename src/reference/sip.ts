/**
 * The Call-ID of a SIP message, found as Linux finds it.
 *
 * @module
 */

/** The longest that is looked at (IP_VS_PEDATA_MAXLEN). */
const LONGEST = 255;

const LINE_END = /\r\n|\r|\n/g;
const LETTER = 'A-Za-z\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u00ff';
/** The long name of the header, or the short one and something that does not go on with it. */
const NAME = new RegExp(`(?:call-id|i(?=[^${LETTER}]))`, 'iy');
/** Blanks; one line may be continued by the next. */
const BLANKS = /[ \t]*(?:(?:\r\n|\r|\n)[ \t]+)?/y;
const WORD = `[${LETTER}0-9!"%'()*+\\-./:<>?[\\\\\\]_\`{}~]+`;
/** RFC 3261 §25.1; an at sign needs something behind it. */
const CALL_ID = new RegExp(`${WORD}(?:@(?:${WORD})?)?`, 'y');

/** The Call-ID of a message, a character a byte; `undefined` when there is none. */
export function readCallId(message: Uint8Array): string | undefined {
  const text = Array.from(message, (byte) => String.fromCharCode(byte)).join('');
  let from = 0;
  while (from < text.length) {
    const value = findValue(text, from);
    if (value === undefined) return undefined;
    const id = matchAt(CALL_ID, text, value);
    if (id !== undefined && !id.endsWith('@')) {
      const after = text[value + id.length];
      return id.length <= LONGEST && (after === '\r' || after === '\n') ? id : undefined;
    }
    // The search goes on by as many bytes as lie before the value, wherever it began.
    from += value;
  }
  return undefined;
}

/** Where the next header's value begins. */
function findValue(text: string, from: number): number | undefined {
  LINE_END.lastIndex = from;
  for (let end = LINE_END.exec(text); end !== null; end = LINE_END.exec(text)) {
    const start = LINE_END.lastIndex;
    if (start >= text.length) return undefined;
    const name = matchAt(NAME, text, start);
    // A line's first character ends no line.
    if (name === undefined) {
      LINE_END.lastIndex = start + 1;
      continue;
    }
    const colon = behindBlanks(text, start + name.length);
    if (text[colon] !== ':' || colon + 1 >= text.length) return undefined;
    const value = behindBlanks(text, colon + 1);
    const isOver = text[value] === '\r' || text[value] === '\n';
    return isOver && !/[\r\n]/.test(text.slice(colon, value)) ? undefined : value;
  }
  return undefined;
}

function behindBlanks(text: string, from: number): number {
  return from + (matchAt(BLANKS, text, from) ?? '').length;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
