/**
 * Colour for a terminal, and nothing for anything else.
 *
 * @module
 */

/** Makes text stand out, or leaves it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

const plain = (text: string): string => text;

/** The styles, with SGR sequences when `color` is on. */
export function styleOf(color: boolean): Style {
  if (!color) return { bold: plain, dim: plain, good: plain, bad: plain };
  const sgr = (on: number, off: number) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`;
  return { bold: sgr(1, 22), dim: sgr(2, 22), good: sgr(32, 39), bad: sgr(31, 39) };
}
