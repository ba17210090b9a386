/**
 * Virtual servers as services and dests, by which servers are alive.
 *
 * @module
 */
import { type Family, familyOf, formatEndpoint } from '../../address.js';
import type { RuleDest, RuleKey, RuleService } from '../rule.js';
import type { KeepalivedService } from './config.js';
import type { Problems } from './problems.js';
import type { KeepalivedServer } from './server.js';

/** A service and its dests, as `director.replaceRules()` takes them. */
export interface KeepalivedRules {
  readonly service: RuleService;
  readonly added: RuleDest[];
}

/** Whether a server is alive: what the embedder's checks, or keepalived's own, say. */
type IsAlive = (server: KeepalivedServer, service: KeepalivedService) => boolean;

/** What the director would refuse, and what is silently something else. */
export function checkService(service: KeepalivedService, problems: Problems): void {
  const { at, key, settings, realServers, sorryServer } = service;
  const family = familyOfKey(key);
  const { persistent, netmask, ops, synproxy } = settings;
  if ('port' in key && key.port === 0 && persistent === undefined) {
    problems.error(at, `${key.address}: only a persistent virtual server may be without a port`);
  }
  if (netmask !== undefined && (typeof netmask === 'number') !== (family === 6)) {
    problems.error(at, `a persistence_granularity of ${netmask} is none of IPv${family}`);
  }
  if (ops && 'protocol' in key && key.protocol !== 'udp') problems.error(at, 'ops is only for UDP and fwmark');
  if (synproxy && 'protocol' in key && key.protocol !== 'tcp') {
    problems.error(at, 'syn_proxy is only for TCP and fwmark');
  }
  const servers = sorryServer === undefined ? realServers : [...realServers, sorryServer];
  if (servers.some(({ method }) => method === 'snat')) checkSnat(service, servers, problems);
  for (const server of servers) {
    const { address, method, port } = server;
    const isNat64 = method === 'fullnat' && family === 6;
    if (method !== 'tun' && !isNat64 && familyOf(address) !== family) {
      problems.error(
        server.at,
        `${address}: the virtual server is IPv${family}, and only TUN leads to the other family, or FNAT from IPv6 to IPv4`,
      );
    }
    const forced = destOf(key, server, 1).port;
    if (port !== undefined && port !== forced) {
      const text = `${formatEndpoint(address, port)}: ${method.toUpperCase()} keeps the port, the server gets ${forced}`;
      problems.warn(server.at, text);
    }
  }
}

/** What SNAT cannot be with. */
function checkSnat({ at, key, settings }: KeepalivedService, servers: readonly KeepalivedServer[], problems: Problems) {
  if (!('fwmark' in key)) problems.error(at, 'SNAT is only for a virtual_server fwmark');
  if (settings.ops || settings.synproxy) problems.error(at, 'SNAT goes with neither ops nor syn_proxy');
  for (const server of servers) {
    const name = formatEndpoint(server.address, server.port ?? 0);
    if (server.method !== 'snat') problems.error(server.at, `${name}: beside SNAT there is no other lvs_method`);
    else if (server.port) problems.error(server.at, `${name}: SNAT has no port`);
  }
}

/**
 * The services and dests while those servers are alive of which `isAlive` says so, as keepalived would have them then: a
 * dead server is taken out, or has weight 0 with `inhibit_on_failure`. When the weights of the live ones together are
 * less than the quorum, the sorry server stands in for all of them, if there is one. `alpha` and `hysteresis` are not
 * looked at: both are about how a state came to be.
 *
 * ```ts
 * director.replaceRules(keepalivedServices(config, (server) => !down.has(server.address)));
 * ```
 */
export function keepalivedServices(
  { services }: { readonly services: readonly KeepalivedService[] },
  isAlive: IsAlive = () => true,
): KeepalivedRules[] {
  return services.map((service) => ({
    service: serviceOf(service),
    added: destsOf(service, isAlive).map(([, dest]) => dest),
  }));
}

function serviceOf({ key, settings, localAddresses }: KeepalivedService): RuleService {
  const locals = localAddresses.map(({ address }) => address);
  return { ...key, ...settings, ...(locals.length > 0 && { localAddresses: locals }) };
}

/** The servers that are in use, each with its dest. */
export function destsOf(service: KeepalivedService, isAlive: IsAlive): [KeepalivedServer, RuleDest][] {
  const { key, realServers, sorryServer, quorum } = service;
  const alive = new Set(realServers.filter((server) => isAlive(server, service)));
  const weights = [...alive].reduce((sum, { weight }) => sum + weight, 0);
  const isSorry = sorryServer !== undefined && weights < quorum;
  const used: [KeepalivedServer, RuleDest][] = [];
  const use = (server: KeepalivedServer, isUp: boolean): void => {
    if (isUp || server.inhibitOnFailure) used.push([server, destOf(key, server, isUp ? server.weight : 0)]);
  };
  for (const server of realServers) use(server, alive.has(server) && !isSorry);
  if (sorryServer !== undefined) use(sorryServer, isSorry);
  return used;
}

function destOf(key: RuleKey, server: KeepalivedServer, weight: number): RuleDest {
  const { address, method, tunnel, upperThreshold, lowerThreshold } = server;
  const own = 'fwmark' in key ? 0 : key.port;
  // As with ipvsadm: only translation maps ports, but a mark has none of its own.
  const port = method === 'nat' || method === 'fullnat' || 'fwmark' in key ? (server.port ?? own) : own;
  return { address, port, method, weight, upperThreshold, lowerThreshold, ...(tunnel !== undefined && { tunnel }) };
}

function familyOfKey(key: RuleKey): Family {
  return 'fwmark' in key ? key.family : familyOf(key.address)!;
}
