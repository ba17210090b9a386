/**
 * The whole director: slow, plain, and the same answers.
 *
 * @module
 */

import type { Connection } from './connection.js';
import { ConnectionTable } from './connections.js';
import { Defence } from './defence.js';
import type { EcnMode } from './ecn.js';
import { resetsOf } from './expiry.js';
import { LocalPorts, type PortRange } from './fullnat/pools.js';
import type { Host } from './host.js';
import { Network } from './network.js';
import { formatAddress } from './packet/address.js';
import { PathMtus } from './path-mtu.js';
import { Random } from './random.js';
import { Reassembler } from './reassembly.js';
import { receive, receiveIp } from './receive.js';
import { Records } from './records.js';
import { type Dest, type Service, ServiceTable } from './services.js';
import { defaultTimeouts } from './states.js';
import { askAgain } from './synproxy/asking.js';
import type { Kept } from './synproxy/kept.js';
import { isAsking } from './synproxy/proxied.js';
import { type Template, TemplateTable } from './templates.js';
import type * as words from './types.js';

/** What a director starts with. */
export interface ReferenceOptions {
  network: words.ReferenceNetwork;
  sysctl?: words.ReferenceSysctl;
  /** IP identification of the first packet that the director makes itself; counts up by one. Default 1. */
  ipId?: number;
  /** IPv4 connections at which their table is full. Default: no limit. */
  connections?: number;
  /** The same for IPv6 ones. */
  connections6?: number;
  /** Bytes of fragments that may be held, IP headers included. Default 1 MiB. */
  fragmentBytes?: number;
  /** Datagrams under reassembly at once. Default 256. */
  datagrams?: number;
  /** Of the random numbers that `twos` draws, 64 bits, and of the initial sequence numbers of FullNAT, 128. Default 0. */
  seed?: bigint;
  /** The ports of local addresses. Default: from 1024 to 65535, all of them (`shards` 1, `shard` 0). */
  localPorts?: Partial<PortRange>;
  /** How many different local addresses there may be. Default: no limit. */
  localAddresses?: number;
  /** How the ECN field gets into outer headers. Default `kernel`. */
  ecn?: EcnMode;
}

/**
 * A Linux Virtual Server director in memory.
 *
 * @example
 * const director = new ReferenceDirector({ network });
 * director.addService({ protocol: 'tcp', address: '10.0.0.100', port: 80, scheduler: 'rr' });
 * director.addDest({ protocol: 'tcp', address: '10.0.0.100', port: 80 }, { address: '10.1.0.11', method: 'nat' });
 * const [outcome] = director.send(frame, 'eth0', Date.now());
 */
export class ReferenceDirector {
  readonly #timeouts = defaultTimeouts();
  readonly #host: Host;

