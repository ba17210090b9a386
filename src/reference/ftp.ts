/**
 * The FTP helper: what client and server agree on, where Linux's ip_vs_ftp looks for it (RFC 959 §4.1.2, RFC 2428).
 *
 * @module
 */
import { type Address, addressBytes, type Family, parseAddress } from './packet/address.js';
import { parseIpv6Address } from './packet/ipv6-text.js';

/** One end of a data connection. */
export interface DataEnd {
  /** `undefined`: that of the control connection. */
  address: Address | undefined;
  port: number;
}

/** What a client asks for. */
export type FtpCommand = 'PASV' | 'EPSV' | DataEnd;

/** Where a server waits, and which of its words, by their places in the text, say so. */
export interface FtpAnswer {
  end: DataEnd;
  from: number;
  to: number;
}

/** The command in a client's segment, if the helper knows it; letters count in either case. */
export function readCommand(data: Uint8Array, family: Family): FtpCommand | undefined {
  const text = textOf(data);
  const passive = findPassive(text, family);
  if (passive !== undefined) return passive === 'none' ? undefined : passive;
  const given =
    (family === 4 ? readQuad(text, 'PORT', ' ') : undefined) ?? readExtended(text, 'EPRT', ' ', family, false);
  return given?.end;
}

/** What a server answers to PASV or EPSV. */
export function readAnswer(data: Uint8Array, command: 'PASV' | 'EPSV', family: Family): FtpAnswer | undefined {
  const text = textOf(data);
  return command === 'PASV' ? readQuad(text, '227 ', '(') : readExtended(text, '229 ', '(', family, true);
}

/** The answer's words for another end. */
export function writeEnd(command: 'PASV' | 'EPSV', address: Address, port: number): Uint8Array {
  const quad = [...addressBytes(address), port >>> 8, port & 0xff].join(',');
  return Uint8Array.from(command === 'PASV' ? quad : `|||${port}|`, (character) => character.charCodeAt(0));
}

/** A character a byte. */
function textOf(data: Uint8Array): string {
  return Array.from(data, (byte) => String.fromCharCode(byte)).join('');
}

/** PASV or EPSV anywhere in the text, six characters of it left. `none`: EPSV, but of nothing that the helper knows. */
function findPassive(text: string, family: Family): 'PASV' | 'EPSV' | 'none' | undefined {
  for (let at = 0; at + 6 <= text.length; at++) {
    const rest = text.slice(at);
    if (family === 4 && /^PASV\r\n/i.test(rest)) return 'PASV';
    if (/^EPSV\r/i.test(rest)) return 'EPSV';
    if (/^EPSV /i.test(rest)) return rest[5] === protocolOf(family) && rest[6] === '\r' ? 'EPSV' : 'none';
  }
  return undefined;
}

/** As RFC 2428 §2 numbers the families. */
function protocolOf(family: Family): string {
  return family === 4 ? '1' : '2';
}

/** `10,0,0,2,144,141` behind `start`, and behind whatever comes before `skip` or a digit. */
function readQuad(text: string, start: string, skip: string): FtpAnswer | undefined {
  const from = skipTo(text, start, skip, true);
  if (from === undefined) return undefined;
  // Somebody else has to end the last number: it may go on in the next segment.
  const [found, ...words] = /^(\d*),(\d*),(\d*),(\d*),(\d*),(\d*)(?=[^\d])/s.exec(text.slice(from)) ?? [];
  if (found === undefined) return undefined;
  const numbers = words.map((word) => wrapped(word, 0xff));
  const [a = 0, b = 0, c = 0, d = 0, high = 0, low = 0] = numbers;
  const address = parseAddress([a, b, c, d].join('.'));
  return { end: { address, port: high * 256 + low }, from, to: from + found.length };
}

/**
 * `|1|10.0.0.2|37006|` behind `start` and what comes before `skip`, with any visible character for the bars.
 *
 * @param mayOmit family and address may be missing, together
 */
function readExtended(
  text: string,
  start: string,
  skip: string,
  family: Family,
  mayOmit: boolean,
): FtpAnswer | undefined {
  const from = skipTo(text, start, skip, false);
  const bar = from === undefined ? undefined : text[from];
  if (from === undefined || bar === undefined || bar < '!' || bar > '~') return undefined;
  const { length } = text;
  let at = from + 1;
  let address: Address | undefined;
  if (text[at] === bar) {
    if (!mayOmit || text[at + 1] !== bar) return undefined;
    at += 2;
  } else {
    if (text[at] !== protocolOf(family) || text[at + 1] !== bar) return undefined;
    const end = text.indexOf(bar, at + 2);
    if (end < 0) return undefined;
    address = readAddress(text.slice(at + 2, end), family);
    if (address === undefined) return undefined;
    at = end + 1;
  }
  const digits = /^\d*/.exec(text.slice(at))?.[0] ?? '';
  const port = wrapped(digits, 0xffff);
  at += digits.length;
  if (port === 0 || at >= length || text[at] !== bar) return undefined;
  return { end: { address, port }, from, to: at + 1 };
}

/** What digits stand for in Linux's variable, which is too small for some. */
function wrapped(digits: string, most: number): number {
  return [...digits].reduce((value, digit) => (value * 10 + Number(digit)) & most, 0);
}

/** Where the words begin that follow `skip`, be it there once or more often. @param mayBegin digits need none */
function skipTo(text: string, start: string, skip: string, mayBegin: boolean): number | undefined {
  if (text.slice(0, start.length).toUpperCase() !== start) return undefined;
  for (let at = start.length; at < text.length; at++) {
    if (mayBegin && /\d/.test(text[at]!)) return at;
    if (text[at] !== skip) continue;
    while (text[at] === skip) at++;
    return at < text.length ? at : undefined;
  }
  return undefined;
}

/** Numbers may have zeros in front. */
function readAddress(text: string, family: Family): Address | undefined {
  if (family === 4) {
    const quad = text.split('.');
    const isQuad = quad.length === 4 && quad.every((part) => /^\d+$/.test(part) && Number(part) <= 255);
    return isQuad ? parseAddress(quad.map(Number).join('.')) : undefined;
  }
  try {
    return parseIpv6Address(text.replace(/\b0+(?=[0-9a-f])/gi, ''));
  } catch {
    return undefined;
  }
}
