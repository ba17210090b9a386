/**
 * The shape of a network: which keys there are, and of what kind their values.
 *
 * @module
 */
import { type Check, listOf, objectOf, ofKind, optional } from './shape.js';
import type { FouConfig, FtpConfig, InterfaceConfig, NeighbourConfig, NetworkConfig, RouteConfig } from './types.js';

const TEXT = ofKind('string');
const NUMBER = ofKind('number');

const INTERFACE = objectOf<InterfaceConfig>({
  name: TEXT,
  kind: optional(TEXT),
  mac: optional(TEXT),
  mtu: optional(NUMBER),
  up: optional(ofKind('boolean')),
  addresses: optional(listOf(TEXT)),
  vlan: optional(objectOf<NonNullable<InterfaceConfig['vlan']>>({ parent: TEXT, id: NUMBER })),
});

const ROUTE = objectOf<RouteConfig>({
  dst: TEXT,
  dev: TEXT,
  gateway: optional(TEXT),
  prefsrc: optional(TEXT),
  metric: optional(NUMBER),
  onlink: optional(ofKind('boolean')),
});

const NEIGHBOUR = objectOf<NeighbourConfig>({ dst: TEXT, dev: TEXT, lladdr: TEXT });

const FOU = objectOf<FouConfig>({ port: NUMBER, family: optional(NUMBER) });

const FTP = objectOf<FtpConfig>({ ports: optional(listOf(NUMBER)) });

const NETWORK = objectOf<NetworkConfig>({
  interfaces: listOf(INTERFACE),
  routes: optional(listOf(ROUTE)),
  neighbours: optional(listOf(NEIGHBOUR)),
  fou: optional(listOf(FOU)),
  ip_vs_ftp: optional(FTP),
});

/** @throws TypeError for a value of the wrong kind, RangeError for an unknown key, with its path: `network.routes[0].dst`. */
export const checkNetworkShape: Check = NETWORK;
