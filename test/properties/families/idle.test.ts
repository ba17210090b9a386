/** The core is the reference where connections of TCP are established and time out, and their ends are told. */
import fc from 'fast-check';
import { it } from 'vitest';
import { BINARIES } from '../../support/core.js';
import { properties } from '../../support/property.js';
import { expectSeen } from '../seen.js';
import type { Tally } from '../twins.js';
import { live } from './life.js';
import { idleLives } from './steps.js';

const property = properties(import.meta.url);
const tally: Tally = new Map();
let count = 0;

property(
  'core and reference tell the same ends the same',
  fc.property(idleLives, fc.constantFrom(...BINARIES), (life, binary) => {
    live(life, binary, tally, { conn_expire_tcp_rst: 1 });
    count++;
  }),
);

it('has told ends', () => {
  expectSeen('every', tally, count, ['expired-reset', 'nat-out', 'fullnat-out']);
});
