/* SPDX-License-Identifier: MIT */
#ifndef EXEC_ATTACK_H
#define EXEC_ATTACK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Attacks on the exec policy: each tries to have a foreign program started, one that the policy
 * denies, many times over. What is foreign proves itself (probe.c). Those that are races need a judge
 * that they can beat, to be shown to work: naive.c is one.
 */
struct attack {
	const char *name;
	bool race;
	void (*prepare)(void); /* once; NULL: nothing to */
	pid_t (*spawn)(void (*child)(void)); /* as fork(2); NULL: that */
	void (*child)(void); /* one try, in a child of its own; it returns if it cannot execute */
	void (*beside)(void); /* over and over in a peer process that lives through all tries */
	void (*meanwhile)(pid_t child); /* over and over in the parent, until the child has ended */
};

extern const struct attack memory_attacks[], task_attacks[], file_attacks[], name_attacks[],
	way_attacks[], process_attacks[];

/* The programs, by absolute path: those of this build. */
extern char probe[], own[], foreign[], own_dynamic[], foreign_dynamic[], preloaded[];

/* Texts of eight bytes, so that one store changes one into the other. */
#define OWN_WORD     "own\0\0\0\0"
#define FOREIGN_WORD "foreign"
/* In the working directory, made by prepare_programs(): copies of the programs own and foreign. */
#define OWN_PATH     "./own\0\0"
#define FOREIGN_PATH "./frgn\0"

/* What the attacker, its peers and its children share. */
struct shared {
	_Alignas(64) volatile uint64_t word; /* of these texts */
	char path[64]; /* of the probe, if it fits */
	char *volatile argv[3];
	char own_word[8], foreign_word[8];
	volatile int errnum; /* of the last exec that returned */
	volatile int ready;
};
extern struct shared *shared;

/* Turn one text into the other, @n times, with pauses of all lengths between. */
void flip(volatile uint64_t *word, const char a[8], const char b[8], unsigned n);
void set_word(volatile uint64_t *word, const char text[8]);
void flip_argument(void);

/* Execute, and note why it did not happen. */
void try_exec(const char *path, char *const argv[]);
void try_execveat(int fd, const char *path, int flags);
/* The probe, with the shared word for its argument. */
void exec_probe(void);

/* A child that runs @child on a stack of its own: clone(2) with @flags. Gives up on failure. */
pid_t spawn_on_stack(int flags, void (*child)(void));
/* As fork(2), with what @flags say shared, and memory that is not. */
pid_t spawn_sharing(int flags, void (*child)(void));

/* Give up: what an attack needs is not there. */
_Noreturn void give_up(const char *what);
#define MUST(call)                                                                                 \
	({                                                                                         \
		__typeof__(call) result_ = (call);                                                 \
		if (result_ == (__typeof__(call))-1)                                               \
			give_up(#call);                                                            \
		result_;                                                                           \
	})

void prepare_programs(void);
/* Copy a program, with @more bytes at its end so that it is not the same content. */
void copy_program(const char *from, const char *to, mode_t mode, unsigned more);
int copy_to_fd(const char *from, int fd, unsigned more);
void write_file(const char *path, const char *text, mode_t mode);
/* Absolute path of a file in the working directory; a static buffer for each of two. */
const char *here(const char *name);

uint32_t random_number(uint32_t below);

#endif
