/* SPDX-License-Identifier: MIT */
/* A foreign program that a dynamic loader starts; or, as a shared object, that it loads into another. */
#include <unistd.h>

#include "proof.h"

#ifdef PRELOADED
void harmless(void);

/* In the place of another library's. */
void harmless(void)
{
}

__attribute__((constructor))
#endif
static void
prove(void)
{
	const char proof = PROOF_FOREIGN;

	if (write(PROOF, &proof, 1) != 1)
		_exit(1);
}

#ifndef PRELOADED
int main(void)
{
	prove();
	return 0;
}
#endif