  constructor(options: ReferenceOptions) {
    const localPorts = new LocalPorts(options.localPorts, options.localAddresses);
    const services = new ServiceTable(() => this.#host.sysctl, localPorts);
    const limits = {
      4: options.connections ?? Number.POSITIVE_INFINITY,
      6: options.connections6 ?? Number.POSITIVE_INFINITY,
    };
    const records = new Records(limits);
    const templates = new TemplateTable(services, records);
    const isSecure = () => this.#host.sysctl.secure_tcp >= 2;
    const { seed = 0n } = options;
    let identification = options.ipId ?? 1;
    let fragmentIdentification = identification;
    this.#host = {
      network: new Network(options.network),
      services,
      templates,
      connections: new ConnectionTable(
        services,
        templates,
        this.#timeouts,
        records,
        () => this.#host.network.ftpPorts,
        isSecure,
        localPorts,
        () => this.#host.sysctl.conn_expire_tcp_rst !== 0,
      ),
      records,
      defence: new Defence(() => this.#host),
      paths: new PathMtus(),
      random: new Random(seed),
      localPorts,
      key: [BigInt.asUintN(64, seed), BigInt.asUintN(64, seed >> 64n)],
      now: 0,
      reassembly: new Reassembler({
        bytes: options.fragmentBytes ?? 1024 * 1024,
        datagrams: options.datagrams ?? 256,
      }),
      ecn: options.ecn ?? 'kernel',
      sysctl: {
        ip_forward: 1,
        ipv6_forwarding: 1,
        pmtu_disc: 1,
        sloppy_tcp: 0,
        expire_nodest_conn: 0,
        expire_quiescent_template: 0,
        nat_icmp_send: 0,
        schedule_icmp: 0,
        cache_bypass: 0,
        ignore_tunneled: 0,
        sloppy_sctp: 0,
        lblc_expiration: 86_400,
        lblcr_expiration: 86_400,
        conn_reuse_mode: 1,
        secure_tcp: 0,
        drop_entry: 0,
        drop_packet: 0,
        am_droprate: 10,
        amemthresh: 1024,
        conn_expire_tcp_rst: 0,
        synproxy_defer: 0,
        synproxy_mss: 1460,
        synproxy_wscale: 7,
        synproxy_sack: 1,
        synproxy_timestamp: 1,
        synproxy_retries: 3,
        synproxy_dup_ack: 10,
        synproxy_max_ack_saved: 3,
        ...options.sysctl,
      },
      nextIdentification: () => identification++ & 0xffff,
      nextFragmentIdentification: () => fragmentIdentification++ >>> 0,
    };
    this.#host.defence.look();
  }

  /** Replaces interfaces, routes and neighbours; connections live on. */
  setNetwork(network: words.ReferenceNetwork): void {
    this.#host.network = new Network(network);
  }

  /** Changes the switches that are given. */
  setSysctl(sysctl: words.ReferenceSysctl): void {
    const before = this.#host.sysctl;
    this.#host.sysctl = { ...before, ...sysctl };
    this.#host.defence.turned(before);
  }

  /** Changes timeouts from the next packet of each connection on. */
  setTimeouts(timeouts: words.ReferenceTimeouts): void {
    this.#timeouts.ESTABLISHED = timeouts.tcp || this.#timeouts.ESTABLISHED;
    this.#timeouts.FIN_WAIT = timeouts.tcpfin || this.#timeouts.FIN_WAIT;
    this.#timeouts.UDP = timeouts.udp || this.#timeouts.UDP;
  }

  /** @throws Error when it exists. */
  addService(service: words.ReferenceService): void {
    this.#host.services.add(service);
  }

  /** Changes scheduler and flags. @throws Error when it does not exist. */
  editService(service: words.ReferenceService): void {
    this.#host.services.edit(service);
  }

  /** Deletes a service with its dests; connections stay and their packets are dropped. */
  deleteService(key: words.ReferenceServiceKey): void {
    this.#host.services.delete(key);
    this.#expireNodest();
  }

  /** The timeouts that {@link setTimeouts} sets, in seconds. */
  getTimeouts(): Required<words.ReferenceTimeouts> {
    const { ESTABLISHED: tcp, FIN_WAIT: tcpfin, UDP: udp } = this.#timeouts;
    return { tcp, tcpfin, udp };
  }

  /** Sets the counters of a service and its dests to 0, or those of all. @throws Error when it does not exist. */
  zeroStats(service?: words.ReferenceServiceKey): void {
    this.#host.services.zero(service);
  }

  /** Deletes every service. */
  clear(): void {
    for (const service of this.services()) this.deleteService(service);
  }

  /** @throws Error when it exists, or its service does not; RangeError when its address is not unicast. */
  addDest(service: words.ReferenceServiceKey, dest: words.ReferenceDest): void {
    this.#host.services.addDest(service, dest);
  }

  /** Changes method, weight and thresholds. @throws Error when it does not exist. */
  editDest(service: words.ReferenceServiceKey, dest: words.ReferenceDest): void {
    this.#host.services.editDest(service, dest);
  }

  /** Deletes a dest; connections stay and their packets are dropped until it is added again. */
  deleteDest(service: words.ReferenceServiceKey, dest: words.ReferenceDestKey): void {
    this.#host.services.deleteDest(service, dest);
    this.#expireNodest();
  }

  /** `expire_nodest_conn`: connections go with their dest. */
  #expireNodest(): void {
    const { connections, sysctl } = this.#host;
    if (sysctl.expire_nodest_conn !== 0) connections.removeAbandoned();
  }

