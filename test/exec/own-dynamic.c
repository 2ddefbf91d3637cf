/* SPDX-License-Identifier: MIT */
/* A harmless program that a dynamic loader starts, and the library that it needs. */
#include <unistd.h>

#include "proof.h"

void harmless(void);

#ifdef LIBRARY
void harmless(void)
{
}
#else
int main(void)
{
	const char proof = PROOF_OWN;

	harmless();
	return write(PROOF, &proof, 1) != 1;
}
#endif
