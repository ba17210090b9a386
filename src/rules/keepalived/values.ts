/**
 * The values of keepalived.conf. All of them {@link refuse} what they do not take.
 *
 * @module
 */
import { addressBytes, type Family, familyOf, formatAddress } from '../../address.js';
import type { MethodName, TunnelConfig } from '../../types.js';
import { refuse } from './problems.js';
import type { KeepalivedStatement } from './tree.js';

/** How packets reach a server. */
export interface Forwarding {
  readonly method: MethodName;
  readonly tunnel?: TunnelConfig;
}

/** Refuses more or fewer words behind the first than there may be. */
export function expectWords({ at, words }: KeepalivedStatement, least: number, most = least): void {
  const count = words.length - 1;
  if (count < least) refuse(at, `${words[0]}: a value is missing`);
  if (count > most) refuse(at, `${words[0]}: unexpected word "${words[most + 1]}"`);
}

/** The word of a statement that takes one. */
export function textOf(statement: KeepalivedStatement): string {
  expectWords(statement, 1);
  return statement.words[1]!;
}

/** A whole number within limits. */
export function numberOf(statement: KeepalivedStatement, text: string | undefined, min: number, max: number): number {
  const value = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || value < min || value > max) {
    const got = text === undefined ? 'nothing' : `"${text}"`;
    refuse(statement.at, `${statement.words[0]}: expected a number of ${min} to ${max}, got ${got}`);
  }
  return value;
}

const TRUE = ['on', 'true', 'yes'];
const FALSE = ['off', 'false', 'no'];

/** A switch, which is on without a value. */
export function switchOf(statement: KeepalivedStatement): boolean {
  expectWords(statement, 0, 1);
  const [name, value = 'on'] = statement.words;
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  return refuse(statement.at, `${name}: expected on or off, got "${value}"`);
}

/** An address, as RFC 5952 has it. */
export function addressOf(statement: KeepalivedStatement, text: string | undefined): string {
  if (text === undefined || familyOf(text) === undefined) {
    const got = text === undefined ? 'nothing' : `"${text}"`;
    refuse(statement.at, `${statement.words[0]}: expected an address such as 10.0.0.1 or fd00::1, got ${got}`);
  }
  return formatAddress(addressBytes(text).bytes);
}

/** A port, `undefined` when there is none. */
export function portOf(statement: KeepalivedStatement, text: string | undefined): number | undefined {
  return text === undefined ? undefined : numberOf(statement, text, 0, 65535);
}

/** `inet` or `inet6`. */
export function familyWord(statement: KeepalivedStatement, text: string): Family {
  if (text !== 'inet' && text !== 'inet6') {
    refuse(statement.at, `${statement.words[0]}: expected inet or inet6, got "${text}"`);
  }
  return text === 'inet' ? 4 : 6;
}

const METHODS: Readonly<Record<string, MethodName>> = {
  NAT: 'nat',
  DR: 'dr',
  TUN: 'tun',
  FNAT: 'fullnat',
  SNAT: 'snat',
};
const CHECKSUMS = ['nocsum', 'csum', 'remcsum'] as const;

/** `NAT`, `DR`, DPVS's `FNAT` and `SNAT`, or `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`. */
export function forwardingOf(statement: KeepalivedStatement): Forwarding {
  const { at, words } = statement;
  const [name, kind = '', ...rest] = words;
  const method = Object.hasOwn(METHODS, kind) ? METHODS[kind] : undefined;
  if (method === undefined) return refuse(at, `${name}: expected NAT, DR, TUN, FNAT or SNAT, got "${kind}"`);
  if (method !== 'tun') {
    expectWords(statement, 1);
    return { method };
  }
  const type = rest[0] === 'type' ? rest.splice(0, 2)[1] : 'ipip';
  if (type !== 'ipip' && type !== 'gue' && type !== 'gre') {
    return refuse(at, `${name}: expected the type ipip, gue or gre, got "${type}"`);
  }
  const port = type === 'gue' && rest[0] === 'port' ? numberOf(statement, rest.splice(0, 2)[1], 1, 65535) : undefined;
  if (type === 'gue' && port === undefined) return refuse(at, `${name}: gue needs a port`);
  const checksum = CHECKSUMS.find((word) => word === rest[0]);
  if (checksum !== undefined) rest.shift();
  if (rest[0] !== undefined) return refuse(at, `${name}: unexpected word "${rest[0]}"`);
  if (checksum !== undefined && (type === 'ipip' || (type === 'gre' && checksum === 'remcsum'))) {
    return refuse(at, `${name}: ${type} has no ${checksum}`);
  }
  return { method, tunnel: { type, checksum: checksum ?? 'nocsum', ...(port !== undefined && { port }) } };
}
