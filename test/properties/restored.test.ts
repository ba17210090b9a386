/** Nobody can tell a restored director from the one whose snapshot it was: but for fragments that waited. */
import fc from 'fast-check';
import { describe } from 'vitest';
import { properties } from '../support/property.js';
import { crowds, liveInCrowd } from './crowd.js';
import { Choices, drawn } from './families/choices.js';
import { Life } from './families/life.js';
import { lives } from './families/steps.js';
import { worldOf } from './families/world.js';
import { PLANS, Restored } from './restored.js';

const property = properties(import.meta.url);

// What restores is the same for every binary.
describe.each(['release'] as const)('%s', (binary) => {
  property(
    `a restored ${binary} director does what the original does, whatever comes`,
    fc.property(lives, drawn(64), ({ world, steps }, numbers) => {
      const choices = new Choices(numbers);
      const plans = choices.of(PLANS);
      const pair = new Restored(worldOf(new Choices(world)), binary, plans.first);
      const life = new Life(pair);
      for (const step of steps) {
        if (choices.once(16)) pair.restart(choices.of(plans.others));
        life.take(step);
      }
      pair.compare();
    }),
  );

  property(
    `a restored ${binary} director chooses as the original does, for many clients`,
    fc.property(crowds, (crowd) => liveInCrowd(crowd, binary)),
  );
});
