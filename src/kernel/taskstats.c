/* SPDX-License-Identifier: MIT */
#include "kernel/taskstats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define POSSIBLE_CPUS "/sys/devices/system/cpu/possible"

/* A message with one attribute that is a text. */
struct request {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	struct nlattr attribute;
	char text[128];
};

/* ---- asking ---- */

static int ask(int fd, uint16_t family, uint8_t command, uint16_t attribute, const char *text)
{
	size_t size = strlen(text) + 1;
	struct request r = {
		.head = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.generic = {.cmd = command, .version = 1},
		.attribute = {.nla_type = attribute},
	};
	if (size > sizeof(r.text))
		return -E2BIG;
	memcpy(r.text, text, size);
	r.attribute.nla_len = (uint16_t)(NLA_HDRLEN + size);
	r.head.nlmsg_len = (uint32_t)NLMSG_LENGTH(GENL_HDRLEN + NLA_ALIGN(r.attribute.nla_len));
	return send(fd, &r, r.head.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* A cursor over attributes; what is malformed is their end. */
struct attributes {
	const unsigned char *at;
	size_t left;
};

static const unsigned char *next_attribute(
	struct attributes *a, uint16_t *ret_type, size_t *ret_size)
{
	struct nlattr head;
	if (a->left < sizeof(head))
		return NULL;
	memcpy(&head, a->at, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > a->left)
		return NULL;
	const unsigned char *data = a->at + sizeof(head);
	size_t whole = NLA_ALIGN((size_t)head.nla_len);
	if (whole > a->left)
		whole = a->left;
	*ret_type = head.nla_type & NLA_TYPE_MASK;
	*ret_size = head.nla_len - sizeof(head);
	a->at += whole;
	a->left -= whole;
	return data;
}

static const unsigned char *find_attribute(struct attributes a, uint16_t type, size_t *ret_size)
{
	uint16_t found;
	const unsigned char *data;
	while ((data = next_attribute(&a, &found, ret_size)))
		if (found == type)
			return data;
	return NULL;
}

/* The attributes of a generic message; nothing for one that is none, or an error. */
static bool open_message(const void *message, size_t size, struct attributes *ret)
{
	struct nlmsghdr head;
	if (size < NLMSG_HDRLEN + GENL_HDRLEN)
		return false;
	memcpy(&head, message, sizeof(head));
	if (head.nlmsg_type < NLMSG_MIN_TYPE || head.nlmsg_len > size ||
		head.nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
		return false;
	ret->at = (const unsigned char *)message + NLMSG_HDRLEN + GENL_HDRLEN;
	ret->left = head.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	return true;
}

/* What the kernel answers to a request has been queued when send() returns: nothing is waited for. */
static int read_ack(int fd)
{
	union {
		char bytes[8192];
		struct nlmsghdr head;
	} u;
	struct nlmsgerr error;
	for (int i = 0; i < TASKSTATS_MAX_MESSAGES; i++) {
		ssize_t n = recv(fd, &u, sizeof(u), MSG_DONTWAIT);
		if (n < 0)
			return errno == ENOBUFS ? -EAGAIN : -errno;
		if ((size_t)n < NLMSG_HDRLEN + sizeof(error) || u.head.nlmsg_type != NLMSG_ERROR)
			continue; /* somebody's exit */
		memcpy(&error, u.bytes + NLMSG_HDRLEN, sizeof(error));
		return error.error;
	}
	return -EAGAIN;
}

static int find_family(int fd, uint16_t *ret)
{
	char buf[8192];
	struct attributes a = {0};
	size_t size;
	int rc = ask(
		fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME);
	if (rc < 0)
		return rc;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	const unsigned char *id = open_message(buf, (size_t)n, &a)
		? find_attribute(a, CTRL_ATTR_FAMILY_ID, &size)
		: NULL;
	if (!id || size < sizeof(*ret))
		return -ENOENT;
	memcpy(ret, id, sizeof(*ret));
	return read_ack(fd);
}

static int listen_to_all(int fd)
{
	char cpus[64];
	uint16_t family = 0;
	ssize_t n = file_read_text(AT_FDCWD, POSSIBLE_CPUS, cpus, sizeof(cpus));
	if (n < 0)
		return -errno;
	cpus[strcspn(cpus, "\n")] = 0;
	int rc = find_family(fd, &family);
	if (rc == 0)
		rc = ask(fd, family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus);
	return rc < 0 ? rc : read_ack(fd);
}

int taskstats_open(void)
{
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	int rc = listen_to_all(fd);
	return rc < 0 ? rc : fd_take(&fd);
}

/* ---- one process ---- */

/* Heads of the message, of the nest and of its first attribute, which is the pid. */
#define PID_OFFSET (NLMSG_HDRLEN + GENL_HDRLEN + 2 * NLA_HDRLEN)

int taskstats_only(int fd, pid_t pid)
{
	/* a classic filter loads words in the order of the network */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PID_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl((uint32_t)pid), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

bool taskstats_parse(const void *message, size_t size, pid_t pid, struct taskstats_end *ret)
{
	struct attributes a;
	struct taskstats stats = {0};
	uint32_t found;
	size_t nest_size, pid_size, stats_size;
	if (!open_message(message, size, &a))
		return false;
	const unsigned char *nest = find_attribute(a, TASKSTATS_TYPE_AGGR_PID, &nest_size);
	if (!nest)
		return false;
	a = (struct attributes){nest, nest_size};
	const unsigned char *id = find_attribute(a, TASKSTATS_TYPE_PID, &pid_size);
	const unsigned char *data = find_attribute(a, TASKSTATS_TYPE_STATS, &stats_size);
	if (!id || !data || pid_size < sizeof(found) ||
		stats_size < offsetof(struct taskstats, hiwater_vm) + sizeof(stats.hiwater_vm))
		return false;
	memcpy(&found, id, sizeof(found));
	if (found != (uint32_t)pid)
		return false;
	/* later versions only append */
	memcpy(&stats, data, stats_size < sizeof(stats) ? stats_size : sizeof(stats));
	if (stats.hiwater_vm > UINT64_MAX / 1024)
		return false;
	ret->virtual_peak_bytes = stats.hiwater_vm * 1024;
	ret->wait_status = stats.ac_exitcode;
	return true;
}

bool taskstats_end(int fd, pid_t pid, struct taskstats_end *ret)
{
	char buf[8192];
	for (int i = 0; i < TASKSTATS_MAX_MESSAGES; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			continue; /* some were lost; this one may not be among them */
		if (n < 0)
			return false;
		if (taskstats_parse(buf, (size_t)n, pid, ret))
			return true;
	}
	return false;
}