  /**
   * Judges one frame at `now`, in milliseconds since the Unix epoch.
   *
   * @returns what became of the frame, then the frames that it was time for, and those that the director made because of it
   */
  send(
    frame: Uint8Array,
    inInterface: string,
    now: number,
    notes: words.ReferenceFrameNotes = {},
  ): words.ReferenceOutcome[] {
    this.advance(now);
    this.#host.now = now;
    const owed = this.#host.connections
      .takeOwing()
      .flatMap((each) => (isAsking(each) ? askAgain(this.#host, each, now) : resetsOf(this.#host, each)));
    // A copy: slices of a Buffer are not.
    const judgement = receive(this.#host, new Uint8Array(frame), inInterface, now, notes);
    const { verdict, reason, outInterface, frame: changed, made, again = [] } = judgement;
    const partialChecksum = judgement.partialChecksum ?? notes.partialChecksum ?? false;
    const outcome = { verdict, reason, outInterface, frame: changed ?? frame.slice(), made: false, partialChecksum };
    return [outcome, ...owed, ...(made ?? []), ...again.flatMap((kept) => this.#again(kept, now))];
  }

  /** What becomes of a packet that was kept. */
  #again({ bytes, origin }: Kept, now: number): words.ReferenceOutcome[] {
    const notes = { ...origin, link: new Uint8Array(0), partialChecksum: false, now };
    const { verdict, reason, outInterface, frame = bytes, made = [] } = receiveIp(this.#host, bytes, notes);
    return [{ verdict, reason, outInterface, frame, made: true, partialChecksum: false }, ...made];
  }

  /** Lets time pass without packets: connections expire, fragments that waited for too long, and what schedulers remember. */
  advance(now: number): void {
    this.#host.connections.expire(now);
    this.#host.defence.advance(now);
    this.#host.services.advance(now);
    this.#host.reassembly.expire(now);
  }

  /** The connections at `now`, then the templates. */
  connections(now: number): words.ReferenceConnectionInfo[] {
    this.advance(now);
    const { connections, templates } = this.#host;
    return [
      ...connections
        .list()
        .filter((connection) => !connections.isOwing(connection))
        .map((connection) => describeConnection(connection, now)),
      ...templates.list().map((template) => describeTemplate(template, now)),
    ];
  }

  /** The services. */
  services(): words.ReferenceServiceInfo[] {
    return this.#host.services.list().map(describeService);
  }
}

function describeConnection(connection: Connection, now: number): words.ReferenceConnectionInfo {
  const { fullnat } = connection;
  return {
    protocol: connection.protocol,
    clientAddress: formatAddress(connection.clientAddress),
    clientPort: connection.clientPort,
    virtualAddress: formatAddress(connection.virtualAddress),
    virtualPort: connection.virtualPort,
    destAddress: formatAddress(connection.destAddress),
    destPort: connection.destPort,
    method: connection.method,
    state: connection.state,
    expires: (connection.expiresAt - now) / 1000,
    idle: idleOf(connection, now),
    inPackets: connection.inPackets,
    ...(fullnat && { localAddress: formatAddress(fullnat.local.address), localPort: fullnat.local.port }),
  };
}

function describeTemplate(template: Template, now: number): words.ReferenceConnectionInfo {
  const { key, dest, destPort, method, assured, expiresAt, inPackets } = template;
  return {
    protocol: key.protocol,
    clientAddress: formatAddress(key.client),
    clientPort: 0,
    virtualAddress: formatAddress(key.virtual),
    virtualPort: key.port,
    destAddress: formatAddress(dest.address),
    destPort,
    method,
    state: assured ? 'ASSURED' : 'NONE',
    expires: (expiresAt - now) / 1000,
    idle: idleOf(template, now),
    inPackets,
    template: true,
    ...(key.callId !== undefined && { pe: { name: 'sip', data: key.callId } }),
  };
}

/** Seconds since the last packet. */
function idleOf({ timeout, expiresAt }: Connection | Template, now: number): number {
  return (now - (expiresAt - timeout)) / 1000;
}

function describeService(service: Service): words.ReferenceServiceInfo {
  return {
    ...describeEnd(service),
    scheduler: service.schedulerName,
    flags: [...service.flags],
    ...describeSettings(service),
    ...describeFullNat(service),
    stats: { ...service.stats },
    rates: service.rates.shown(),
    dests: service.dests.map(describeDest),
  };
}

function describeSettings({
  persistence,
  once,
  engine,
  synproxy,
}: Service): Pick<words.ReferenceServiceInfo, 'persistent' | 'netmask' | 'ops' | 'pe' | 'synproxy'> {
  return {
    ...(persistence && { persistent: persistence.timeout / 1000, netmask: persistence.netmask }),
    ...(once && { ops: true as const }),
    ...(engine && { pe: engine }),
    ...(synproxy && { synproxy }),
  };
}

function describeFullNat({
  localAddresses,
  profile,
  carry,
}: Service): Pick<words.ReferenceServiceInfo, 'localAddresses' | 'profile' | 'carry'> {
  return {
    ...(localAddresses.length > 0 && { localAddresses: localAddresses.map(formatAddress) }),
    ...(profile !== 'linux' && { profile }),
    ...(carry && { carry }),
  };
}

function describeEnd({ end }: Service): words.ReferenceAddressKey | Required<words.ReferenceMarkKey> {
  return 'fwmark' in end ? { ...end } : { ...end, address: formatAddress(end.address) };
}

function describeDest(dest: Dest): words.ReferenceDestInfo {
  const { type, port, checksum } = dest.tunnel;
  const tunnel = type === 'gue' ? { type, port, checksum } : { type, checksum };
  return {
    address: formatAddress(dest.address),
    port: dest.port,
    method: dest.method,
    weight: dest.weight,
    upperThreshold: dest.upperThreshold,
    lowerThreshold: dest.lowerThreshold,
    activeConnections: dest.activeConnections,
    inactiveConnections: dest.inactiveConnections,
    persistentConnections: dest.persistentConnections,
    stats: { ...dest.stats },
    rates: dest.rates.shown(),
    ...(dest.method === 'tun' && type !== 'ipip' && { tunnel }),
  };
}
