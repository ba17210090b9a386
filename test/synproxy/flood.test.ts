/** A SYN flood against a SYN proxy leaves the table as it was, and keeps nobody out. */
import { expect, it } from 'vitest';
import { besiegeProxy } from '../flood/cookies.js';
import { moduleOf } from '../support/core.js';

it('50,000 spoofed SYNs are answered, and leave nothing; 50 clients among them get in', () => {
  const siege = { connections: 100, syns: 50_000, rate: 10, newcomerEvery: 100, seed: 1, wasm: moduleOf('release') };
  expect(besiegeProxy(siege)).toEqual({ answered: 50_000, syns: 50_000, gotIn: 50, newcomers: 50, foreign: 0 });
});
