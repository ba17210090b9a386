/**
 * Rules and listings in ipvsadm's words, keepalived.conf, and the network in the JSON words of `ip -j`.
 *
 * @module
 */

export { RuleError, type RuleSource } from './error.js';
export {
  applyRules,
  type Dialect,
  parseRule,
  parseRules,
  type RuleCommand,
  type RuleDest,
  type RuleKey,
  type RuleService,
  type RuleTarget,
} from './ipvsadm.js';
export {
  checkKeepalived,
  type IncludedFile,
  type KeepalivedChecker,
  type KeepalivedConfig,
  type KeepalivedLocalAddress,
  type KeepalivedOptions,
  type KeepalivedRules,
  type KeepalivedServer,
  type KeepalivedService,
  type KeepalivedStatement,
  keepalivedServices,
  type Problem,
  parseKeepalived,
} from './keepalived/index.js';
export type {
  ListedConnection,
  ListedDest,
  ListedService,
  ListedStats,
  SavedDest,
  SavedService,
  SavedSettings,
} from './listed.js';
export {
  type ConnectionListOptions,
  listConnections,
  listServices,
  type ServiceListOptions,
} from './listings.js';
export { type Names, namesFromFiles } from './names.js';
export { networkFromJson, parseNetwork } from './network.js';
export {
  type IpvsadmIo,
  type IpvsadmOptions,
  type IpvsadmTarget,
  runIpvsadm,
  runIpvsadmRestore,
  runIpvsadmSave,
} from './program.js';
export { type SaveOptions, saveRules } from './save.js';
