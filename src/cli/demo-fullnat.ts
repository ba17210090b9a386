/**
 * A recording of NAT, made one of FullNAT. No kernel has that mode, so no server ever answered a local address in a recording:
 * answers of the recorded servers go to the local address here, and acknowledge the numbers that the director gave.
 *
 * @module
 */
import { formatEndpoint, ipv4Bytes } from '../address.js';
import { FileSink } from '../capture/file-sink.js';
import { PcapWriter } from '../capture/pcap-writer.js';
import { fields } from '../decode.js';
import type { Director } from '../director.js';
import type { CapturedFrame } from '../scenario/compare.js';
import type { ScenarioEvent } from '../scenario/events.js';
import type { Scenario } from '../scenario/load.js';
import { wholeMillis } from './rewrite-loop.js';

/** The director's address that servers see. */
const LOCAL = '10.1.0.2';
const SECOND = 1_000_000_000n;

/** One end of a TCP connection over IPv4, and what its numbers have more than those of the recording. */
interface Shift {
  readonly address: string;
  readonly port: number;
  readonly delta: number;
}

/** The same director with a local address, its servers by FullNAT. */
export function fullNatScenario(scenario: Scenario): Scenario {
  const { network } = scenario;
  const interfaces = network.interfaces.map((one) =>
    one.name === 'srv' ? { ...one, addresses: [...(one.addresses ?? []), `${LOCAL}/32`] } : one,
  );
  const events = scenario.events.flatMap((event): ScenarioEvent[] => {
    const [, service] = /^ipvsadm -A (-t \S+)/.exec(event.text) ?? [];
    if (service === undefined) return [{ ...event, text: event.text.replace(/ -m$/, ' --fullnat') }];
    return [event, { ...event, text: `ipvsadm --add-laddr ${service} --laddr ${LOCAL}` }];
  });
  return { ...scenario, network: { ...network, interfaces }, events };
}

/**
 * What a director did to clients: it says how the recorded answers must look to be answers to it, and how what it sent to
 * servers would look had it been NAT.
 */
export class Readdressed {
  /** By client and server. */
  readonly #local = new Map<string, Shift>();
  /** By local address and server. */
  readonly #client = new Map<string, Shift>();
  readonly #answers: CapturedFrame[] = [];

  /** @param director one for this alone, with the rules of {@link fullNatScenario} */
  constructor(director: Director, { captures }: Scenario) {
    const all = [
      ...captures['cli-in'].map((frame) => ({ ...frame, side: 'cli' })),
      ...captures['srv-in'].map((frame) => ({ ...frame, side: 'srv' })),
    ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    for (const { side, ...frame } of all) {
      const data = side === 'cli' ? frame.data : this.#answer(frame);
      const [outcome] = director.send(data, side, millis(frame.time));
      const { connection } = outcome!;
      if (side === 'srv' || connection === undefined || connection.localAddress === undefined) continue;
      const { clientAddress, clientPort, localAddress, localPort, destAddress, destPort } = connection;
      const [client, server] = [formatEndpoint(clientAddress, clientPort), formatEndpoint(destAddress, destPort)];
      const local = formatEndpoint(localAddress, localPort!);
      const delta = sequenceOf(outcome!.frame) - sequenceOf(data);
      this.#local.set(`${client} ${server}`, { address: localAddress, port: localPort!, delta });
      this.#client.set(`${local} ${server}`, { address: clientAddress, port: clientPort, delta: -delta });
    }
  }

  /** Writes the answers as a capture. */
  async write(file: string): Promise<void> {
    using sink = new FileSink(file);
    const writer = new PcapWriter(sink.write);
    for (const { time, data } of this.#answers) {
      writer.write(Number(time / SECOND), Number(time % SECOND), data, 0, data.length);
    }
    await writer.flush();
  }

  /** A frame that FullNAT sent to a server, as NAT would have sent it. */
  asNat(frame: Uint8Array): Uint8Array {
    const { source, destination } = endsOf(frame);
    return moved(frame, 'source', this.#client.get(`${source} ${destination}`));
  }

  #answer(frame: CapturedFrame): Uint8Array {
    const { source, destination } = endsOf(frame.data);
    const data = moved(frame.data, 'destination', this.#local.get(`${destination} ${source}`));
    this.#answers.push({ ...frame, data });
    return data;
  }
}

function millis(time: bigint): number {
  return wholeMillis(Number(time / SECOND), Number(time % SECOND));
}

function fieldOf(frame: Uint8Array, name: string): string {
  return fields(frame).find((field) => field.name === name)?.value ?? '';
}

function sequenceOf(frame: Uint8Array): number {
  return Number(fieldOf(frame, 'tcp.seq'));
}

function endsOf(frame: Uint8Array): { readonly source: string; readonly destination: string } {
  const end = (side: 'src' | 'dst') =>
    formatEndpoint(fieldOf(frame, `ip.${side}`), Number(fieldOf(frame, `tcp.${side}port`)));
  return { source: end('src'), destination: end('dst') };
}

/** A copy with one end, and the number that counts that end's bytes, replaced; checksums are updated (RFC 1624). */
function moved(frame: Uint8Array, end: 'source' | 'destination', shift: Shift | undefined): Uint8Array {
  if (shift === undefined) return frame;
  const data = frame.slice();
  const view = new DataView(data.buffer);
  const ip = 14;
  const tcp = ip + 4 * (view.getUint8(ip) & 0xf);
  const put = (at: number, value: number, ...sums: readonly number[]): void => {
    for (const sum of sums) {
      const total = (~view.getUint16(sum) & 0xffff) + (~view.getUint16(at) & 0xffff) + value;
      const folded = (total & 0xffff) + (total >>> 16);
      view.setUint16(sum, ~((folded & 0xffff) + (folded >>> 16)));
    }
    view.setUint16(at, value);
  };
  const isSource = end === 'source';
  const address = new DataView(ipv4Bytes(shift.address).buffer);
  const [ipSum, tcpSum] = [ip + 10, tcp + 16];
  for (const half of [0, 2]) put(ip + (isSource ? 12 : 16) + half, address.getUint16(half), ipSum, tcpSum);
  put(tcp + (isSource ? 0 : 2), shift.port, tcpSum);
  const at = tcp + (isSource ? 4 : 8);
  const number = (view.getUint32(at) + shift.delta) >>> 0;
  put(at, number >>> 16, tcpSum);
  put(at + 2, number & 0xffff, tcpSum);
  return data;
}
