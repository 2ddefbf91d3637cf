/* SPDX-License-Identifier: MIT */
#include "store/owner.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

int owner_open(int dir, bool writable)
{
	int flags = writable ? O_RDWR | O_CREAT : O_RDONLY;
	return openat(dir, "lock", flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

/*
 * FNV-1a, 62 bits of it: an offset of a lock may not be negative. Two of a thousand running ids
 * share a byte once in 10^13; then one of them is found lost only when the other has ended.
 */
static off_t place_of(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (const char *c = id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	return (off_t)(hash >> 2);
}

static struct flock lock_on(const char *id, short type)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = place_of(id), .l_len = 1};
}

int owner_hold(int fd, const char *id)
{
	/* Shared: it has nothing to exclude, and nobody may make us wait. */
	struct flock lock = lock_on(id, F_RDLCK);
	return fcntl(fd, F_OFD_SETLK, &lock);
}

void owner_release(int fd, const char *id)
{
	struct flock lock = lock_on(id, F_UNLCK);
	fcntl(fd, F_OFD_SETLK, &lock);
}

bool owner_alive(int fd, const char *id)
{
	struct flock lock = lock_on(id, F_WRLCK);
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}
