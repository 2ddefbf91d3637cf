/* SPDX-License-Identifier: MIT */
#ifndef EXEC_PROOF_H
#define EXEC_PROOF_H

/* The descriptor that a probe writes one byte to, and which byte. */
#define PROOF         9
#define PROOF_OWN     'O'
#define PROOF_FOREIGN 'F'

#endif
