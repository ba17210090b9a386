/* The TCP state machine of IPVS: three tables (in, out, in without any output seen), four events. */
#ifndef TCP_STATES_H
#define TCP_STATES_H

#include "table.h"

enum direction { INPUT, OUTPUT, INPUT_ONLY };

#define NO NONE
#define ES ESTABLISHED
#define SS SYN_SENT
#define SR SYN_RECV
#define FW FIN_WAIT
#define TW TIME_WAIT
#define CL CLOSED
#define CW CLOSE_WAIT
#define LA LAST_ACK
#define LI LISTEN
#define SA SYN_ACK

/* [direction][SYN, FIN, ACK, RST][state] */
static const uint8_t transitions[3][4][12] = {
  {{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR}, {CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW},
   {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES}, {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR}},
  {{SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR}, {TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW},
   {ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES}, {CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL}},
  {{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR}, {CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW},
   {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES}, {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL}},
};

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

/* Milliseconds. */
static const uint32_t timeouts[STATES] = {2000, 900000, 120000, 60000, 120000, 120000, 10000, 60000, 30000, 120000, 120000, 300000};

static inline bool is_active(uint8_t state) {
  return state == ESTABLISHED || state == SYN_SENT || state == SYN_RECV || state == SYN_ACK;
}

static inline uint8_t tcp_next(enum direction direction, uint8_t state, uint8_t flags) {
  if (flags & 4) return transitions[direction][3][state];
  if (flags & 2) return transitions[direction][0][state];
  if (flags & 1) return transitions[direction][1][state];
  if (flags & 16) return transitions[direction][2][state];
  return CLOSED;
}

#endif
