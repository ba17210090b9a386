import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { readCapture } from '../../src/capture/reader.js';
import { layersOf } from '../../src/decode/layers.js';
import { itByTshark, tsharkRows } from '../support/tshark.js';
import { FRAMES } from './frames.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/kernel/', import.meta.url));

/** Fields that mean the same there and here. */
const FIELDS = [
  ...['dsfield', 'len', 'id', 'ttl', 'proto', 'checksum', 'src', 'dst'].map((name) => `ip.${name}`),
  ...['tclass', 'flow', 'plen', 'nxt', 'hlim', 'src', 'dst'].map((name) => `ipv6.${name}`),
  ...['ipv6.hopopts.nxt', 'ipv6.dstopts.nxt', 'ipv6.routing.nxt', 'ipv6.routing.type', 'ipv6.routing.segleft'],
  ...['ipv6.fraghdr.nxt', 'ipv6.fraghdr.ident'],
  ...['srcport', 'dstport', 'seq', 'ack', 'checksum', 'urgent_pointer'].map((name) => `tcp.${name}`),
  ...['srcport', 'dstport', 'length', 'checksum'].map((name) => `udp.${name}`),
  ...['type', 'code', 'checksum', 'ident', 'seq'].map((name) => `icmp.${name}`),
  ...['type', 'code', 'checksum', 'mtu', 'echo.identifier', 'nd.ns.target_address'].map((name) => `icmpv6.${name}`),
  ...['flags_and_version', 'proto', 'checksum'].map((name) => `gre.${name}`),
  ...['srcport', 'dstport', 'verification_tag', 'checksum', 'chunk_length', 'init_credit'].map(
    (name) => `sctp.${name}`,
  ),
  ...['ah.next_header', 'ah.spi', 'ah.sequence', 'esp.spi', 'esp.sequence'],
];

interface Frame {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Where Wireshark shows something else than what is in the frame. */
function isApart({ name, data }: Frame): boolean {
  // Nothing of a packet that IP would refuse, and the last stop of a source route as destination.
  if (/malformed|ipopt/.test(name)) return true;
  return layersOf(data).some((layer) => {
    const number = (field: string) => Number(layer.fields.find((one) => one.name === layer.prefix + field)?.value);
    switch (layer.kind) {
      case 'gue':
        return true;
      case 'tcp':
        return number('tcp.hdr_len') < 20 || layer.end - layer.start < 20;
      case 'udp':
        return number('udp.length') < 8;
      case 'sctp':
        return layer.payload - layer.start < 12;
      default:
        return false;
    }
  });
}

async function frames(): Promise<Frame[]> {
  const found: Frame[] = Object.entries(FRAMES).map(([name, data]) => ({ name, data }));
  for (const folder of readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })) {
    if (!folder.endsWith('.pcap')) continue;
    for await (const { number, data } of readCapture(join(FIXTURES, folder))) {
      found.push({ name: `${folder} frame ${number}`, data: data.slice() });
    }
  }
  return found.filter((frame) => !isApart(frame));
}

/** Numbers however they are written. */
const plain = (text: string) => (/^(0x[0-9a-f]+|\d+)$/i.test(text) ? String(Number(text)) : text);

itByTshark('tshark reads the same fields', async () => {
  const list = await frames();
  const rows = tsharkRows(
    list.map(({ data }) => data),
    FIELDS,
    ['ip.defragment:FALSE', 'ipv6.defragment:FALSE', 'tcp.relative_sequence_numbers:FALSE'],
  );
  expect(rows).toHaveLength(list.length);
  list.forEach(({ name, data }, i) => {
    const layers = layersOf(data);
    const ours = FIELDS.map((field) => [
      field,
      layers
        .flatMap((layer) => layer.fields.filter((one) => one.name === layer.prefix + field))
        .map(({ value }) => plain(value.replace(' (wrong)', '')))
        .join(' '),
    ]);
    const theirs = FIELDS.map((field, j) => [
      field,
      rows[i]![j]!.split(';')
        .filter((text) => text !== '')
        .map(plain)
        .join(' '),
    ]);
    expect(Object.fromEntries(ours), name).toEqual(Object.fromEntries(theirs));
  });
});
