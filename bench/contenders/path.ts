/**
 * Contenders for the whole way of a frame, each in the world of one scenario.
 *
 * @module
 */
import { ReferenceDirector } from 'ipvs-wasm/reference';
import { copier } from '../copier.js';
import { BURST_MAX, Feeder, feederBytes, HEADROOM, ownMemory, SLOT_BYTES } from '../feeder.js';
import { type Contender, inProcess } from '../harness.js';
import { MapRival } from '../rivals/map.js';
import { timeNative } from '../rivals/native.js';
import { FIRST, TypedArrayRival } from '../rivals/typed-array.js';
import { FORWARD, type Frames, LOCAL, type World } from '../rivals/world.js';
import { interfaceName, NETWORK, type Scenario } from '../scenario.js';
import { configure, establishedDirector, openingFrames } from './director.js';

/** Bytes of a burst descriptor of the library. */
const DESCRIPTOR_BYTES = 32;
const KEPT_BYTES = BURST_MAX * DESCRIPTOR_BYTES;
/** Milliseconds that pass a frame: what a frame costs, about. */
const TICK = 1e-4;

/** Makes the contender for one burst size. */
export type ForBurst = (burst: number) => Contender;

/** Verdict that every frame of a scenario must get. */
function wantedVerdict({ mode }: Scenario): number {
  return mode === 'ipip-decap' ? LOCAL : FORWARD;
}

/** A measurement of something else is worth nothing. */
function assertVerdict(name: string, scenario: Scenario, verdict: number): void {
  if (verdict === wantedVerdict(scenario)) return;
  throw new Error(`${name}, ${scenario.mode}: expected verdict ${wantedVerdict(scenario)}, got ${verdict}`);
}

function metaOf(frames: Frames): { length: number; inside: number } {
  return { length: frames.meta[0]! & 0xffff, inside: frames.meta[0]! >>> 16 };
}

/** A feeder in the memory of a director, whose frames lie where the host holds them, as in a ring or a capture. */
function fedDirector(scenario: Scenario, frames: Frames) {
  const { director, memory, held } = establishedDirector(scenario, KEPT_BYTES + feederBytes(frames));
  return { director, memory, kept: held, feeder: new Feeder(frames, memory, held + KEPT_BYTES) };
}

/** The library: what `process` costs, and what everything costs that a host does with a burst. */
export function ours(scenario: Scenario, frames: Frames): { core: ForBurst; host: ForBurst } {
  const { director, feeder, memory, kept } = fedDirector(scenario, frames);
  const { burst, plan } = director;
  const { length, inside } = metaOf(frames);
  const copy = copier(memory);
  let now = 1;

  const place = (size: number): void => {
    burst.reset();
    for (let i = 0; i < size; i++) burst.place(feeder.slot(i), length, HEADROOM, inside);
  };
  const check = (size: number): void => {
    for (let i = 0; i < size; i++) assertVerdict('ipvs-wasm', scenario, burst.verdict(i));
  };

  const core: ForBurst = (size) => {
    // the descriptors are set through the API once, and then copied back before each burst
    const { base } = plan.descriptors;
    const bytes = size * DESCRIPTOR_BYTES;
    const prepare = (): void => {
      place(size);
      copy(base, kept, bytes, bytes, 1);
    };
    const fill = (): void => {
      feeder.feed(size);
      copy(kept, base, bytes, bytes, 1);
    };
    const work = (): void => {
      feeder.feed(size);
      copy(kept, base, bytes, bytes, 1);
      now += size * TICK;
      director.process(now);
    };
    prepare();
    work();
    check(size);
    return inProcess('ipvs-wasm', size, work, fill, prepare);
  };

  const host: ForBurst = (size) => {
    let seen = 0;
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      place(size);
      now += size * TICK;
      director.process(now);
      for (let i = 0; i < size; i++) seen += burst.verdict(i) + burst.out(i) + burst.address(i) + burst.frameLength(i);
    };
    work();
    check(size);
    if (seen === 0) throw new Error('expected something to be seen');
    return inProcess("  with the host's part", size, work, fill);
  };
  return { core, host };
}

/** Hand-tuned JavaScript. */
export function typedArrays(scenario: Scenario, world: World): ForBurst {
  const memory = ownMemory(world.frames);
  const rival = new TypedArrayRival(world, SLOT_BYTES, memory.buffer);
  const feeder = new Feeder(world.frames, memory, 0, FIRST);
  const { length, inside } = metaOf(world.frames);
  rival.inLength.fill(length);
  rival.inInterface.fill(inside);
  let now = 1;
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      now += size * TICK;
      rival.process(size, now);
    };
    work();
    for (let i = 0; i < size; i++) assertVerdict('typed arrays', scenario, rival.verdict[i]!);
    return inProcess('typed arrays', size, work, fill);
  };
}

/** Slots of their own for those who take one frame after the other. */
function views(frames: Frames): { feeder: Feeder; arrays: Uint8Array[]; inside: number } {
  const memory = ownMemory(frames);
  const feeder = new Feeder(frames, memory);
  const { length, inside } = metaOf(frames);
  const arrays = Array.from({ length: BURST_MAX }, (_, i) => new Uint8Array(memory.buffer, feeder.slot(i), length));
  return { feeder, arrays, inside };
}

/** What most people would write first. */
export function map(scenario: Scenario, world: World): ForBurst {
  const rival = new MapRival(world);
  const { feeder, arrays, inside } = views(world.frames);
  let now = 1;
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      now += size * TICK;
      for (let i = 0; i < size; i++) rival.process(arrays[i]!, inside, now);
    };
    feeder.feed(1);
    assertVerdict('Map', scenario, rival.process(arrays[0]!, inside, now).verdict);
    return inProcess('Map', size, work, fill);
  };
}

/** The reference. */
export function reference(scenario: Scenario, frames: Frames): ForBurst {
  const director = new ReferenceDirector({ network: NETWORK });
  configure(director, scenario);
  for (const frame of openingFrames(scenario)) director.send(frame, 'cli', 0);
  const { feeder, arrays, inside } = views(frames);
  const name = interfaceName(inside);
  let now = 1;
  return (size) => {
    const fill = (): void => feeder.feed(size);
    const work = (): void => {
      feeder.feed(size);
      now += size * TICK;
      for (let i = 0; i < size; i++) director.send(arrays[i]!, name, now);
    };
    feeder.feed(1);
    const [outcome] = director.send(arrays[0]!, name, now);
    assertVerdict('reference', scenario, outcome!.verdict === 'forward' ? FORWARD : LOCAL);
    return inProcess('reference', size, work, fill);
  };
}

/** C, in a process of its own. */
export function native(scenario: Scenario, binary: string, worldFile: string): ForBurst {
  return (burst) => ({
    name: 'native C',
    measure(seconds) {
      const { ns, copy, forwarded, decapsulated } = timeNative(
        binary,
        worldFile,
        'path',
        burst,
        seconds * 0.7,
        SLOT_BYTES,
      );
      assertVerdict('native C', scenario, forwarded > 0 ? FORWARD : decapsulated > 0 ? LOCAL : 0);
      return { ns, outside: copy, rme: undefined };
    },
  });
}
