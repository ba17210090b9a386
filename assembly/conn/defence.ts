/**
 * The defence against floods: secure_tcp, drop_entry and drop_packet, in the modes of Linux's ip_vs_ctl.c and ip_vs_conn.c
 * (6.1). Each second it is asked how much room is left, and the automatic modes go on or off.
 *
 * Linux asks for the host's free memory in pages; here it is what is free of the planned connections, in 4,096ths.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { ConnState, ServiceFlag } from '../../src/abi/protocol';
import {
  SB_AM_DROPRATE,
  SB_AMEMTHRESH,
  SB_CONN_COUNT,
  SB_CONN_HIGH,
  SB_CONN_MAX,
  SB_CONN6_COUNT,
  SB_CONN6_HIGH,
  SB_CONN6_MAX,
  SB_DEFENCE_AT,
  SB_DROP_COUNTER,
  SB_DROP_ENTRY,
  SB_DROP_PACKET,
  SB_DROP_RATE,
  SB_SECURE_TCP,
  SB_TODROP,
  SUPERBLOCK,
  TODROP_MAX,
} from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { drawUpTo, field, now32, setField } from '../superblock';
import { ASSURED, controlsAny } from './control';
import { dropConnection } from './evict';
import { recordAt } from './place';
import { Conn } from './record';
import { remaining } from './wheel';

/** Milliseconds between two looks. */
const EVERY: u64 = 1000;
/** Looks that are made up for after a pause: twice the table. */
const LATE_MAX: u64 = 64;
/** Of how many connections one is looked at, as a shift. */
const SHARE_SHIFT: u32 = 5;
/** Milliseconds without a packet before a connection counts as idle. */
const IDLE: u32 = 60_000;
/** What all connections of the plan count as. */
const WHOLE: u64 = 4096;

// Modes; 0 is off.
const AUTOMATIC: u32 = 1;
const AUTOMATIC_ON: u32 = 2;
const ALWAYS: u32 = 3;

/** Whether secure_tcp is on. */
export function isSecureTcp(): bool {
  return field(SB_SECURE_TCP) >= AUTOMATIC_ON;
}

/** Whether drop_packet drops the packet that would open a connection; counts it. */
export function mustDropPacket(): bool {
  const rate = field(SB_DROP_RATE);
  if (rate == 0) return false;
  const left = <i32>field(SB_DROP_COUNTER) - 1;
  setField(SB_DROP_COUNTER, left > 0 ? left : rate);
  return left <= 0;
}

/** Looks as often as it was due up to `to` (milliseconds), at each full second. */
export function defend(to: u64): void {
  const due = load<u64>(SUPERBLOCK, SB_DEFENCE_AT);
  if (to < due) return;
  store<u64>(SUPERBLOCK, (to / EVERY + 1) * EVERY, SB_DEFENCE_AT);
  if (due == 0) return;
  for (let looks = min<u64>((to - due) / EVERY + 1, LATE_MAX); looks > 0; looks--) {
    updateDefence();
    if (field(SB_DROP_ENTRY) < AUTOMATIC_ON) continue;
    dropEntries(false, field(SB_CONN_MAX), field(SB_CONN_HIGH));
    dropEntries(true, field(SB_CONN6_MAX), field(SB_CONN6_HIGH));
  }
}

/** Lets the automatic modes follow how much room there is. */
export function updateDefence(): void {
  const threshold = field(SB_AMEMTHRESH);
  const available = availableRoom();
  const isShort = available < threshold;
  setField(SB_DROP_ENTRY, nextMode(field(SB_DROP_ENTRY), isShort));
  setField(SB_SECURE_TCP, nextMode(field(SB_SECURE_TCP), isShort));
  const mode = nextMode(field(SB_DROP_PACKET), isShort);
  setField(SB_DROP_PACKET, mode);
  if (mode != AUTOMATIC_ON) {
    setField(SB_DROP_RATE, mode == ALWAYS ? field(SB_AM_DROPRATE) : 0);
    return;
  }
  const rate = threshold / (threshold - available);
  setField(SB_DROP_RATE, rate);
  setField(SB_DROP_COUNTER, rate);
}

function nextMode(mode: u32, isShort: bool): u32 {
  if (mode != AUTOMATIC && mode != AUTOMATIC_ON) return mode;
  return isShort ? AUTOMATIC_ON : AUTOMATIC;
}

/** How many 4,096ths of the plan's connections are free, of the family that has fewer. */
function availableRoom(): u32 {
  const count6 = field(SB_CONN6_COUNT);
  return min<u32>(share(field(SB_CONN_COUNT) - count6, field(SB_CONN_MAX)), share(count6, field(SB_CONN6_MAX)));
}

function share(used: u32, planned: u32): u32 {
  return <u32>((<u64>(planned - used) * WHOLE) / planned);
}

/** Draws 1/32 of the numbers of records, rounded up, and ends what may go of those. */
function dropEntries(v6: bool, planned: u32, high: u32): void {
  const draws = (planned + (1 << SHARE_SHIFT) - 1) >> SHARE_SHIFT;
  for (let i: u32 = 0; i < draws; i++) {
    const number = drawUpTo(planned - 1);
    if (number >= high) continue;
    const conn = changetype<Conn>(recordAt(v6, number));
    if (conn.has(ConnFlag.Used) && remaining(conn) != 0 && mayDrop(conn)) dropConnection(conn, Reason.DropEntry, false);
  }
}

/** Whether drop_entry may end it: what never was established, and every so many of those that are idle and had few packets. */
function mayDrop(conn: Conn): bool {
  if (controlsAny(conn)) return false;
  if (conn.has(ConnFlag.Template)) return isOfOnce(conn) ? isSeldom(conn) : conn.state != ASSURED;
  if (!conn.hasStates) return isSeldom(conn);
  switch (conn.state) {
    case ConnState.SynRecv:
    case ConnState.SynAck:
    case ConnState.SctpInit1:
    case ConnState.SctpInit:
      return true;
    case ConnState.Established:
    case ConnState.SctpEstablished:
      return isSeldom(conn);
    default:
      return false;
  }
}

/** Whether the template's service schedules each packet by itself: then the template counts these. */
function isOfOnce(template: Conn): bool {
  const service = changetype<Dest>(template.dest).service;
  return service != 0 && (changetype<Service>(service).flags & ServiceFlag.OnePacket) != 0;
}

/** Idle, and with n packets the n-th of these in turn. */
function isSeldom(conn: Conn): bool {
  if (now32() - conn.touched < IDLE) return false;
  const packets = conn.inPackets;
  if (packets == 0 || packets > <u32>TODROP_MAX) return false;
  const counter = <usize>SUPERBLOCK + SB_TODROP + packets;
  const passedOver = load<u8>(counter);
  store<u8>(counter, passedOver > 1 ? passedOver - 1 : packets);
  return passedOver <= 1;
}
