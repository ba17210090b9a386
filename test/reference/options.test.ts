import { describe, expect, it } from 'vitest';
import { type FilledOptions, processOptions, recordAgain } from '../../src/reference/index.js';
import { hex, toHex } from './support.js';

/** 01:02:03.004 after midnight, UT. */
const TIME = ((1 * 60 + 2) * 60 + 3) * 1000 + 4;
const CONTEXT = {
  address: 0x0a000064,
  now: 20_000 * 86_400_000 + TIME + 0.9,
  isLocal: (address: number) => address === 0x0a000001,
  isSubnetBroadcast: (address: number) => address === 0x0a0000ff,
};
const STAMP = TIME.toString(16).padStart(8, '0');

const process = (text: string) => processOptions(hex(text), CONTEXT);
const filled = (text: string): string => toHex((process(text) as FilledOptions).options);

it('clears what stands behind the end', () => {
  expect(process('0100ff07')).toMatchObject({ changed: true });
  expect(filled('0100ff07')).toBe('01000000');
});

describe('options that pass as they are', () => {
  it.each([
    ['none', ''],
    ['NOP', '01010101'],
    ['end', '00000000'],
    ['router alert', '94040000'],
    ['security', '820b0000000000000000000000'],
    ['unknown', '9e040000'],
    ['a full record route', '070b0c0a0000010a00000200'],
    ['a full timestamp with prespecified addresses', '440c0d030a00000100000000'],
    ['a timestamp for somebody else', '440c05030a00000200000000'],
    ['a timestamp for the last address before multicast', '440c0503dfffffff00000000'],
    ['a timestamp for the first address behind zero', '440c05030100000000000000'],
    ['a timestamp for reserved addresses', '440c0503fffffffe00000000'],
    ['a timestamp for the first reserved address', '440c0503f000000000000000'],
    ['a timestamp of an unknown kind', '440c05020000000000000000'],
  ])('%s', (_, text) => {
    expect(process(text)).toMatchObject({ changed: false, addressSlots: [] });
    expect(filled(text)).toBe(text);
  });
});

describe('record route', () => {
  it.each([
    ['the first slot', '070b04000000000000000000', '070b080a0000640000000000', 3],
    ['the second slot', '070b080a0000090000000000', '070b0c0a0000090a00006400', 7],
    ['behind a NOP', '01070704000000000000', '010707080a0000640000', 4],
  ])('gets the address in %s', (_, before, after, slot) => {
    expect(process(before)).toMatchObject({ changed: true, addressSlots: [slot] });
    expect(filled(before)).toBe(after);
  });

  it('is recorded again on forwarding', () => {
    const { options, addressSlots } = process('01070704000000000000') as FilledOptions;
    expect(toHex(options)).toBe('010707080a0000640000');
    expect(toHex(recordAgain(options, addressSlots, 0x0a010001))).toBe('010707080a0100010000');
  });
});

describe('timestamp', () => {
  it.each([
    ['times alone', '440c05000000000000000000', `440c0900${STAMP}00000000`, []],
    // Forwarding records no address of it anew.
    ['with addresses', '440c05010000000000000000', `440c0d010a000064${STAMP}`, []],
    ['for a prespecified address of ours', '440c05030a00000100000000', `440c0d030a000001${STAMP}`, []],
    ['for a subnet of ours', '440c05030a0000ff00000000', `440c0d030a0000ff${STAMP}`, []],
    ['for everybody', '440c0503ffffffff00000000', `440c0d03ffffffff${STAMP}`, []],
    ['for a group', '440c0503e000000100000000', `440c0d03e0000001${STAMP}`, []],
    ['for the last group', '440c0503efffffff00000000', `440c0d03efffffff${STAMP}`, []],
    ['for nobody yet', '440c05030000000000000000', `440c0d0300000000${STAMP}`, []],
    ['full: the overflow counts up', '44080940000000aa', '44080950000000aa', []],
  ])('%s', (_, before, after, slots) => {
    expect(filled(before)).toBe(after);
    expect(process(before)).toMatchObject({ changed: true, addressSlots: slots });
  });
});

it('a timestamp for an address of 0.0.0.0/8 is for that host', () => {
  expect(processOptions(hex('440c050300ffffff00000000'), CONTEXT)).toMatchObject({ changed: false });
});

it('a timestamp knows no subnets unless told', () => {
  const { isSubnetBroadcast: _, ...context } = CONTEXT;
  expect(processOptions(hex('440c05030a0000ff00000000'), context)).toMatchObject({ changed: false });
});

describe('malformed options', () => {
  it.each([
    ['a router alert too short to say what', '94020000', 1],
    ['a timestamp of an unknown kind, without room for a time', '44060502000000', 2],
    ['a length of 0', '07000000', 0],
    ['a length of 1', '9e010000', 0],
    ['a length beyond the header', '9e050000', 0],
    ['no length at all', '0101019e', 3],
    ['record route shorter than its pointer', '07020000', 1],
    ['record route with a pointer of 3', '07070300000000', 2],
    ['record route with half a slot', '0707060000000000', 2],
    ['two record routes', '070704000000000707040000000000', 7],
    ['timestamp shorter than its flags', '44030500', 1],
    ['timestamp with a pointer of 4', '4408040000000000', 2],
    ['timestamp with half a slot', '4408070000000000', 2],
    ['timestamp with half a slot for an address', '4408050100000000', 2],
    ['timestamp with an overflow of 16', '440809f000000000', 3],
    ['two timestamps', '44080500000000004408050000000000', 8],
    ['source route with a pointer of 3', '83070300000000', 2],
    ['two source routes, loose and strict', '8307080a0000018907080a00000100', 7],
  ])('%s', (_, text, pointer) => {
    expect(process(text)).toMatchObject({ reason: 'ipv4-option', pointer });
  });
});

describe('source routes', () => {
  it.each([
    ['loose', '830704' + '0a000001' + '00'],
    ['strict', '890704' + '0a000001' + '00'],
    ['used up', '830708' + '0a000001' + '00'],
  ])('%s', (_, text) => {
    expect(process(text)).toMatchObject({ reason: 'source-route', pointer: undefined });
  });

  it('a malformed option behind one counts first', () => {
    expect(process('8307080a0000019e')).toMatchObject({ reason: 'ipv4-option', pointer: 7 });
  });
});
