/**
 * The seed of every property, also of those that call fast-check themselves: a test that fails is about what changed, not
 * about what was drawn. `PROPERTY_SEED=N` asks other questions, `PROPERTY_SEED=random` others each time.
 *
 * @module
 */
import fc from 'fast-check';

const { PROPERTY_SEED: given = '1' } = process.env;

export const SEED = given === 'random' ? Math.floor(Math.random() * 0x7fff_ffff) : Number(given);
if (!Number.isSafeInteger(SEED))
  throw new RangeError(`PROPERTY_SEED: expected a whole number or "random", got "${given}"`);

fc.configureGlobal({ seed: SEED });
