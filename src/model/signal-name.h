/* SPDX-License-Identifier: MIT */
#ifndef MODEL_SIGNAL_NAME_H
#define MODEL_SIGNAL_NAME_H

#define SIGNAL_MAX 64

/* "TERM" or "SIGTERM": its number; 0 when there is none of this name. */
int signal_from_name(const char *text);

#endif
