/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/buf.h"

/* Append the completion script for @shell: 0, or -1 if it is not one of "bash", "zsh", "fish". */
int completion_put(struct buf *b, const char *shell);

#endif
